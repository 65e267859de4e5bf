"""Keys and certificates: the vendor's own authority, the server's certificate, the agents' certificates.

A root (10 years) signs one intermediate (3 years), which signs agents (30 days, client only) and this server (90 days).
All keys are ECDSA P-256. The root's key is written once, to `offline/root-ca-MARK.key` under the data folder, encrypted
under the secret key: move it to a safe place. The intermediate's key rests in the database, encrypted under the same
secret key, which is in no database and no backup. Of a signing request only the public key is used.

Pure of databases and sockets; who may have a certificate is decided in `services.enrolment`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sitewarden_collector.errors import DatabaseUnusable, Refused

SECRET_VARIABLE = "SITEWARDEN_SECRET_KEY"  # noqa: S105  the name of the variable, not the key
SECRET_FILE = "secret.key"  # noqa: S105
OFFLINE_FOLDER = "offline"
ROOT_DAYS = 3_653
INTERMEDIATE_DAYS = 1_096
BACKDATE = timedelta(minutes=5)  # an agent whose clock is a little behind can use its certificate at once
RENEWAL_PREFIX = b"sitewarden-renew-v1\0"
CSR_MAX_BYTES = 16_384

_IDENTITY = re.compile(r"sitewarden://site/([0-9a-f-]{36})/agent/([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Authority:
    """What issues certificates. The intermediate's key is in memory only."""

    root: x509.Certificate
    intermediate: x509.Certificate
    intermediate_key: ec.EllipticCurvePrivateKey

    @property
    def root_sha256(self) -> str:
        return hashlib.sha256(der(self.root)).hexdigest()

    @property
    def root_key_file(self) -> str:
        """Where the root's key is written when it is made, under the data folder."""
        return f"{OFFLINE_FOLDER}/root-ca-{self.root_sha256[:8]}.key"

    @property
    def chain_der(self) -> tuple[bytes, bytes]:
        """Intermediate, then root."""
        return der(self.intermediate), der(self.root)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a client certificate says its holder is."""

    site_id: str
    agent_id: str
    serial: str  # hex


@dataclass(frozen=True, slots=True)
class Founding:
    """A new authority, and the root's key, which is to leave this machine."""

    authority: Authority
    root_key: ec.EllipticCurvePrivateKey


def secret_key(data_dir: Path, *, create: bool, environment: dict[str, str] | None = None) -> Fernet:
    """The key that all secrets in the database are encrypted under: from the environment, else from its file.

    With `create` a missing file is made (0600). Raises DatabaseUnusable when it is missing or no key.
    """
    stated = (os.environ if environment is None else environment).get(SECRET_VARIABLE)
    path = data_dir / SECRET_FILE
    if stated is None:
        if not path.exists():
            if not create:
                raise DatabaseUnusable(
                    f"the secret key {path} is missing, and without it this database's authority cannot be used: put "
                    f"the file back, or its content into ${SECRET_VARIABLE}"
                )
            write_private(path, Fernet.generate_key())
        stated = path.read_text(encoding="ascii").strip()
    try:
        return KeyRing(stated.split())
    except (ValueError, IndexError) as error:
        raise DatabaseUnusable(
            f"the secret key (${SECRET_VARIABLE} or {path}) is not 32 bytes in base64: put the right one back"
        ) from error


class KeyRing(Fernet):
    """The key of today, and those of before it, which still open what they closed."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        return self._all.decrypt(token, ttl)


def new_secret_key(data_dir: Path) -> KeyRing:
    """Put a new key before those in the file. Raises DatabaseUnusable where the key comes from the environment."""
    if os.environ.get(SECRET_VARIABLE):
        raise DatabaseUnusable(f"the key comes from ${SECRET_VARIABLE}: put a new one before it there, with a blank")
    path = data_dir / SECRET_FILE
    secret_key(data_dir, create=True)  # refuses what is no key
    keys = [Fernet.generate_key().decode(), *path.read_text(encoding="ascii").split()]
    _replace_private(path, "\n".join(keys))
    return KeyRing(keys)


def drop_old_secret_keys(data_dir: Path) -> None:
    """Leave only the key of today in the file."""
    path = data_dir / SECRET_FILE
    _replace_private(path, path.read_text(encoding="ascii").split()[0])


def _replace_private(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    write_private(fresh, text.encode())
    fresh.replace(path)


def found(*, now_ns: int) -> Founding:
    """A new authority."""
    now = _time(now_ns)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # The names differ from one vendor to the next, so that nobody's trust store mixes two up.
    mark = hashlib.sha256(_public_der(root_key.public_key())).hexdigest()[:8]
    root_name, name = _name(f"Sitewarden Root CA {mark}"), _name(f"Sitewarden Intermediate CA {mark}")
    root = (
        _begin(root_name, root_name, root_key.public_key(), now=now, days=ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    intermediate = (
        _begin(name, root_name, key.public_key(), now=now, days=INTERMEDIATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return Founding(Authority(root, intermediate, key), root_key)


def days_left(authority: Authority, *, now_ns: int) -> int:
    """Whole days until the intermediate, and with it everything it signed, ends."""
    return (authority.intermediate.not_valid_after_utc - _time(now_ns)).days


def seal_key(key: ec.EllipticCurvePrivateKey, secret: Fernet) -> bytes:
    """`key` as PKCS8, encrypted under `secret`."""
    return secret.encrypt(
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def open_authority(root_der: bytes, intermediate_der: bytes, sealed_key: bytes, secret: Fernet) -> Authority:
    """The authority as it rests in the database; raises DatabaseUnusable when `secret` is not the one of it."""
    try:
        key = serialization.load_der_private_key(secret.decrypt(sealed_key), password=None)
    except InvalidToken as error:
        raise DatabaseUnusable(
            f"the secret key (${SECRET_VARIABLE} or {SECRET_FILE}) is not the one that this database was made "
            "with: put the right one back; it is in no backup of the database"
        ) from error
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(x509.load_der_x509_certificate(root_der), x509.load_der_x509_certificate(intermediate_der), key)


def server_certificate(authority: Authority, names: Sequence[str], *, days: float, now_ns: int) -> tuple[bytes, bytes]:
    """A new key (PEM) and its certificate with the whole chain (PEM: leaf, intermediate, root) for `names`."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    leaf = (
        _begin(
            _name("Sitewarden Collector"),
            authority.intermediate.subject,
            key.public_key(),
            now=_time(now_ns),
            days=days,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_authority_id(authority), critical=False)
        .sign(authority.intermediate_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, b"".join(pem(one) for one in (leaf, authority.intermediate, authority.root))


def agent_certificate(
    authority: Authority, key: ec.EllipticCurvePublicKey, *, site_id: str, agent_id: str, days: float, now_ns: int
) -> x509.Certificate:
    """A certificate with which the holder of `key` is that agent of that site."""
    identity = x509.UniformResourceIdentifier(f"sitewarden://site/{site_id}/agent/{agent_id}")
    return (
        _begin(_name(agent_id), authority.intermediate.subject, key, now=_time(now_ns), days=days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([identity]), critical=False)
        .add_extension(_authority_id(authority), critical=False)
        .sign(authority.intermediate_key, hashes.SHA256())
    )


def public_key_of_csr(csr_der: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a signing request whose signature holds; raises Refused (CSR_INVALID)."""
    if len(csr_der) > CSR_MAX_BYTES:
        raise Refused("CSR_INVALID", f"the signing request has {len(csr_der)} bytes, more than {CSR_MAX_BYTES}")
    try:
        csr = x509.load_der_x509_csr(csr_der)
        signed, key = csr.is_signature_valid, csr.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Refused(
            "CSR_INVALID", "the signing request cannot be read; run `sitewarden-agent enroll` again"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise Refused("CSR_INVALID", "the signing request's key is not ECDSA P-256; update the agent")
    if not signed:
        raise Refused("CSR_INVALID", "the signing request is not signed by its own key; run the command again")
    return key


def check_renewal(
    authority: Authority, certificate_der: bytes, *, csr_der: bytes, agent_time_ns: int, signature: bytes
) -> tuple[Identity, int]:
    """Who asks for a renewal and when (ns) the old certificate ends; raises Refused when it is not ours, or not signed
    by its key. Whether it is still good is not looked at here."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        certificate.verify_directly_issued_by(authority.intermediate)
        identity = identity_of(certificate)
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signed = RENEWAL_PREFIX + csr_der + certificate_der + agent_time_ns.to_bytes(8, "big", signed=True)
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Refused(
            "UNKNOWN_AGENT", "the renewal is not signed by a key that we certified; enrol again with a new token"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm, AssertionError, x509.InvalidVersion) as error:
        raise Refused(
            "UNKNOWN_AGENT", "the old certificate was not issued here; enrol again with a new token"
        ) from error
    return identity, int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000


def identity_of(certificate: x509.Certificate) -> Identity:
    """Site and agent of a client certificate; raises ValueError when it names none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("the certificate has no alternative names") from error
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        found = _IDENTITY.fullmatch(uri)
        if found:
            return Identity(found[1], found[2], serial_of(certificate))
    raise ValueError("the certificate names no agent")


def serial_of(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


def key_sha256(key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(_public_der(key)).hexdigest()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_private(path: Path, data: bytes) -> None:
    """Make a new file that only its owner can read; an existing one is an error."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime, days: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_id(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.intermediate_key.public_key())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _public_der(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1_000_000_000, UTC).replace(microsecond=0)
