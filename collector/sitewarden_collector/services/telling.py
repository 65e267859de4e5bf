"""From a decision to whoever is to be told of it, without a wait: what a transaction wrote is claimed in it.

A message is a row before it is sent, as ever (DESIGN, law 4); that it is claimed in the transaction that wrote it
spares a second commit and the way there. Where there is no room for more, it waits for the sender's own step. Not
here: sending (`services.notifying`, `services.webhook_sending`), and what is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from sitewarden_collector.store import outboxes
from sitewarden_collector.store.engine import Database, Service

P = ParamSpec("P")
T = TypeVar("T")


class Sending(Protocol):
    """A sender of messages that rest in a table. `turn` is held from `claiming` to `begin`: room is promised once."""

    turn: asyncio.Lock

    def claiming(self) -> Callable[[Connection], Sequence[Any]]:
        """What claims, in a transaction, as much as there is room for now."""

    def begin(self, taken: Sequence[Any]) -> None:
        """Start sending what was claimed, whose transaction has ended well. What there was no room for is looked for
        when something has gone out."""


class Telling:
    """Runs what decides. One for all that decides in this process."""

    def __init__(self, db: Database, senders: Sequence[Sending]) -> None:
        self._db = db
        self._senders = tuple(senders)

    async def run_alone(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`Database.run_alone`, and what was written to be told is under way when it returns."""
        async with AsyncExitStack() as turns:
            for sender in self._senders:
                await turns.enter_async_context(sender.turn)
            claims = [sender.claiming() for sender in self._senders]

            def decide(tx: Connection) -> tuple[T, list[Sequence[Any]]]:
                made = service(tx, *args, **kwargs)
                return made, [claim(tx) for claim in claims] if outboxes.noted(tx) else []

            made, taken = await self._db.run_alone(decide)
            for sender, some in zip(self._senders, taken, strict=False):
                sender.begin(some)
        if taken:
            await asyncio.sleep(0)  # what was begun goes first, before the caller decides again
        return made
