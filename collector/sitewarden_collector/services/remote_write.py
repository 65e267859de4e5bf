"""Samples on their way to a remote store (Prometheus's remote write): every one that is stored is sent at least once.

One round reads some blocks in one snapshot, sends them outside of any transaction, and moves the cursors in another
(`store.export_cursors`). What the store cannot take now waits and is tried again; a crash between sending and moving
sends again. What it refuses for good is sent once more in halves, in order, so that one bad sample takes no good one
with it, and is then counted as given up. Of one agent older samples go before newer ones, for Prometheus takes them in
no other order. One collector sends at a time. Not here: names of series (`remote_names`), the wire
(`channels.remote_wire`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.observations import Series
from sitewarden_collector.channels import remote_wire
from sitewarden_collector.channels.remote_store import RemoteStore
from sitewarden_collector.config import RemoteWrite
from sitewarden_collector.errors import ChannelUnavailable
from sitewarden_collector.services import remote_names
from sitewarden_collector.store import export_cursors, matrices, remote_places, samples
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.export_cursors import Owed, Spool, Stretch
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.remote_places import Place
from sitewarden_protos.blocks import BlockError

BLOCKS_PER_ROUND = 128
SPOOLS_PER_ROUND = 128
BLOCKS_PER_TURN = 10  # of one spool: a store may take nothing that is an hour older than the newest of anybody
OWED_PER_ROUND = 2  # an hour holds sixty times as much
PLAN_MAX = 100_000  # spools, and hours that are owed
CUTS_PER_ROUND = 60  # of single blocks, to find what of them was refused; between blocks requests are always parted
LEASE_S = 60.0
NOTE_INTERVAL_S = 10.0  # how often it is written down that nothing waits
LABELS_KEPT = 2_000  # schemas

_log = logging.getLogger("sitewarden.export")


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What one round sends, in order: blocks with their series and place. `taken`: how much of the plan it is."""

    stretches: list[tuple[Stretch, Place, tuple[Series, ...]]]
    moves: list[tuple[Spool, int]]
    paid: list[Owed]
    taken: int
    left: list[Spool] = field(default_factory=list)
    """Spools of which more is to be sent than what had its turn."""
    lost: int = 0
    overtaken: bool = False
    """Whether something owed came up that goes first: nothing is sent by this plan any more."""


@dataclass(slots=True)
class Tally:
    """What became of a round's samples. `cuts`: how often a block may still be cut in two."""

    sent: int = 0
    refused: int = 0
    lost: int = 0
    why: str = ""
    cuts: int = CUTS_PER_ROUND
    is_right_place: bool = False  # the store took a request


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples of one agent that can be cut in two by time: the labels of each series, milliseconds, series x ticks."""

    labelled: Sequence[bytes]
    times_ms: Times
    values: Matrix

    def halves(self) -> tuple[Piece, Piece] | None:
        ticks, series = len(self.times_ms), len(self.labelled)
        if ticks > 1:
            cut = ticks // 2
            first = Piece(self.labelled, self.times_ms[:cut], self.values[:, :cut])
            return first, Piece(self.labelled, self.times_ms[cut:], self.values[:, cut:])
        if series > 1:
            cut = series // 2
            first = Piece(self.labelled[:cut], self.times_ms, self.values[:cut])
            return first, Piece(self.labelled[cut:], self.times_ms, self.values[cut:])
        return None


@dataclass(slots=True)
class _Plan:
    """What was there to send at one moment."""

    made_ns: int = 0
    owed: deque[Owed] = field(default_factory=deque)
    spools: deque[Spool] = field(default_factory=deque)
    whole: bool = False  # sending it sends all that had arrived by then

    def __bool__(self) -> bool:
        return bool(self.owed or self.spools)


class Exporter:
    """Sends samples. `step` is called again and again from one task; after `stop` no more."""

    def __init__(self, db: Database, config: RemoteWrite, *, now_ns: Callable[[], int]) -> None:
        """Raises ConfigError."""
        self._db = db
        self._config = config
        self._now_ns = now_ns
        self._store = RemoteStore(config)
        self._worker = f"{socket.gethostname()[:150]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._plan = _Plan()
        self._labels: dict[tuple[object, ...], list[bytes]] = {}
        self._held_until_ns = self._noted_ns = self._wait_until_ns = 0

    async def step(self) -> int:
        """Send some of what waits; whether more of what waited is left. What came meanwhile is left for the next look:
        so requests are few and large. Raises ChannelUnavailable when the store takes nothing now."""
        now_ns = self._now_ns()
        if now_ns < self._wait_until_ns:
            return 0
        if not self._plan:
            self._plan = await self._db.read(plan, now_ns=now_ns)
        if not self._plan:
            return await self._nothing_waits(now_ns)
        if not await self._hold():
            self._plan = _Plan()
            return 0
        plan_now = self._plan
        load = await self._db.read(gather, list(plan_now.owed)[:OWED_PER_ROUND], _first(plan_now.spools))
        if load.overtaken:
            self._plan = _Plan()
            return 1
        tally = Tally(lost=load.lost)
        try:
            await self._send(load, tally)
        except ChannelUnavailable as error:
            self._plan = _Plan()
            await self._db.run(export_cursors.failed, str(error))
            raise
        waiting = plan_now.owed or plan_now.spools
        for _ in range(load.taken):
            waiting.popleft()
        plan_now.spools += load.left
        complete_ns = plan_now.made_ns if plan_now.whole and not plan_now else 0
        await self._db.run_alone(settle, load, tally, complete_ns=complete_ns, now_ns=self._now_ns())
        if tally.refused or tally.lost:
            _log.warning("%d samples refused, %d lost: %s", tally.refused, tally.lost, tally.why)
        return int(bool(plan_now) or not plan_now.whole)

    async def stop(self) -> None:
        """Let another one send."""
        await self._store.close()
        await self._db.run(export_cursors.let_go, self._worker)

    async def _nothing_waits(self, now_ns: int) -> int:
        if now_ns - self._noted_ns >= NOTE_INTERVAL_S * SECOND_NS and await self._hold():
            self._noted_ns = now_ns
            await self._db.run(export_cursors.count, complete_ns=now_ns, now_ns=now_ns)
        return 0

    async def _hold(self) -> bool:
        """Be the one who sends, for at least as long as one request takes."""
        now_ns = self._now_ns()
        if self._held_until_ns - now_ns > (self._config.timeout_s + LEASE_S / 2) * SECOND_NS:
            return True
        until_ns = now_ns + round((self._config.timeout_s + LEASE_S) * SECOND_NS)
        held = await self._db.run(export_cursors.hold, self._worker, until_ns=until_ns, now_ns=now_ns)
        self._held_until_ns = until_ns if held else 0
        return held

    async def _send(self, load: Load, tally: Tally) -> None:
        gathered: list[Piece] = []
        count = 0
        for piece in self._pieces(load, tally):
            size = piece.values.size
            if gathered and count + size > self._config.samples_per_request:
                await self._request(gathered, tally)
                gathered, count = [], 0
            gathered.append(piece)
            count += size
        if gathered:
            await self._request(gathered, tally)

    async def _request(self, pieces: Sequence[Piece], tally: Tally) -> None:
        """Send these in one request; should it be refused for good, in halves."""
        body, count = await asyncio.to_thread(_body, pieces)
        if not count:
            return
        if not await self._hold():
            raise ChannelUnavailable("another collector sends samples now; this one waits")
        answer = await self._store.push(body)
        if answer.taken:
            tally.sent += count
            tally.is_right_place = True
            return
        if not answer.refused:
            self._wait_until_ns = self._now_ns() + round(answer.retry_after_s * SECOND_NS)
            raise ChannelUnavailable(self._store.refusal(answer))
        if not (answer.is_of_samples or tally.is_right_place):
            # A wrong address may answer 400 to anything: no sample is given up before an empty request is taken there.
            tally.is_right_place = (await self._store.push(remote_wire.packed(()))).taken
            if not tally.is_right_place:
                raise ChannelUnavailable(self._store.refusal(answer))
        halves = _halves(pieces, cut=tally.cuts > 0)
        if halves is None:
            tally.refused += count
            tally.why = answer.said
            return
        tally.cuts -= len(pieces) == 1
        for half in halves:
            await self._request(half, tally)

    def _pieces(self, load: Load, tally: Tally) -> Iterator[Piece]:
        """The load's samples in pieces of at most one request each."""
        for stretch, place, series in load.stretches:
            try:
                times, matrix = matrices.opened(stretch.block, series=len(series))
            except BlockError as error:
                _log.error("a block of agent %s cannot be read and is not sent: %s", stretch.agent_id, error)
                tally.lost += 1
                tally.why = str(error)
                continue
            times, matrix = matrices.in_order(times + stretch.shift_ns, matrix)
            within = times >= stretch.since_ns
            times_ms, matrix = times[within] // 1_000_000, matrix[:, within]
            labelled = self._labelled(stretch.schema_id, place, series)
            width = max(1, self._config.samples_per_request // max(1, len(series)))
            for at in range(0, len(times_ms), width):
                yield Piece(labelled, times_ms[at : at + width], matrix[:, at : at + width])

    def _labelled(self, schema_id: str, place: Place, series: tuple[Series, ...]) -> list[bytes]:
        key = (schema_id, place)
        if key not in self._labels:
            if len(self._labels) >= LABELS_KEPT:
                self._labels.clear()
            further = self._config.labels
            self._labels[key] = [remote_wire.labels(remote_names.labels(one, place, further)) for one in series]
        return self._labels[key]


def plan(tx: Connection, *, now_ns: int) -> _Plan:
    """All that waits now: what is owed first."""
    owed = export_cursors.owed_first(tx, PLAN_MAX)
    found = export_cursors.waiting(tx, PLAN_MAX)
    # Of each agent one spool at a time, the one that ended first: its samples are older.
    spools = {spool.agent_id: spool for spool in reversed(found)}
    whole = max(len(owed), len(found)) < PLAN_MAX and len(spools) == len(found)
    return _Plan(now_ns, deque(owed), deque(reversed(spools.values())), whole=whole)


def gather(tx: Connection, owed: Sequence[Owed], spools: Sequence[Spool]) -> Load:
    """The blocks of what is owed or, where nothing is, of the first spools."""
    if owed:
        hours = [(one, export_cursors.of_hour(tx, one)) for one in owed]
        lost = sum(one.samples for one, there in hours if not there)
        found = [stretch for _, there in hours for stretch in there]
        return Load(_placed(tx, found), [], list(owed), taken=len(owed), lost=lost)
    read: list[tuple[Spool, list[Stretch], int]] = []
    count = 0
    for spool in spools:
        if count >= BLOCKS_PER_ROUND:
            break
        some, to_seq = export_cursors.minutes(tx, spool, limit=BLOCKS_PER_TURN)
        read.append((spool, some, to_seq))
        count += len(some)
    # Asked after the blocks were read: what was joined before they were is owed by now, and goes first.
    if export_cursors.owing_to(tx, [spool.agent_id for spool, _, _ in read]):
        return Load([], [], [], taken=0, overtaken=True)
    left = [
        Spool(spool.agent_id, spool.epoch, to_seq, spool.last_seq)
        for spool, _, to_seq in read
        if to_seq < spool.last_seq
    ]
    found = [stretch for _, some, _ in read for stretch in some]
    return Load(_placed(tx, found), [(spool, to_seq) for spool, _, to_seq in read], [], taken=len(read), left=left)


def settle(tx: Connection, load: Load, tally: Tally, *, complete_ns: int, now_ns: int) -> None:
    """Write down that a load was sent. `complete_ns`, if any: with it all that had arrived by then was."""
    for spool, to_seq in load.moves:
        export_cursors.moved(tx, spool, to_seq)
    for one in load.paid:
        export_cursors.paid(tx, one)
    export_cursors.count(
        tx,
        sent=tally.sent,
        refused=tally.refused,
        lost=tally.lost,
        why=tally.why,
        complete_ns=complete_ns,
        now_ns=now_ns,
    )


def _placed(tx: Connection, found: Sequence[Stretch]) -> list[tuple[Stretch, Place, tuple[Series, ...]]]:
    places = remote_places.of(tx, {one.agent_id for one in found}, {one.site_id for one in found})
    schemas: dict[str, set[str]] = {}
    for one in found:
        schemas.setdefault(one.agent_id, set()).add(one.schema_id)
    told: Mapping[str, Mapping[str, tuple[Series, ...]]] = {
        agent_id: samples.series_of(tx, agent_id, ids) for agent_id, ids in schemas.items()
    }
    made = []
    for one in found:
        series = told[one.agent_id].get(one.schema_id, ())
        place = places.get((one.agent_id, one.site_id))
        if series and place:
            made.append((one, place, series))
    return made


def _first(spools: deque[Spool]) -> list[Spool]:
    return [spools[place] for place in range(min(len(spools), SPOOLS_PER_ROUND))]


def _body(pieces: Sequence[Piece]) -> tuple[bytes, int]:
    made = [remote_wire.series(piece.labelled, piece.times_ms, piece.values) for piece in pieces]
    return remote_wire.packed(part for part, _ in made), sum(count for _, count in made)


def _halves(pieces: Sequence[Piece], *, cut: bool) -> tuple[Sequence[Piece], Sequence[Piece]] | None:
    """The pieces in two parts, a single one only when it may be `cut`; None when there are no two."""
    if len(pieces) > 1:
        return pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    parts = pieces[0].halves() if cut else None
    return None if parts is None else ([parts[0]], [parts[1]])
