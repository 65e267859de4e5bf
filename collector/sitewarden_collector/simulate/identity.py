"""The identity of a simulated agent: a key, and the certificate that a collector gives it, as a real agent has them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.message import Message
from sqlalchemy import Connection

from sitewarden_collector import pki
from sitewarden_collector.config import PkiConfig
from sitewarden_collector.errors import CollectorError
from sitewarden_collector.pki import Authority
from sitewarden_collector.services import enrolment
from sitewarden_collector.services.enrolment import Applicant
from sitewarden_collector.simulate.scenario import Part
from sitewarden_protos.v1 import common_pb2, enrolment_pb2

Options = tuple[tuple[str, int], ...]
# As agents have them. Each has connections of its own: gRPC would share one among channels that look alike.
OPTIONS: Options = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 512 * 1024),
)

_MORE_LATER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class NotEnrolled(CollectorError):
    """The collector gave no certificate; the message holds its words."""


class TooMany(NotEnrolled):
    """The collector bounds how many it takes at once; in a moment it takes more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Plain bytes, so that another process may take it over. `key_pem`: PKCS8."""

    agent_id: str
    site_id: str
    key_pem: bytes
    certificate_der: bytes
    chain_der: tuple[bytes, ...]

    def credentials(self, root_pem: bytes) -> grpc.ChannelCredentials:
        chain = [x509.load_der_x509_certificate(raw) for raw in (self.certificate_der, *self.chain_der)]
        return grpc.ssl_channel_credentials(
            root_certificates=root_pem,
            private_key=self.key_pem,
            certificate_chain=b"".join(pki.pem(one) for one in chain),
        )


def enrol_here(
    tx: Connection,
    authority: Authority,
    some: Sequence[Part],
    *,
    customer: str,
    version: str,
    policy: PkiConfig,
    now_ns: int,
) -> list[Identity]:
    """Identities for all of these by the database alone: the port of enrolment takes fifty a second."""
    made = []
    for part in some:
        token = enrolment.create_token(
            tx,
            authority,
            site_name=part.site,
            customer_name=customer,
            endpoints=(),
            lifetime_s=3_600,
            now_ns=now_ns,
        )
        content, key = _opened(token.text), ec.generate_private_key(ec.SECP256R1())
        issued = enrolment.enroll(
            tx,
            authority,
            token_id=content["i"],
            token_secret=content["s"],
            csr_der=_request(key),
            applicant=Applicant(part.hostname, part.machine, version),
            policy=policy,
            now_ns=now_ns,
        )
        made.append(Identity(issued.agent_id, issued.site_id, _pem(key), issued.certificate_der, issued.chain_der))
    return made


async def enrol(channel: grpc.aio.Channel, token: str, session: common_pb2.Session) -> Identity:
    """Spend a token. Raises NotEnrolled."""
    content = _opened(token)
    key = ec.generate_private_key(ec.SECP256R1())
    asked = enrolment_pb2.EnrollRequest(
        token_id=content["i"], token_secret=content["s"], csr_der=_request(key), session=session
    )
    answer = enrolment_pb2.EnrollResponse.FromString(await _ask(channel, "Enroll", asked))
    return _accepted(answer, key)


async def renew(channel: grpc.aio.Channel, old: Identity, session: common_pb2.Session) -> Identity:
    """A fresh key and certificate for the old ones. Raises NotEnrolled."""
    key = ec.generate_private_key(ec.SECP256R1())
    old_key = serialization.load_pem_private_key(old.key_pem, password=None)
    assert isinstance(old_key, ec.EllipticCurvePrivateKey)
    csr, time_ns = _request(key), time.time_ns()
    signed = pki.RENEWAL_PREFIX + csr + old.certificate_der + time_ns.to_bytes(8, "big", signed=True)
    asked = enrolment_pb2.RenewRequest(
        csr_der=csr,
        certificate_der=old.certificate_der,
        signature=old_key.sign(signed, ec.ECDSA(hashes.SHA256())),
        agent_time_unix_ns=time_ns,
        session=session,
    )
    answer = enrolment_pb2.RenewResponse.FromString(await _ask(channel, "Renew", asked))
    return _accepted(answer, key)


def _opened(token: str) -> dict[str, Any]:
    packed = token.removeprefix("swt1_")
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return content


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _request(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pending")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.DER)


async def _ask(channel: grpc.aio.Channel, method: str, asked: Message) -> bytes:
    ask: Any = channel.unary_unary(f"/sitewarden.v1.EnrolmentService/{method}")
    try:
        return bytes(await ask(asked.SerializeToString(), timeout=60, wait_for_ready=True))
    except grpc.aio.AioRpcError as error:
        kind = TooMany if error.code() in _MORE_LATER else NotEnrolled
        raise kind(f"the collector does not enrol ({error.code().name}: {error.details()})") from error


def _accepted(
    answer: enrolment_pb2.EnrollResponse | enrolment_pb2.RenewResponse, key: ec.EllipticCurvePrivateKey
) -> Identity:
    if answer.WhichOneof("result") != "credential":
        if answer.refused.reason == common_pb2.REASON_RATE_LIMITED:
            raise TooMany(answer.refused.message)
        raise NotEnrolled(f"a simulated agent got no certificate: {answer.refused.message}")
    given = answer.credential
    return Identity(given.agent_id, given.site_id, _pem(key), given.certificate_der, tuple(given.chain_der))
