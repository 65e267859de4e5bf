"""A host in the raw: what an agent says to a collector, message by message, over real TLS and real gRPC.

The agent's own link is proven elsewhere; this one can also say what an agent never would.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.message import Message

from sitewarden_collector import config as configuration
from sitewarden_collector import pki
from sitewarden_collector.app import Collector
from sitewarden_collector.config import Config, DatabaseConfig, Listen
from sitewarden_collector.loops import Clock, SystemClock
from sitewarden_collector.services import enrolment
from sitewarden_protos.v1 import common_pb2, control_pb2, enrolment_pb2, intake_pb2, observation_pb2
from tests import cast

Enrolled = enrolment_pb2.EnrollResponse | enrolment_pb2.RenewResponse


def configured(folder: Path, db_url: str = "", **changes: Any) -> Config:
    """A collector's configuration on free ports, with its data in `folder`."""
    listen = Listen(streams="127.0.0.1:0", enrolment="127.0.0.1:0", http="127.0.0.1:0")
    made = Config(data_dir=str(folder), database=DatabaseConfig(url=db_url), listen=listen)
    return configuration.resolve(msgspec.structs.replace(made, **changes), folder, environment={})


class ShiftedClock(SystemClock):
    """The real clock, set forward by as much as a test wants: TLS itself believes the real one."""

    shift_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.shift_ns


@asynccontextmanager
async def headquarters(config: Config, *, clock: Clock | None = None) -> AsyncIterator[Collector]:
    """A collector that runs for as long as the context lasts."""
    collector = Collector(config, clock=clock)
    await collector.start()
    try:
        yield collector
    finally:
        await collector.stop()


async def token_for(collector: Collector, site: str = cast.ACME_BERLIN, *, lifetime_s: int = 3600) -> str:
    made = await collector.db.run(
        enrolment.create_token,
        collector.front.authority,
        site_name=site,
        customer_name=None,
        endpoints=collector.front.enrolment_endpoints,
        lifetime_s=lifetime_s,
        now_ns=collector.clock.now_ns(),
    )
    return made.text


def opened(token: str) -> dict[str, Any]:
    packed = token.removeprefix("swt1_")
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return content


class Host:
    """One machine with its key and, once enrolled, its certificate."""

    def __init__(self, collector: Collector, hostname: str = "web-1", *, machine: str = "") -> None:
        self.collector = collector
        self.hostname = hostname
        self.machine = machine or f"machine-of-{hostname}"
        self.session_id = os.urandom(16)
        self.epoch = os.urandom(16)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate_der = b""
        self.chain_der: list[bytes] = []
        self.agent_id = ""

    def session(self, **changes: Any) -> common_pb2.Session:
        said = common_pb2.Session(
            session_id=self.session_id,
            boot_id=bytes(16),
            machine_fingerprint=self.machine,
            agent_version="0.1.0",
            hostname=self.hostname,
            agent_time_unix_ns=self.collector.clock.now_ns(),
        )
        said.MergeFrom(common_pb2.Session(**changes))
        return said

    def csr_der(self, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pending")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key or self.key, hashes.SHA256())
        return csr.public_bytes(serialization.Encoding.DER)

    async def enroll(self, token: str, **changes: Any) -> enrolment_pb2.EnrollResponse:
        """Ask for a certificate; it is kept when it is granted."""
        content = opened(token)
        request = enrolment_pb2.EnrollRequest(
            token_id=content["i"], token_secret=content["s"], csr_der=self.csr_der(), session=self.session()
        )
        for field, value in changes.items():
            setattr(request, field, value)
        reply = enrolment_pb2.EnrollResponse.FromString(await self._ask("Enroll", request))
        self._keep(reply)
        return reply

    async def renew(self, **changes: Any) -> enrolment_pb2.RenewResponse:
        """Ask for a fresh certificate with a fresh key, signed with the old one; both are kept when it is granted."""
        key = ec.generate_private_key(ec.SECP256R1())
        time_ns = changes.pop("agent_time_unix_ns", self.collector.clock.now_ns())
        csr = self.csr_der(key)
        signed = pki.RENEWAL_PREFIX + csr + self.certificate_der + time_ns.to_bytes(8, "big", signed=True)
        request = enrolment_pb2.RenewRequest(
            csr_der=csr,
            certificate_der=self.certificate_der,
            signature=self.key.sign(signed, ec.ECDSA(hashes.SHA256())),
            agent_time_unix_ns=time_ns,
            session=self.session(),
        )
        for field, value in changes.items():
            setattr(request, field, value)
        reply = enrolment_pb2.RenewResponse.FromString(await self._ask("Renew", request))
        if reply.WhichOneof("result") == "credential":
            self.key = key
        self._keep(reply)
        return reply

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[Upload]:
        async with self._channel() as channel:
            yield Upload(self, channel.stream_stream("/sitewarden.v1.IntakeService/Upload")())

    @asynccontextmanager
    async def control(self) -> AsyncIterator[ControlRoad]:
        async with self._channel() as channel:
            yield ControlRoad(self, channel.stream_stream("/sitewarden.v1.ControlService/Control")())

    def twin(self) -> Host:
        """A clone of this machine: the same key, certificate and fingerprint, another process."""
        other = Host(self.collector, self.hostname, machine=self.machine)
        other.key, other.certificate_der, other.chain_der = self.key, self.certificate_der, self.chain_der
        other.agent_id = self.agent_id
        return other

    def _keep(self, reply: Enrolled) -> None:
        if reply.WhichOneof("result") == "credential":
            self.certificate_der = reply.credential.certificate_der
            self.chain_der = list(reply.credential.chain_der)
            self.agent_id = reply.credential.agent_id

    async def _ask(self, method: str, request: Message) -> bytes:
        root = pki.pem(self.collector.front.authority.root)
        credentials = grpc.ssl_channel_credentials(root_certificates=root)
        target = f"localhost:{self.collector.enrolment_port}"
        async with grpc.aio.secure_channel(target, credentials) as channel:
            ask: Any = channel.unary_unary(f"/sitewarden.v1.EnrolmentService/{method}")
            return bytes(await ask(request.SerializeToString()))

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[grpc.aio.Channel]:
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = [x509.load_der_x509_certificate(raw) for raw in (self.certificate_der, *self.chain_der)]
        credentials = grpc.ssl_channel_credentials(
            root_certificates=pki.pem(self.collector.front.authority.root),
            private_key=private,
            certificate_chain=b"".join(pki.pem(one) for one in chain),
        )
        # A channel of its own for every stream: gRPC would share the connection of an earlier identity.
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
        async with grpc.aio.secure_channel(
            f"localhost:{self.collector.streams_port}", credentials, options=options
        ) as channel:
            yield channel


class Upload:
    """The road up of one host."""

    def __init__(self, host: Host, call: Any) -> None:
        self._host = host
        self._call = call

    async def hello(self, **changes: Any) -> intake_pb2.UploadResponse:
        session = self._host.session(**changes)
        await self.say(intake_pb2.UploadRequest(hello=intake_pb2.UploadHello(session=session, epoch=self._host.epoch)))
        return await self.hear()

    async def send(self, seq: int, *texts: str, previous_seq: int | None = None) -> intake_pb2.UploadResponse:
        """A batch of log lines, and what was said to it."""
        lines = [log_line(text, wall_ns=self._host.collector.clock.now_ns()) for text in texts]
        await self.say(batch_of(seq, *lines, previous_seq=previous_seq))
        return await self.hear()

    async def say(self, message: intake_pb2.UploadRequest | bytes) -> None:
        await self._call.write(message if isinstance(message, bytes) else message.SerializeToString())

    async def hear(self) -> intake_pb2.UploadResponse:
        raw = await self._call.read()
        assert raw is not grpc.aio.EOF, "the collector has ended the stream without a word"
        return intake_pb2.UploadResponse.FromString(raw)


class ControlRoad:
    """The road down of one host."""

    def __init__(self, host: Host, call: Any) -> None:
        self._host = host
        self._call = call

    async def hello(self, **changes: Any) -> control_pb2.ControlResponse:
        session = self._host.session(**changes)
        await self.say(control_pb2.ControlRequest(hello=control_pb2.ControlHello(session=session)))
        return await self.hear()

    async def say(self, message: control_pb2.ControlRequest | bytes) -> None:
        await self._call.write(message if isinstance(message, bytes) else message.SerializeToString())

    async def hear(self) -> control_pb2.ControlResponse:
        raw = await self._call.read()
        assert raw is not grpc.aio.EOF, "the collector has ended the stream without a word"
        return control_pb2.ControlResponse.FromString(raw)


def log_line(text: str, *, wall_ns: int = cast.NOON) -> observation_pb2.Observation:
    error = observation_pb2.SEVERITY_ERROR
    log = observation_pb2.LogEvent(source="shop", file="app.log", severity=error, message=text, template=text, count=1)
    return observation_pb2.Observation(wall_unix_ns=wall_ns, boot_id=bytes(16), log=log)


def batch_of(
    seq: int, *observations: observation_pb2.Observation, previous_seq: int | None = None, **changes: Any
) -> intake_pb2.UploadRequest:
    body = intake_pb2.ObservationList(observations=observations).SerializeToString()
    batch = intake_pb2.Batch(
        seq=seq,
        previous_seq=seq - 1 if previous_seq is None else previous_seq,
        compression=intake_pb2.COMPRESSION_NONE,
        body=body,
        body_bytes=len(body),
    )
    for field, value in changes.items():
        setattr(batch, field, value)
    return intake_pb2.UploadRequest(batch=batch)
