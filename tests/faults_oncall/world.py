"""A desk that everything goes wrong at: tickets, a sender that is killed, channels that die, a clock that jumps.

The judge knows only what a person would: what arrived on whose telephone, and when somebody acknowledged. Its three
laws: no page is lost, none comes after the acknowledgement, none twice to one person for one step. A notice that was
sent and not settled before a kill may come again under its own id (DESIGN, law 4): the id is how a pager knows it.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Person, Policy, Signal, SignalKind, SignalState
from sitewarden_alerting.oncall import Layer, Schedule, Unit
from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, CollectorError
from sitewarden_collector.services import notifying, paging
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import escalations, notices, people, schedules, tickets
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.escalations import Page
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ADA, BOB, MINUTE, NOON, SECOND, settle_site

CAROL = "carol"
EVERYBODY = (ADA, BOB, CAROL)
CHANNELS = ("phone", "mail")


class Killed(OSError):
    """The process died at this commit."""


@dataclass(slots=True)
class Arrival:
    at: int  # the place in the row of all that happened
    person: str
    channel: str
    notice_id: str


@dataclass(slots=True)
class World:
    """`url` is an empty database. `seed` decides everything that is left to chance."""

    url: str
    seed: int
    now: int = NOON
    arrivals: list[Arrival] = field(default_factory=list)
    dead: dict[str, str] = field(default_factory=dict)  # channel -> how it fails
    acknowledged: dict[str, int] = field(default_factory=dict)  # ticket id -> place in the row of all that happened
    paged: list[str] = field(default_factory=list)  # ids of the tickets that page
    happened: int = 0
    commits_left: int = -1  # until the process dies; below 0: it does not
    dies_after: bool = False
    kills: int = 0
    chance: random.Random = field(init=False)
    db: Database = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        if self.url.startswith("sqlite"):
            Path(self.url.removeprefix("sqlite:///")).write_bytes(_settled())
            self.db = Database(self.url, commit=self._commit)
        else:
            self.db = Database(self.url, commit=self._commit)
            tables().create_all(self.db.engine)
            self.db.write_now(_settle)

    # -- what happens ------------------------------------------------------------------------------------------------

    def open_tickets(self, number: int = 1) -> None:
        """Faults that page, decided and written as evaluation does; after a kill it decides again."""
        faults = [f"fp1:{self.seed}-{len(self.paged) + i}" for i in range(number)]
        while True:
            try:
                self.db.write_now(self._open, faults)
                break
            except (Killed, CollectorError, OSError):
                self.restart()
                if self.db.read_now(tickets.of_faults, faults[:1]):
                    break  # it was written: only the answer was lost
        self.paged += [one.id for one in self.db.read_now(tickets.of_faults, faults)]

    async def run(self, steps: int = 1) -> None:
        """Let the collector work: escalate what is due, send what is due; it is started again when it dies."""
        for _ in range(steps):
            try:
                while self.db.write_now(paging.step, now_ns=self.now):
                    pass
                await notifying.step(self.db, self.channels, lambda: self.now, jitter=lambda: 0.2)
            except (Killed, CollectorError, OSError):
                self.restart()
            if self.commits_left == 0:
                self.restart()

    def acknowledge(self, ticket_id: str) -> None:
        ticket = self.db.read_now(tickets.by_id, ticket_id)
        assert ticket is not None
        try:
            self.db.write_now(ticketing.acknowledge, ticket.number, self.chance.choice(EVERYBODY), now_ns=self.now)
        except (Killed, CollectorError, OSError):
            self.restart()
        again = self.db.read_now(tickets.by_id, ticket_id)
        if again is not None and again.acknowledged_ns is not None:
            self.acknowledged[ticket_id] = self.happened

    def restart(self) -> None:
        self.kills += 1
        self.commits_left = -1
        with contextlib.suppress(OSError):
            self.db.close()
        self.db = Database(self.url, commit=self._commit)
        self.now += round(self.chance.uniform(0, 90) * SECOND)

    def die_at(self, commits: int, *, after: bool) -> None:
        """Die before or after the commit that is so many ahead."""
        self.commits_left, self.dies_after = commits, after

    async def calm_down(self, *, minutes: int = 120) -> None:
        """All channels live again, nothing dies, the clock runs as it should: what was to be told is told."""
        self.dead.clear()
        self.commits_left = -1
        for _ in range(minutes // 5):
            self.now += 5 * MINUTE
            await self.run()

    @property
    def channels(self) -> dict[str, Line]:
        return {name: Line(name, self) for name in CHANNELS}

    # -- the judge ---------------------------------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """Every breach of the three laws."""
        return self.db.read_now(self._judge)

    def _judge(self, tx: Connection) -> list[str]:
        found = []
        told: dict[str, list[int]] = defaultdict(list)
        by_key: dict[tuple[str, str], set[str]] = defaultdict(set)
        inside = {one.notice_id: self._pages_in(tx, one) for one in self.arrivals}
        for arrival in self.arrivals:
            for page in inside[arrival.notice_id]:
                told[page.ticket_id].append(arrival.at)
                by_key[page.key, arrival.person].add(arrival.notice_id)
        for (key, person), ids in by_key.items():
            if len(ids) > 1:
                found.append(f"twice to {person} for {key}: {ids}")
        for ticket_id in self.paged:
            if ticket_id not in self.acknowledged and not told[ticket_id]:
                found.append(f"lost: {ticket_id}")
        for ticket_id, at in self.acknowledged.items():
            later = [one for one in self.arrivals if one.at > at]
            alone = [one for one in later if self._is_alone(one, inside[one.notice_id], ticket_id)]
            found += [f"after the acknowledgement of {ticket_id}: {one}" for one in alone]
        return found

    def _is_alone(self, arrival: Arrival, inside: Sequence[Page], ticket_id: str) -> bool:
        """Whether the notice paged for this ticket and for nothing that was still free."""
        mine = {page.ticket_id for page in inside}
        return ticket_id in mine and not any(
            self.acknowledged.get(one, self.happened + 1) >= arrival.at for one in mine
        )

    def _pages_in(self, tx: Connection, arrival: Arrival) -> list[Page]:
        return escalations.pages_in(tx, notices.get(tx, arrival.notice_id).page_of)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _open(self, tx: Connection, faults: Sequence[str]) -> None:
        site = settle_site(tx)
        decided: list[made.TicketDecision] = []
        for i, fault in enumerate(faults):
            signal = Signal(
                rule="errors",
                kind=SignalKind.LOG,
                site_id=site.id,
                customer_id=site.customer_id,
                fault=fault,
                subject=fault,
                state=SignalState.FIRING,
                severity=4,
                title=f"payment failed ({fault})",
                reason="an error",
                at_ns=self.now,
            )
            ticket = moves.opened(signal, ticket_id=f"new:{i}")
            decided.append(made.OpenTicket(ticket, self.now, "an error"))
            decided.append(made.Notify(ticket, self.now, "an error", "page", "page-1"))
        ticketing.apply(tx, decided, Policy(on_call=(Person(ADA, ("phone",)),)), now_ns=self.now)

    def _commit(self, tx: Connection) -> None:
        if self.commits_left > 0:
            self.commits_left -= 1
            if self.commits_left == 0:
                if self.dies_after:
                    tx.commit()
                raise Killed(5, "killed here")
        if self.commits_left == 0:
            raise Killed(5, "dead already")
        tx.commit()


class Line:
    """A channel of the world: it takes, or fails in the way that it is told to."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.deadline_s = DEADLINE_S
        self._world = world

    def send(self, notice: Notice) -> Receipt:
        world = self._world
        match world.dead.get(self.name):
            case "rejects":
                raise ChannelRejected("no")
            case "unavailable":
                raise ChannelUnavailable("busy")
            case _:
                world.happened += 1
                world.arrivals.append(Arrival(world.happened, notice.person, self.name, notice.id))
                return Receipt("taken")


@cache
def _settled() -> bytes:
    """A SQLite database with everybody and nothing that happened: making the tables takes longer than most worlds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settled.db"
        db = Database(f"sqlite:///{path}")
        tables().create_all(db.engine)
        db.write_now(_settle)
        db.close()
        return path.read_bytes()


def _settle(tx: Connection) -> None:
    settle_site(tx)
    layer = Layer("primary", EVERYBODY, "2026-11-01T09:00", unit=Unit.WEEKS)
    schedules.add(tx, Schedule("support", "Europe/Berlin", (layer,), managers=(CAROL,)), now_ns=NOON)
    for name in EVERYBODY:
        people.save(tx, Reachable(name, tuple(Road(channel) for channel in CHANNELS)))
