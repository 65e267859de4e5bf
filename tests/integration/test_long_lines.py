"""A line on which an answer takes long: a stream is not held to what HTTP/2 lets go without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from sitewarden_agent.link import channel
from sitewarden_collector.config import Config
from sitewarden_collector.grpc_api import server

PIECE = bytes(50_000)
PIECES = 8  # as many as an agent has credits; together six times what HTTP/2 lets go without an answer


class Line:
    """A TCP proxy. When an end is `muted`, nothing that it says arrives any more, as if it were very far away: what the
    other end goes on to send is all that it would have under way."""

    def __init__(self) -> None:
        self.muted: str | None = None
        self.passed = {"agent": 0, "headquarters": 0}
        self.moved = asyncio.Event()

    @asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[int]:
        pumps: list[asyncio.Task[None]] = []

        async def accept(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            far, forth = await asyncio.open_connection("127.0.0.1", port)
            pumps.append(asyncio.create_task(self._pump(near, forth, "agent")))
            pumps.append(asyncio.create_task(self._pump(far, back, "headquarters")))

        listening = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
            for one in pumps:
                one.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: str) -> None:
        try:
            while data := await reader.read(65_536):
                self.passed[end] += len(data)
                self.moved.set()
                if end != self.muted:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass  # the other end is gone
        finally:
            writer.close()


@pytest.mark.parametrize("sender", ["agent", "headquarters"])
async def test_all_that_credits_allow_is_under_way_at_once(sender: str) -> None:
    line, muted = Line(), asyncio.Event()

    async def serve(requests: Any, context: Any) -> None:
        await context.write(b"welcome")
        await muted.wait()
        if sender == "headquarters":
            await _say_all(context)
        while await context.read() is not grpc.aio.EOF:
            pass

    headquarters = grpc.aio.server(options=server._stream_options(Config()))
    method: Any = grpc.stream_stream_rpc_method_handler(serve)
    headquarters.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a", {"b": method}),))
    port = headquarters.add_insecure_port("127.0.0.1:0")
    await headquarters.start()
    try:
        async with line.to(port) as far:
            agent = grpc.aio.insecure_channel(f"127.0.0.1:{far}", options=channel.options(proxy=None))
            call: Any = agent.stream_stream("/a/b")()
            assert await call.read() == b"welcome"
            line.muted = "agent" if sender == "headquarters" else "headquarters"
            muted.set()
            talking = asyncio.create_task(_say_all(call) if sender == "agent" else _hear_all(call))
            try:
                async with asyncio.timeout(10):
                    while line.passed[sender] < PIECES * len(PIECE):
                        await line.moved.wait()
                        line.moved.clear()
            finally:
                talking.cancel()
                await asyncio.wait([talking])
                call.cancel()
                await agent.close()
    finally:
        await headquarters.stop(5)


async def _say_all(stream: Any) -> None:
    for _ in range(PIECES):
        await stream.write(PIECE)


async def _hear_all(call: Any) -> None:
    for _ in range(PIECES):
        await call.read()
