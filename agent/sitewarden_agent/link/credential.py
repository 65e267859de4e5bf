"""Keys, requests and certificates at the site. Only the short-lived `enroll` and `renew` processes load this.

The key is ECDSA P-256, made here. What headquarters issued is checked before it is stored: it must be for our key and
lead to the pinned root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_agent.errors import IdentityError
from sitewarden_agent.link import wire
from sitewarden_agent.link.endpoints import addresses
from sitewarden_agent.link.identity import Identity
from sitewarden_protos.v1 import enrolment_pb2

RENEWAL_PURPOSE = b"sitewarden-renew-v1\x00"
_NANOSECONDS = 1_000_000_000


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def key_from_pem(pem: str) -> ec.EllipticCurvePrivateKey:
    """Raises IdentityError."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except ValueError as error:
        raise IdentityError(f"The stored key cannot be read ({error}). Enrol again with --force.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityError("The stored key is of another kind than this agent makes. Enrol again with --force.")
    return key


def request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate request as DER. The name says nothing: headquarters decides who this is."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pending")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def leaf_der(identity: Identity) -> bytes:
    """The certificate in use, as DER. Raises IdentityError."""
    try:
        leaf = x509.load_pem_x509_certificates(identity.chain_pem.encode())[0]
    except ValueError as error:
        raise IdentityError(f"The stored certificate cannot be read ({error}). Enrol again with --force.") from error
    return leaf.public_bytes(serialization.Encoding.DER)


def sign_renewal(identity: Identity, *, csr_der: bytes, certificate_der: bytes, agent_time_ns: int) -> bytes:
    """Proof, by the old key, that who has the old certificate asks for the new one now."""
    said = RENEWAL_PURPOSE + csr_der + certificate_der + agent_time_ns.to_bytes(8, "big", signed=True)
    return key_from_pem(identity.key_pem).sign(said, ec.ECDSA(hashes.SHA256()))


def accept(
    credential: enrolment_pb2.Credential,
    *,
    key: ec.EllipticCurvePrivateKey,
    root_pem: str,
    known: Identity | None = None,
) -> Identity:
    """The identity that headquarters issued, checked. Raises IdentityError when it is not for us or not of our root.

    `known` fills in what a renewal need not say again.
    """
    try:
        leaf = x509.load_der_x509_certificate(credential.certificate_der)
        shown = [x509.load_der_x509_certificate(each) for each in credential.chain_der]
        root = x509.load_pem_x509_certificate(root_pem.encode())
    except ValueError as error:
        raise IdentityError(
            f"Headquarters sent a certificate that cannot be read ({error}). Tell the vendor."
        ) from error
    if _public(leaf.public_key()) != _public(key.public_key()):
        raise IdentityError("Headquarters sent a certificate for another key. Tell the vendor; nothing was stored.")
    intermediates = [each for each in shown if each != root]
    _check_chain(leaf, intermediates, root)
    pems = [each.public_bytes(serialization.Encoding.PEM).decode() for each in (leaf, *intermediates)]
    return Identity(
        agent_id=wire.said(credential.agent_id, wire.NAME_MAX) or (known.agent_id if known else ""),
        site_id=wire.said(credential.site_id, wire.NAME_MAX) or (known.site_id if known else ""),
        site_name=wire.said(credential.site_name, wire.NAME_MAX) or (known.site_name if known else ""),
        endpoints=addresses(credential.endpoints) or (known.endpoints if known else ()),
        enrolment_endpoints=addresses(credential.enrolment_endpoints) or (known.enrolment_endpoints if known else ()),
        serial=f"{leaf.serial_number:x}",
        not_before_ns=int(leaf.not_valid_before_utc.timestamp()) * _NANOSECONDS,
        not_after_ns=int(leaf.not_valid_after_utc.timestamp()) * _NANOSECONDS,
        key_pem=key_to_pem(key),
        chain_pem="".join(pems),
        root_pem=root_pem,
    )


def _check_chain(leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], root: x509.Certificate) -> None:
    """Each certificate issued by the next, the last one by the root. Times are not looked at: our clock may be off."""
    try:
        for issued, issuer in zip((leaf, *intermediates), (*intermediates, root), strict=True):
            issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        fingerprint = hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).hexdigest()
        raise IdentityError(
            f"Headquarters sent a certificate that does not lead to the pinned root {fingerprint[:16]}... "
            "Tell the vendor; nothing was stored."
        ) from None


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
