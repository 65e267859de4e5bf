"""What the authority issues is what it should be, and what it did not issue it does not accept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from sitewarden_collector import pki
from sitewarden_collector.errors import DatabaseUnusable, Refused
from tests.cast import DAY

NOW_NS = time.time_ns()
SITE, AGENT = "0190f3a2-0000-7000-8000-000000000001", "0190f3a2-0000-7000-8000-000000000002"


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.found(now_ns=NOW_NS).authority


def _csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root of everything")])
    wish = x509.BasicConstraints(ca=True, path_length=None)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(wish, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _agent(authority: pki.Authority, key: ec.EllipticCurvePrivateKey, *, now_ns: int = NOW_NS) -> x509.Certificate:
    return pki.agent_certificate(authority, key.public_key(), site_id=SITE, agent_id=AGENT, days=30, now_ns=now_ns)


def test_the_chain_holds_by_the_rules_of_the_web(authority: pki.Authority) -> None:
    _key, chain = pki.server_certificate(authority, ["collector.example.com", "10.0.0.5"], days=90, now_ns=NOW_NS)
    leaf, intermediate, root = x509.load_pem_x509_certificates(chain)
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName("collector.example.com"))
    assert verifier.verify(leaf, [intermediate]) == [leaf, intermediate, root]


def test_an_agents_certificate_is_good_for_a_client_and_nothing_else(authority: pki.Authority) -> None:
    certificate = _agent(authority, ec.generate_private_key(ec.SECP256R1()))
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert pki.identity_of(certificate) == pki.Identity(SITE, AGENT, pki.serial_of(certificate))
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == 30


def test_a_certificate_without_an_identity_of_ours_names_nobody(authority: pki.Authority) -> None:
    with pytest.raises(ValueError, match="no alternative names"):
        pki.identity_of(authority.intermediate)


def test_of_a_signing_request_only_the_key_is_used(authority: pki.Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert pki.public_key_of_csr(_csr(key)) == key.public_key()


def test_a_signing_request_that_is_not_right_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forged = bytearray(_csr(key))
    forged[-1] ^= 1
    weak, small = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP192R1())
    for csr in (b"", b"nonsense", bytes(forged), _csr(weak), _csr(small), b"\x30" * 20_000):
        with pytest.raises(Refused) as refusal:
            pki.public_key_of_csr(csr)
        assert refusal.value.reason == "CSR_INVALID"


def test_a_renewal_is_taken_from_the_holder_of_the_old_key_only(authority: pki.Authority) -> None:
    old, new = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    certificate = _agent(authority, old)
    csr, raw = _csr(new), pki.der(certificate)
    signed = pki.RENEWAL_PREFIX + csr + raw + NOW_NS.to_bytes(8, "big", signed=True)
    signature = old.sign(signed, ec.ECDSA(hashes.SHA256()))

    identity, ends_ns = pki.check_renewal(authority, raw, csr_der=csr, agent_time_ns=NOW_NS, signature=signature)
    assert identity.agent_id == AGENT
    assert ends_ns == pytest.approx(NOW_NS + 30 * DAY, abs=10**9)

    others = pki.der(_agent(pki.found(now_ns=NOW_NS).authority, old))
    wrong = new.sign(signed, ec.ECDSA(hashes.SHA256()))
    for certificate_der, time_ns, by in (
        (raw, NOW_NS + 1, signature),
        (raw, NOW_NS, wrong),
        (raw, NOW_NS, b""),
        (others, NOW_NS, signature),
        (b"nonsense", NOW_NS, signature),
        (pki.der(authority.intermediate), NOW_NS, signature),
    ):
        with pytest.raises(Refused) as refusal:
            pki.check_renewal(authority, certificate_der, csr_der=csr, agent_time_ns=time_ns, signature=by)
        assert refusal.value.reason == "UNKNOWN_AGENT"


def test_the_intermediates_key_opens_with_its_secret_only(authority: pki.Authority) -> None:
    right, wrong = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())
    sealed = pki.seal_key(authority.intermediate_key, right)
    root, intermediate = pki.der(authority.root), pki.der(authority.intermediate)
    assert pki.open_authority(root, intermediate, sealed, right).root_sha256 == authority.root_sha256
    with pytest.raises(DatabaseUnusable, match="not the one that this database was made with"):
        pki.open_authority(root, intermediate, sealed, wrong)


def test_the_secret_key_is_made_once_and_only_when_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="missing"):
        pki.secret_key(tmp_path, create=False, environment={})
    sealed = pki.secret_key(tmp_path, create=True, environment={}).encrypt(b"kept")
    assert pki.secret_key(tmp_path, create=True, environment={}).decrypt(sealed) == b"kept"
    stated = Fernet.generate_key().decode()
    from_environment = pki.secret_key(tmp_path, create=False, environment={pki.SECRET_VARIABLE: stated})
    assert Fernet(stated).decrypt(from_environment.encrypt(b"kept")) == b"kept"
    with pytest.raises(DatabaseUnusable, match="not 32 bytes"):
        pki.secret_key(tmp_path, create=False, environment={pki.SECRET_VARIABLE: "short"})
