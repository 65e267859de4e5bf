"""The agents of the benchmark of ingestion, in a process of their own, whose processor is not counted.

`python -m tests.bench.ingest_fleet FILE ADDRESS` reads identities and finished messages from FILE, connects everybody
by mutual TLS and says `ready`; on `go` each sends its messages in order, as many under way as the collector gives
credits for, and a line of JSON says how it went. It stays connected until `end`.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from sitewarden_collector.simulate.identity import OPTIONS, Identity
from sitewarden_protos.v1 import common_pb2, intake_pb2


@dataclass(slots=True)
class Host:
    """One agent with all that it is going to send, numbered 1, 2, 3 ..."""

    identity: Identity
    machine: str
    epoch: bytes
    messages: list[bytes]
    ack_ms: list[float] = field(default_factory=list)

    def hello(self) -> bytes:
        session = common_pb2.Session(
            session_id=self.epoch,
            boot_id=bytes(16),
            machine_fingerprint=self.machine,
            agent_version="0.1.0",
            hostname=self.machine,
            agent_time_unix_ns=time.time_ns(),
        )
        hello = intake_pb2.UploadHello(session=session, epoch=self.epoch)
        return intake_pb2.UploadRequest(hello=hello).SerializeToString()

    async def send(self, call: Any, credits: int) -> None:
        """Everything, until it is acknowledged."""
        waiting: deque[tuple[int, float]] = deque()
        sent = through = 0
        while through < len(self.messages):
            while credits and sent < len(self.messages):
                waiting.append((sent + 1, time.monotonic()))
                await call.write(self.messages[sent])
                sent, credits = sent + 1, credits - 1
            answer = intake_pb2.UploadResponse.FromString(await call.read())
            if answer.WhichOneof("step") != "ack":
                raise RuntimeError(f"the collector says {answer}")
            through, credits = answer.ack.through_seq, credits + answer.ack.credits
            now_s = time.monotonic()
            while waiting and waiting[0][0] <= through:
                self.ack_ms.append((now_s - waiting.popleft()[1]) * 1000)


async def run(file: Path, address: str) -> None:
    root_pem, hosts = pickle.loads(file.read_bytes())
    at_once = asyncio.Semaphore(20)
    calls: list[tuple[Any, int]] = []

    async def connect(host: Host) -> tuple[Any, int]:
        async with at_once:
            channel = grpc.aio.secure_channel(address, host.identity.credentials(root_pem), options=OPTIONS)
            call: Any = channel.stream_stream("/sitewarden.v1.IntakeService/Upload")()
            await call.write(host.hello())
            answer = intake_pb2.UploadResponse.FromString(await call.read())
            if answer.WhichOneof("step") != "welcome":
                raise RuntimeError(f"the collector says {answer}")
            return call, answer.welcome.credits

    calls = await asyncio.gather(*(connect(host) for host in hosts))
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began_s = time.monotonic()
    await asyncio.gather(*(host.send(*call) for host, call in zip(hosts, calls, strict=True)))
    took_s = time.monotonic() - began_s
    print(json.dumps({"took_s": took_s, "ack_ms": sorted(ms for host in hosts for ms in host.ack_ms)}), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    # What was pickled names this module, not the name under which it runs.
    from tests.bench import ingest_fleet

    grpc.aio.init_grpc_aio()
    asyncio.run(ingest_fleet.run(Path(sys.argv[1]), sys.argv[2]))
