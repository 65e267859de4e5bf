"""What comes in before anybody is known: signing requests, renewals, tokens."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_agent.errors import Permanent
from sitewarden_agent.link import token
from sitewarden_agent.observe import certificate
from sitewarden_collector import pki
from sitewarden_collector.errors import Refused
from tests.fuzz.run import Target, must

NOW_NS = 1_764_000_000 * 10**9


def _csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pending")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


_KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
_CSR = _csr(_KEY)
_TOKEN = "swt1_" + base64.urlsafe_b64encode(
    json.dumps({"i": "t-1", "s": "secret", "f": "ab" * 32, "e": ["hq.example:7444"]}).encode()
).decode().rstrip("=")


@cache
def _authority() -> pki.Authority:
    return pki.found(now_ns=NOW_NS).authority


_BETWEEN = b"\n--\n"


def _renewal() -> bytes:
    """A certificate of ours with a signature that is well formed, and by another key."""
    site, agent = "01939f7e-0000-7000-8000-000000000001", "01939f7e-0000-7000-8000-000000000002"
    issued = pki.agent_certificate(
        _authority(), _KEY.public_key(), site_id=site, agent_id=agent, days=30.0, now_ns=NOW_NS
    )
    signature = ec.derive_private_key(0xBAD, ec.SECP256R1()).sign(b"something else", ec.ECDSA(hashes.SHA256()))
    return pki.der(issued) + _BETWEEN + signature


def read_csr(data: bytes) -> str:
    try:
        key = pki.public_key_of_csr(data)
    except Refused as error:
        return error.reason
    assert key.curve.name == "secp256r1"
    return "taken"


def read_renewal(data: bytes) -> str:
    """No bytes stand in for a certificate of ours and a signature by its key."""
    old, _, signature = data.partition(_BETWEEN)
    try:
        pki.check_renewal(_authority(), old, csr_der=_CSR, agent_time_ns=NOW_NS, signature=signature)
    except Refused as error:
        return error.reason
    raise AssertionError("a renewal was taken that nobody signed")


def read_token(data: bytes) -> str:
    try:
        found = token.read(data.decode("utf-8", "replace"))
    except Permanent as error:
        must("secret" not in str(error), "the secret is shown")
        return "damaged" if "damaged" in str(error) else "no token"
    assert len(bytes.fromhex(found.root_sha256)) == 32
    return "token"


def _without_end() -> bytes:
    """A certificate that never expires, as RFC 5280 (4.1.2.5) writes it: with the last second of the year 9999."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "appliance")])
    return pki.der(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        .sign(_KEY, hashes.SHA256())
    )


def read_expiry(data: bytes) -> str:
    """The agent reads the end of a certificate's life without the help of cryptography."""
    expires_ns = certificate.expires_ns(data)
    assert expires_ns is None or abs(expires_ns) < 2**63, "a time that the wire cannot carry"
    return "unreadable" if expires_ns is None else "read"


TARGETS = (
    Target("expiry of a certificate", (_renewal().partition(_BETWEEN)[0], _without_end(), b""), read_expiry),
    Target("signing request", (_CSR,), read_csr),
    Target("renewal", (_renewal(), _CSR + _BETWEEN + _CSR, b""), read_renewal),
    Target("enrolment token", (_TOKEN.encode(), b"swt1_", b"swt2_abc"), read_token),
)
