"""One stream as its handler sees it: raw messages in, messages out, and a reason to stop that may come at any time.

Messages are bytes here, so that one that cannot be parsed is answered and not answered for by the library.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.caller import Context

HELLO_TIMEOUT_S = 30.0

M = TypeVar("M", bound=Message)


class Conversation:
    """Reads ahead one message at a time, in one task; the stream's end releases everything."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._saying = asyncio.Lock()
        self._reading: asyncio.Future[bytes | None] | None = None

    async def first(self) -> bytes | None:
        """The message that begins the conversation; raises Refused (MALFORMED) when it does not come.

        A stream without a hello is in no list that is looked at again, so it may not stay.
        """
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                return await self.next()
        except TimeoutError:
            raise Refused("MALFORMED", f"no hello within {HELLO_TIMEOUT_S:g} s") from None

    async def next(self, *others: asyncio.Future[Any]) -> bytes | None:
        """The next message; None when the agent has ended the stream. Returns b"" when one of `others` came first."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
            self._reading.add_done_callback(forget)
        await asyncio.wait({self._reading, *others}, return_when=asyncio.FIRST_COMPLETED)
        if not self._reading.done():
            return b""
        raw, self._reading = self._reading.result(), None
        return raw

    async def read(self) -> bytes | None:
        """The next message; None when the agent has ended the stream. Instead of `next`, where nothing else is waited
        for by the same task, and never cancelled: the library does not survive that."""
        if self._reading is not None:
            return await self.next()
        return await self._read()

    async def say(self, message: Message) -> None:
        """Say one thing after the other, whichever tasks say them."""
        await self.say_bytes(message.SerializeToString())

    async def say_bytes(self, *messages: bytes) -> None:
        """The same for what is serialized already, with nothing said in between."""
        async with self._saying:
            for message in messages:
                await self._context.write(message)

    async def _read(self) -> bytes | None:
        raw = await self._context.read()
        return None if raw is grpc.aio.EOF else raw  # type: ignore[comparison-overlap]


def parse(kind: type[M], raw: bytes) -> M:
    """The message in `raw`; raises Refused (MALFORMED)."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise Refused("MALFORMED", f"not a {kind.DESCRIPTOR.name} ({error})") from error


def forget(reading: asyncio.Future[Any]) -> None:
    """A stream that ended while we were waiting for it has told us so in another way."""
    if not reading.cancelled():
        reading.exception()
