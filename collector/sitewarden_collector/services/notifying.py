"""Telling: takes notices from the outbox, sends them, and settles what came of it.

Claim in one transaction, send outside any, settle in another. A crash between sending and settling sends again after
the lease: at least once, never not at all, and the notice's id lets a receiver tell. What went wrong decides:

    ChannelUnavailable   again after a growing, jittered delay; a page that failed `hand_on_after` times goes to the
                         person's next channel, or to the next person while this one goes on trying
    ChannelRejected      at once to the next channel or person on call
    nobody left          parked, and shown by `sitewarden notice list --state parked`

A channel that hangs holds its own few slots and nobody else's. Not here: who is told first (alerting decides that when
the notice is written), and how a service is spoken to (`channels`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting import routing
from sitewarden_alerting.model import Person
from sitewarden_alerting.reading import plain
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector import config
from sitewarden_collector.channels.base import DEADLINE_S, Channel, Notice, Receipt
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, DatabaseBusy
from sitewarden_collector.services import pages, webhooks
from sitewarden_collector.services.page_language import in_their_language
from sitewarden_collector.services.sentences import said
from sitewarden_collector.store import notices
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.notices import StoredNotice

SLOTS = 16
SLOTS_PER_CHANNEL = 4
SETTLE_TRIES = 20
SETTLE_PAUSE_S = 0.5

_log = logging.getLogger("sitewarden.notifying")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many attempts a notice gets, and after how many a page is also handed on."""

    attempts_max: int = 10
    hand_on_after: int = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, without secrets, and whether the next one must."""

    error: str
    permanent: bool


def people(on_call: Iterable[config.Person]) -> tuple[Person, ...]:
    """The on-call list of the configuration, as routing reads it."""
    return tuple(Person(person.name, tuple(person.channels)) for person in on_call)


class Sender:
    """Sends what is due. `step` may be called as often as one likes, from one task; after `stop` no more.

    `step` starts sends and does not wait for them: one slow service does not hold up the others. What is decided in
    this process may be claimed in its own transaction (`services.telling`) instead of waiting for the next step.
    """

    def __init__(
        self,
        db: Database,
        channels: Mapping[str, Channel],
        *,
        now_ns: Callable[[], int],
        worker: str,
        on_call: Sequence[Person] = (),
        patience: Patience = Patience(),
        jitter: Callable[[], float] = random.random,
        on_settled: Callable[[str, str], None] = lambda _channel, _result: None,
        footer: Callable[[StoredNotice], str] = lambda _notice: "",
        rulebook: Rulebook | None = None,
    ) -> None:
        """`on_settled(channel, result)` is told sent, retry, handed_on, overtaken or parked: for metrics, and to wake a
        loop; where `crowded`, more may be waiting. `footer(notice)` is what stands below a notice and is not kept: the
        link that acknowledges it. `rulebook` knows what faults are called in other languages."""
        self._db = db
        self._channels = channels
        self._now_ns = now_ns
        self._worker = worker
        self._on_call = tuple(on_call)
        self._patience = patience
        self._jitter = jitter
        self._on_settled = on_settled
        self._footer = footer
        self._rulebook = Rulebook() if rulebook is None else rulebook
        self._begins = True
        self.turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        # Twice the slots: a call that outlived its deadline keeps its thread until its own timeout.
        self._threads = ThreadPoolExecutor(2 * SLOTS, thread_name_prefix="channel")

    async def step(self) -> int:
        """Claim what is due and there is room for, start sending it, return how many."""
        async with self.turn:
            if self._begins and self._db.is_sqlite:
                # Exactly one collector runs on SQLite, so what is claimed now was claimed by one that is no more.
                await self._db.run(notices.release)
            self._begins = False
            if len(self._under_way) >= SLOTS:
                return 0
            taken = await self._db.run(self.claiming())
            self.begin(taken)
        return len(taken)

    def claiming(self) -> Callable[[Connection], list[StoredNotice]]:
        """What claims, in a transaction, as much as there is room for now; hold `turn` until `begin`."""
        room = 0 if self._begins else SLOTS - len(self._under_way)
        free = {name: SLOTS_PER_CHANNEL - busy for name, busy in self._busy.items()}

        def claim(tx: Connection) -> list[StoredNotice]:
            if room <= 0:
                return []
            return notices.claim(
                tx, room, self._worker, now_ns=self._now_ns(), per_channel=SLOTS_PER_CHANNEL, free=free
            )

        return claim

    def begin(self, taken: Sequence[StoredNotice]) -> None:
        """Start sending what was claimed."""
        for notice in taken:
            self._busy[notice.channel] += 1
            task = asyncio.create_task(self._deliver(notice), name=f"notice-{notice.id}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    @property
    def crowded(self) -> bool:
        """Whether something may be waiting for room only."""
        return len(self._under_way) >= SLOTS or any(busy >= SLOTS_PER_CHANNEL for busy in self._busy.values())

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def stop(self, *, grace_s: float = 20.0) -> None:
        """Let what is under way settle. What does not within `grace_s` is sent again after its lease."""
        if self._under_way:
            _, late = await asyncio.wait(set(self._under_way), timeout=grace_s)
            for task in late:
                task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, notice: StoredNotice) -> None:
        try:
            try:
                outcome: Receipt | Failure | None = await self._send(notice)
            except DatabaseBusy:
                raise
            except ChannelUnavailable as error:
                outcome = Failure(str(error), permanent=False)
            except ChannelRejected as error:
                outcome = Failure(str(error), permanent=True)
            except Exception as error:  # noqa: BLE001  a fault of ours in a channel must not stop the others
                _log.error("channel %s failed in an unforeseen way", notice.channel, exc_info=error)
                outcome = Failure(f"channel {notice.channel}: unforeseen {type(error).__name__}", permanent=False)
            if outcome is None:
                await self._db.run(notices.cancel, notice.id)
                self._on_settled(notice.channel, "overtaken")
                return
            await self._settle(notice, outcome)
        except Exception as error:  # noqa: BLE001  the lease brings the notice back
            _log.error("notice %s could not be settled; it is sent again later", notice.id, exc_info=error)
        finally:
            self._busy[notice.channel] -= 1

    async def _send(self, stored: StoredNotice) -> Receipt | None:
        channel = self._channels.get(stored.channel)
        deadline_s = DEADLINE_S if channel is None else channel.deadline_s
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._send_now, stored, channel)
        try:
            # A second more than the channel's own: its words are better than ours.
            return await asyncio.wait_for(call, deadline_s + 1.0)
        except TimeoutError as error:
            raise ChannelUnavailable(
                f"channel {stored.channel}: no answer within {deadline_s:g} s; it may have arrived"
            ) from error

    def _send_now(self, claimed: StoredNotice, channel: Channel | None) -> Receipt | None:
        """Send, on a thread of the channels; None when nobody needs it any more."""
        # An acknowledgement may have come since it was claimed: what is sent is decided now.
        found = self._db.read_now(_as_wanted, claimed, self._rulebook)
        if found is None:
            return None
        stored, language = found
        if channel is None:
            raise ChannelRejected(
                f"channel {stored.channel} is not in the configuration: add [channels.{stored.channel}], then "
                f"`sitewarden notice retry {stored.id}`"
            )
        return channel.send(
            Notice(
                id=stored.id,
                kind=stored.kind,
                urgency=stored.urgency,
                person=stored.person,
                # Parts of both were written by programs at sites: no forged lines of mail, no control of a screen.
                subject=plain.line(stored.subject),
                body=plain.lines(stored.body) + said(self._footer(stored), language),
                created_ns=stored.created_ns,
                address=stored.address,
            )
        )

    async def _settle(self, notice: StoredNotice, outcome: Receipt | Failure) -> None:
        jitter = self._jitter()
        # Told but not settled means told twice: worth some patience with a busy database.
        for tries_left in reversed(range(SETTLE_TRIES)):
            try:
                result = await self._db.run(
                    settle,
                    notice,
                    outcome,
                    on_call=self._on_call,
                    patience=self._patience,
                    jitter=jitter,
                    now_ns=self._now_ns(),
                )
                break
            except DatabaseBusy:
                if not tries_left:
                    raise
                await asyncio.sleep(SETTLE_PAUSE_S)
        words = {"notice_id": notice.id, "channel": notice.channel, "attempt": notice.attempts, "result": result}
        level = logging.INFO if result == "sent" else logging.WARNING
        detail = outcome.detail if isinstance(outcome, Receipt) else outcome.error
        _log.log(level, "notice for %s by %s: %s (%s)", notice.person, notice.channel, result, detail, extra=words)
        self._on_settled(notice.channel, result)


async def step(
    db: Database,
    channels: Mapping[str, Channel],
    now_ns: Callable[[], int],
    *,
    worker: str = "step",
    on_call: Sequence[Person] = (),
    patience: Patience = Patience(),
    jitter: Callable[[], float] = random.random,
    footer: Callable[[StoredNotice], str] = lambda _notice: "",
    rulebook: Rulebook | None = None,
) -> int:
    """One round of a Sender, waited for: what is due is sent and settled when this returns. Returns how many."""
    sender = Sender(
        db,
        channels,
        now_ns=now_ns,
        worker=worker,
        on_call=on_call,
        patience=patience,
        jitter=jitter,
        footer=footer,
        rulebook=rulebook,
    )
    try:
        taken = await sender.step()
        await sender.idle()
    finally:
        await sender.stop()
    return taken


def _as_wanted(tx: Connection, claimed: StoredNotice, rulebook: Rulebook) -> tuple[StoredNotice, str] | None:
    """The notice as its person is to read it now, and in which language; None when nobody needs it any more."""
    current = pages.before_sending(tx, claimed)
    return None if current is None else in_their_language(tx, current, rulebook)


def settle(
    tx: Connection,
    notice: StoredNotice,
    outcome: Receipt | Failure,
    *,
    on_call: Sequence[Person],
    patience: Patience,
    jitter: float,
    now_ns: int,
) -> str:
    """Write what follows an attempt and say what that was: sent, retry, handed_on, parked, or overtaken when the
    notice was cancelled or settled by somebody else meanwhile."""
    if isinstance(outcome, Receipt):
        if not notices.settle_sent(tx, notice, now_ns=now_ns):
            return "overtaken"
        if notice.kind == "page":
            _announce(tx, notice, now_ns=now_ns)
        return "sent"
    given_up = outcome.permanent or notice.attempts >= patience.attempts_max
    tired = notice.kind == "page" and notice.attempts >= patience.hand_on_after
    handed_on = notice.handed_to is not None
    if (given_up or tired) and not handed_on:
        taker = pages.hand_on(tx, notice, tuple(on_call), now_ns=now_ns)
        handed_on = bool(taker)
        # The same person by another channel: to go on trying here as well would tell them twice.
        given_up = given_up or taker == notice.person
    if not given_up:
        again_ns = routing.retry_at(notice.attempts, now_ns=now_ns, jitter=jitter)
        settled = notices.settle_retry(tx, notice, error=outcome.error, next_attempt_ns=again_ns)
        return "retry" if settled else "overtaken"
    if handed_on:
        return "handed_on" if notices.settle_failed(tx, notice, error=outcome.error) else "overtaken"
    return "parked" if notices.settle_parked(tx, notice, error=outcome.error) else "overtaken"


def _announce(tx: Connection, notice: StoredNotice, *, now_ns: int) -> None:
    ids = pages.tickets_in(tx, notice)
    data = {"person": notice.person, "channel": notice.channel, "notice": notice.id, "ticket_ids": ids}
    webhooks.announce(tx, "oncall.page_sent", data, ref=notice.id, ours_only=True, occasion=notice.id, now_ns=now_ns)
