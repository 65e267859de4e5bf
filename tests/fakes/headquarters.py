"""A small headquarters on loopback: a real gRPC server with real mutual TLS, whose answers a test chooses.

It stores what it acknowledges, by epoch and number, so a test can compare what was written with what came.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_agent.link.identity import Identity
from sitewarden_protos.v1 import (
    common_pb2,
    control_pb2,
    control_pb2_grpc,
    enrolment_pb2,
    enrolment_pb2_grpc,
    intake_pb2,
    intake_pb2_grpc,
)

DAY = datetime.timedelta(days=1)
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


class Authority:
    """A root, an intermediate under it, and what it issues."""

    def __init__(self, name: str = "test vendor") -> None:
        self.root_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(f"{name} root", self.root_key, issuer=None, ca=True)
        self.intermediate = self._sign(f"{name} intermediate", self.key, issuer=(self.root, self.root_key), ca=True)

    @property
    def root_pem(self) -> str:
        return self.root.public_bytes(PEM).decode()

    @property
    def root_sha256(self) -> str:
        return hashlib.sha256(self.root.public_bytes(DER)).hexdigest()

    def server(self, *, name: str = "localhost") -> tuple[bytes, bytes]:
        """Key and chain (leaf, intermediate, root) as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        leaf = self._sign(name, key, issuer=(self.intermediate, self.key), names=names)
        return _key_pem(key), b"".join(each.public_bytes(PEM) for each in (leaf, self.intermediate, self.root))

    def leaf(
        self, public_key: Any, *, begins: datetime.timedelta = -DAY, ends: datetime.timedelta = 30 * DAY
    ) -> x509.Certificate:
        issuer = (self.intermediate, self.key)
        return self._sign("agent", None, public_key=public_key, issuer=issuer, begins=begins, ends=ends)

    def identity(
        self, *endpoints: str, begins: datetime.timedelta = -DAY, ends: datetime.timedelta = 30 * DAY
    ) -> Identity:
        """An agent as it is after enrolment."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self.leaf(key.public_key(), begins=begins, ends=ends)
        return Identity(
            agent_id="agent-1",
            site_id="site-1",
            site_name="Acme Hamburg",
            endpoints=endpoints,
            enrolment_endpoints=endpoints,
            serial=f"{leaf.serial_number:x}",
            not_before_ns=int(leaf.not_valid_before_utc.timestamp()) * 10**9,
            not_after_ns=int(leaf.not_valid_after_utc.timestamp()) * 10**9,
            key_pem=_key_pem(key).decode(),
            chain_pem="".join(each.public_bytes(PEM).decode() for each in (leaf, self.intermediate)),
            root_pem=self.root_pem,
        )

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey | None,
        *,
        issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
        public_key: Any = None,
        names: list[x509.GeneralName] | None = None,
        ca: bool = False,
        begins: datetime.timedelta = -DAY,
        ends: datetime.timedelta = 30 * DAY,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        public = public_key if key is None else key.public_key()
        signer = key if issuer is None else issuer[1]
        assert signer is not None
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer[0].subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def refusal(reason: str, *, retry: bool = True, after_ms: int = 0, message: str = "") -> common_pb2.Refusal:
    return common_pb2.Refusal(
        reason=common_pb2.Reason.Value(f"REASON_{reason}"),
        message=message or reason.lower(),
        retry=retry,
        retry_after_ms=after_ms,
        keep_credential=True,
    )


@dataclass
class Headquarters(intake_pb2_grpc.IntakeServiceServicer, control_pb2_grpc.ControlServiceServicer):
    """Stores batches in order. A test sets `answer` to choose what is said to a batch."""

    authority: Authority
    credits: int = 8
    heartbeat_ms: int = 0
    clock_ns: Callable[[], int] = lambda: 1_800_000_000 * 10**9
    answer: Callable[[intake_pb2.Batch], intake_pb2.UploadResponse | None] | None = None
    """For a batch: what to say instead of storing it; None to store it."""
    at_hello: Callable[[intake_pb2.UploadHello], common_pb2.Refusal | None] | None = None
    stored: dict[str, dict[int, bytes]] = field(default_factory=dict)
    hellos: list[intake_pb2.UploadHello] = field(default_factory=list)
    batches: list[intake_pb2.Batch] = field(default_factory=list)
    """All that came, in order, also what was refused or repeated."""
    heartbeats: list[control_pb2.Heartbeat] = field(default_factory=list)
    goodbyes: list[str] = field(default_factory=list)
    controls: list[asyncio.Queue[control_pb2.ControlResponse]] = field(default_factory=list)
    answer_heartbeats: bool = True
    port: int = 0
    _server: Any = None

    async def start(self, *, port: int = 0) -> Headquarters:
        key, chain = self.authority.server()
        credentials = grpc.ssl_server_credentials(
            [(key, chain)], root_certificates=self.authority.root_pem.encode(), require_client_auth=True
        )
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        intake_pb2_grpc.add_IntakeServiceServicer_to_server(self, self._server)
        control_pb2_grpc.add_ControlServiceServicer_to_server(self, self._server)
        self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await self._server.start()
        return self

    async def stop(self) -> None:
        await self._server.stop(0)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def bodies(self, epoch: str | None = None) -> list[bytes]:
        """What is stored, in the order of its numbers; of the only epoch, or of one."""
        chosen = self.stored[epoch] if epoch else next(iter(self.stored.values()), {})
        return [chosen[seq] for seq in sorted(chosen)]

    def last(self, epoch: str) -> int:
        return max(self.stored.get(epoch, {}), default=0)

    def forget(self, after_seq: int) -> None:
        """As if restored from a backup."""
        for batches in self.stored.values():
            for seq in [seq for seq in batches if seq > after_seq]:
                del batches[seq]

    async def until(self, done: Callable[[], bool], *, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not done():  # noqa: ASYNC110  what is waited for is another process's state
                await asyncio.sleep(0.005)

    def say(self, response: control_pb2.ControlResponse) -> None:
        """To every agent that is connected."""
        for queue in self.controls:
            queue.put_nowait(response)

    def time(self) -> common_pb2.ServerTime:
        return common_pb2.ServerTime(unix_ns=self.clock_ns())

    # The services.

    async def Upload(self, request_iterator: AsyncIterator[intake_pb2.UploadRequest], context: Any) -> Any:
        epoch, passed = "", 0
        async for request in request_iterator:
            if request.WhichOneof("step") == "hello":
                self.hellos.append(request.hello)
                epoch = request.hello.epoch.hex()
                no = self.at_hello(request.hello) if self.at_hello else None
                if no is not None:
                    yield intake_pb2.UploadResponse(server_time=self.time(), closing=no)
                    return
                passed = self.last(epoch)
                yield intake_pb2.UploadResponse(
                    server_time=self.time(),
                    welcome=intake_pb2.UploadWelcome(
                        last_stored_seq=passed,
                        credits=self.credits,
                        pacing=common_pb2.Pacing(heartbeat_ms=self.heartbeat_ms),
                    ),
                )
                continue
            batch = request.batch
            self.batches.append(batch)
            instead = self.answer(batch) if self.answer else None
            if instead is not None:
                yield instead
                if instead.WhichOneof("step") == "closing":
                    return
                passed = batch.seq
                continue
            if batch.previous_seq != passed:
                yield intake_pb2.UploadResponse(closing=refusal("OUT_OF_ORDER", message=f"expected after {passed}"))
                return
            self.stored.setdefault(epoch, {})[batch.seq] = opened(batch)
            passed = batch.seq
            yield intake_pb2.UploadResponse(
                server_time=self.time(), ack=intake_pb2.BatchAck(through_seq=batch.seq, credits=1)
            )

    async def Control(self, request_iterator: AsyncIterator[control_pb2.ControlRequest], context: Any) -> Any:
        said: asyncio.Queue[control_pb2.ControlResponse] = asyncio.Queue()
        self.controls.append(said)

        async def hear() -> None:
            async for request in request_iterator:
                match request.WhichOneof("step"):
                    case "hello":
                        welcome = control_pb2.ControlWelcome(pacing=common_pb2.Pacing(heartbeat_ms=self.heartbeat_ms))
                        said.put_nowait(control_pb2.ControlResponse(server_time=self.time(), welcome=welcome))
                    case "heartbeat":
                        self.heartbeats.append(request.heartbeat)
                        if self.answer_heartbeats:
                            said.put_nowait(
                                control_pb2.ControlResponse(
                                    server_time=self.time(), heartbeat=control_pb2.HeartbeatReply()
                                )
                            )
                    case "goodbye":
                        self.goodbyes.append(request.goodbye.why)

        hearing = asyncio.create_task(hear())
        saying = asyncio.create_task(said.get())
        try:
            while True:
                await asyncio.wait({hearing, saying}, return_when=asyncio.FIRST_COMPLETED)
                if not saying.done():
                    return  # the agent said all that it had to say
                response = saying.result()
                saying = asyncio.create_task(said.get())
                yield response
                if response.WhichOneof("step") == "closing":
                    return
        finally:
            self.controls.remove(said)
            hearing.cancel()
            saying.cancel()


def opened(batch: intake_pb2.Batch) -> bytes:
    """The body, decompressed; checks its stated size."""
    body = batch.body
    if batch.compression == intake_pb2.COMPRESSION_ZSTD:
        body = zstandard.ZstdDecompressor().decompress(body, max_output_size=batch.body_bytes)
    assert len(body) == batch.body_bytes
    return body


def notice(subject: str, *, expires_ns: int = 0, action_id: uuid.UUID | None = None) -> control_pb2.ControlResponse:
    return control_pb2.ControlResponse(
        action=control_pb2.Action(
            action_id=(action_id or uuid.uuid4()).bytes,
            expires_unix_ns=expires_ns,
            notice=control_pb2.SiteNotice(subject=subject, body="Please install.", category="patch", reference="1.2"),
        )
    )


@dataclass
class EnrolmentDesk(enrolment_pb2_grpc.EnrolmentServiceServicer):
    """The enrolment port: issues to whoever knows the secret, renews whoever signs with the old key."""

    authority: Authority
    secret: str = "open sesame"
    refuse: common_pb2.Refusal | None = None
    clock_ns: Callable[[], int] = lambda: 1_800_000_000 * 10**9
    asked: list[Any] = field(default_factory=list)
    issue_for: Any = None
    """Another public key, to play a headquarters that errs."""
    port: int = 0
    _server: Any = None

    async def start(self, *, authority: Authority | None = None) -> EnrolmentDesk:
        """`authority` shows its certificate instead, to play somebody in the middle."""
        key, chain = (authority or self.authority).server()
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        enrolment_pb2_grpc.add_EnrolmentServiceServicer_to_server(self, self._server)
        self.port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        await self._server.start()
        return self

    async def stop(self) -> None:
        await self._server.stop(0)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def Enroll(self, request: enrolment_pb2.EnrollRequest, context: Any) -> enrolment_pb2.EnrollResponse:
        self.asked.append(request)
        time = common_pb2.ServerTime(unix_ns=self.clock_ns())
        if self.refuse is not None:
            return enrolment_pb2.EnrollResponse(server_time=time, refused=self.refuse)
        if request.token_secret != self.secret:
            no = refusal("TOKEN_INVALID", retry=False)
            return enrolment_pb2.EnrollResponse(server_time=time, refused=no)
        return enrolment_pb2.EnrollResponse(server_time=time, credential=self._credential(request.csr_der))

    async def Renew(self, request: enrolment_pb2.RenewRequest, context: Any) -> enrolment_pb2.RenewResponse:
        self.asked.append(request)
        time = common_pb2.ServerTime(unix_ns=self.clock_ns())
        if self.refuse is not None:
            return enrolment_pb2.RenewResponse(server_time=time, refused=self.refuse)
        old = x509.load_der_x509_certificate(request.certificate_der).public_key()
        assert isinstance(old, ec.EllipticCurvePublicKey)
        signed = (
            b"sitewarden-renew-v1\0"
            + request.csr_der
            + request.certificate_der
            + request.agent_time_unix_ns.to_bytes(8, "big", signed=True)
        )
        old.verify(request.signature, signed, ec.ECDSA(hashes.SHA256()))
        return enrolment_pb2.RenewResponse(server_time=time, credential=self._credential(request.csr_der))

    def _credential(self, csr_der: bytes) -> enrolment_pb2.Credential:
        csr = x509.load_der_x509_csr(csr_der)
        assert csr.is_signature_valid
        leaf = self.authority.leaf(self.issue_for or csr.public_key(), begins=datetime.timedelta(0))
        return enrolment_pb2.Credential(
            certificate_der=leaf.public_bytes(DER),
            chain_der=[self.authority.intermediate.public_bytes(DER), self.authority.root.public_bytes(DER)],
            agent_id="agent-1",
            site_id="site-1",
            site_name="Acme Hamburg",
            endpoints=["collector.example:7401"],
            enrolment_endpoints=[self.endpoint],
        )
