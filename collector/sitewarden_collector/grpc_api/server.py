"""The two gRPC servers: streams under mutual TLS, enrolment under server-authenticated TLS.

The server's certificate is made at start for the advertised names; `refresh` replaces it in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from sitewarden_collector import pki
from sitewarden_collector.config import Config, split_address
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.grpc_api.control import Control
from sitewarden_collector.grpc_api.enrolment import Enrolment
from sitewarden_collector.grpc_api.front import Front
from sitewarden_collector.grpc_api.intake import Intake

ENROLMENT_MAX_BYTES = 65_536
if TYPE_CHECKING:
    Methods = dict[str, grpc.RpcMethodHandler[bytes, bytes]]

# What measuring is for is said instead: how much of a stream may be under way before we have answered. With 64 KB, as
# HTTP/2 has it, batches of 50 KB came to 480 KB/s over 200 ms there and back. This is half a second of what an agent
# may send (`limits.bytes_per_s`), and takes no memory until it is sent and not read.
UNDER_WAY_MAX_BYTES = 512 * 1024
_DAY_NS = 86_400 * 1_000_000_000

# With the library's defaults a third of 5,000 connections that came at once was refused by the server itself.
_ADMISSION = (
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
)
# The library measures a line with a ping behind what comes in. Where little comes at a time, as a heartbeat, that is a
# quarter of its work.
_UNMEASURED = (("grpc.http2.bdp_probe", 0),)
_COMMON = (*_ADMISSION, *_UNMEASURED, ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000))


class GrpcServers:
    """Both servers. `start` once, `stop` once; the ports are known in between. Those that are `shared` are the ports of
    other processes too, and connections come to any of them."""

    def __init__(self, front: Front, *, shared: bool = False) -> None:
        self._front = front
        self._sharing = (("grpc.so_reuseport", int(shared)),)
        self.control = Control(front)
        self._servers: list[grpc.aio.Server] = []
        self._renew_ns = 0
        self.streams_port = 0
        self.enrolment_port = 0

    async def start(self) -> None:
        """Listen on both addresses; raises ConfigError when one cannot be had."""
        grpc.aio.init_grpc_aio()  # held for the life of the process: collecting its last object elsewhere can deadlock
        front, config = self._front, self._front.config
        intake, enrolment = Intake(front), Enrolment(front)
        streams = grpc.aio.server(options=_stream_options(config) + self._sharing)
        streams.add_generic_rpc_handlers(
            (
                _handlers("IntakeService", {"Upload": grpc.stream_stream_rpc_method_handler(intake.upload)}),
                _handlers("ControlService", {"Control": grpc.stream_stream_rpc_method_handler(self.control.control)}),
            )
        )
        enrolments = grpc.aio.server(options=_enrolment_options() + self._sharing)
        methods: Methods = {
            "Enroll": grpc.unary_unary_rpc_method_handler(enrolment.enroll),
            "Renew": grpc.unary_unary_rpc_method_handler(enrolment.renew),
        }
        enrolments.add_generic_rpc_handlers((_handlers("EnrolmentService", methods),))
        pair = self._certificate()
        agents_only = grpc.ssl_server_credentials([pair], pki.pem(front.authority.root), require_client_auth=True)
        anybody = grpc.ssl_server_credentials([pair])
        listen, advertised = config.listen, config.advertise
        self.streams_port = _bind(streams, listen.streams, "listen.streams", agents_only, again=self.streams_port)
        self.enrolment_port = _bind(
            enrolments, listen.enrolment, "listen.enrolment", anybody, again=self.enrolment_port
        )
        front.streams_endpoints = _endpoints(advertised.names, advertised.streams_port or self.streams_port)
        front.enrolment_endpoints = _endpoints(advertised.names, advertised.enrolment_port or self.enrolment_port)
        front.draining = False
        for server in (streams, enrolments):
            await server.start()
            self._servers.append(server)

    async def refresh(self) -> None:
        """Come up again with a fresh certificate when two thirds of its life are over; agents come back by themselves.

        Done by a new server, because the library's way to change a certificate under way is not safe: handshakes that
        met the change have ended the process by a segmentation fault (grpcio 1.85.1).
        """
        if self._servers and self._front.clock.now_ns() >= self._renew_ns:
            await self.stop()
            await self.start()

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Send every agent away with a time to come back, then close."""
        self._front.draining = True
        limits = self._front.config.limits
        self._front.live.drain(limits.drain_window_s, per_s=limits.connects_per_s)
        for server in reversed(self._servers):
            await server.stop(grace_s)
        self._servers.clear()

    def _certificate(self) -> tuple[bytes, bytes]:
        front, now_ns = self._front, self._front.clock.now_ns()
        days = front.config.pki.server_certificate_days
        self._renew_ns = now_ns + int(days * _DAY_NS * 2 / 3)
        return pki.server_certificate(front.authority, front.config.advertise.names, days=days, now_ns=now_ns)


def _stream_options(config: Config) -> tuple[tuple[str, int], ...]:
    return (
        *_COMMON,
        # Twice what is allowed: a batch that is a little too large is refused by its number and not by the library.
        ("grpc.max_receive_message_length", 2 * config.limits.max_batch_bytes),
        ("grpc.max_send_message_length", 4 * 1024 * 1024),
        ("grpc.http2.lookahead_bytes", UNDER_WAY_MAX_BYTES),
        # Agents have two, and a third while one begins anew. What nobody reads of each is held here.
        ("grpc.max_concurrent_streams", 4),
        ("grpc.max_connection_idle_ms", 300_000),  # without a stream nobody is here
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
    )


def _enrolment_options() -> tuple[tuple[str, int], ...]:
    return (
        *_COMMON,
        ("grpc.max_receive_message_length", ENROLMENT_MAX_BYTES),
        ("grpc.max_concurrent_streams", 4),
        ("grpc.max_connection_age_ms", 60_000),
        ("grpc.max_connection_idle_ms", 30_000),
    )


def _handlers(service: str, methods: Methods) -> grpc.GenericRpcHandler:
    # No serializers: the handlers see bytes, so that what cannot be parsed gets a clear answer.
    return grpc.method_handlers_generic_handler(f"sitewarden.v1.{service}", methods)


def _bind(server: grpc.aio.Server, address: str, key: str, credentials: grpc.ServerCredentials, *, again: int) -> int:
    """Listen; `again` is the port that a free one (0) came to be the time before."""
    host, port = split_address(address, key)
    port = port or again
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_secure_port(shown, credentials)
    except RuntimeError as error:
        raise ConfigError(f"{key}: cannot listen on {shown}; is the port taken? Choose another ({error})") from error
    if not bound:
        raise ConfigError(f"{key}: cannot listen on {shown}; is the port taken? Choose another")
    return bound


def _endpoints(names: Sequence[str], port: int) -> tuple[str, ...]:
    return tuple(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names)
