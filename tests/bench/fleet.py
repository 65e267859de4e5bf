"""Agents of a benchmark: enrolled as real ones are, connected by mutual TLS, sending what they are told and when.

They keep neither spool nor pace: `send` is one batch, and returns when it is acknowledged. Not here: what is sent
(`alerts`, `floods`), and agents that live a life of their own (`sitewarden_collector.simulate`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import grpc

from sitewarden_collector import pki
from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import enrolment
from sitewarden_collector.simulate import identity
from sitewarden_collector.simulate.identity import OPTIONS, Identity
from sitewarden_collector.store.engine import Database
from sitewarden_protos.v1 import common_pb2, intake_pb2, observation_pb2

AT_ONCE = 8
TRIES = 120


class Agent:
    """One host of one site. Life: `connect`, any number of `send`, `close`."""

    def __init__(self, site: str, given: Identity, *, address: str, root_pem: bytes) -> None:
        self.site = site
        self.id = given.agent_id
        self._channel = grpc.aio.secure_channel(f"dns:///{address}", given.credentials(root_pem), options=OPTIONS)
        self._seq = 0
        self._turn = asyncio.Lock()

    async def connect(self) -> None:
        """Say hello on the road up."""
        self._upload = self._channel.stream_stream("/sitewarden.v1.IntakeService/Upload")()  # type: ignore[var-annotated]
        hello = intake_pb2.UploadHello(session=_session(self.site), epoch=os.urandom(16), last_sealed_seq=0)
        await self._upload.write(intake_pb2.UploadRequest(hello=hello).SerializeToString())
        await self._answer("welcome")

    async def send(self, seen: Sequence[observation_pb2.Observation]) -> int:
        """Send a batch and wait until it is acknowledged; the monotonic ns at which it was sent."""
        body = intake_pb2.ObservationList(observations=seen).SerializeToString()
        async with self._turn:
            self._seq += 1
            batch = intake_pb2.Batch(
                seq=self._seq,
                previous_seq=self._seq - 1,
                compression=intake_pb2.COMPRESSION_NONE,
                body=body,
                body_bytes=len(body),
            )
            sent_ns = time.monotonic_ns()
            await self._upload.write(intake_pb2.UploadRequest(batch=batch).SerializeToString())
            await self._answer("ack")
        return sent_ns

    async def close(self) -> None:
        await self._channel.close()

    async def _answer(self, wanted: str) -> None:
        raw = await self._upload.read()
        answer = intake_pb2.UploadResponse.FromString(raw if isinstance(raw, bytes) else b"")
        if answer.WhichOneof("step") != wanted:
            raise RuntimeError(f"{self.site}: {wanted} was expected, the collector said {answer}")


async def enrol(stage: Stage, database: Database, places: Sequence[tuple[str, str]]) -> list[Agent]:
    """An agent for each (site, customer), connected."""
    authority = database.write_now(enrolment.ensure_authority, Path(stage.folder / "collector"), now_ns=time.time_ns())
    root_pem = pki.pem(authority.root)
    enrolment_address = f"localhost:{stage.enrolment_port}"
    waiting = list(enumerate(places))
    made: dict[int, Agent] = {}
    credentials = grpc.ssl_channel_credentials(root_certificates=root_pem)
    async with grpc.aio.secure_channel(f"dns:///{enrolment_address}", credentials, options=OPTIONS) as channel:

        async def work() -> None:
            while waiting:
                number, (site, customer) = waiting.pop()
                token = await database.run(
                    enrolment.create_token,
                    authority,
                    site_name=site,
                    customer_name=customer,
                    endpoints=(enrolment_address,),
                    lifetime_s=3_600,
                    now_ns=time.time_ns(),
                )
                given = await _redeem(channel, token.text, site)
                agent = Agent(site, given, address=f"localhost:{stage.streams_port}", root_pem=root_pem)
                await agent.connect()
                made[number] = agent

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return [made[number] for number in range(len(places))]


async def _redeem(channel: grpc.aio.Channel, token: str, site: str) -> Identity:
    for left in reversed(range(TRIES)):
        try:
            return await identity.enrol(channel, token, _session(site))
        except identity.TooMany:
            if not left:
                raise
            await asyncio.sleep(0.5)
    raise AssertionError  # the last try returns or raises


def _session(site: str) -> common_pb2.Session:
    return common_pb2.Session(
        session_id=os.urandom(16),
        boot_id=bytes(16),
        machine_fingerprint=f"bench-{site}",
        agent_version="0.1.0",
        hostname=f"host-of-{site}",
        agent_time_unix_ns=time.time_ns(),
    )


def cpu_s(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
