"""On call under whatever order of events: a course of them that hypothesis chooses, judged after each and at the end.

The model knows which tickets need somebody: they are open, and nobody has acknowledged them. A page that arrives is for
at least one that does; nobody gets two for one step; none comes while its tickets are silent; and at the end everybody
who is needed was told.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Policy, Silence, Ticket
from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import paging, silences
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import escalations, notices, tickets
from tests.cast import ADA, BOB, SECOND
from tests.faults_oncall.world import CHANNELS, World

ONE = st.integers(0, 30)  # one of the tickets that there are


class Course(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sitewarden-oncall-"))
        self.world = World(f"sqlite:///{self.folder / 'collector.db'}", 1)
        self.needing: dict[str, int] = {}  # ticket -> how many pages had arrived when it began to need somebody
        self.silent: dict[str, Silence] = {}
        self.keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.judged = 0
        self.went_back = self.was_dead = False

    # -- what happens ------------------------------------------------------------------------------------------------

    @rule(number=st.sampled_from([1, 1, 2, 5]))
    def faults_come(self, number: int) -> None:
        self.world.open_tickets(number)
        for ticket_id in self.world.paged[-number:]:
            self.needing[ticket_id] = len(self.world.arrivals)

    @precondition(lambda self: self.world.paged)
    @rule(which=ONE)
    def somebody_acknowledges(self, which: int) -> None:
        ticket = self.ticket(which)
        try:
            self.world.db.write_now(ticketing.acknowledge, ticket.number, BOB, now_ns=self.world.now)
        except Conflict:
            assert not ticket.is_open
        self.needing.pop(ticket.id, None)

    @precondition(lambda self: self.world.paged)
    @rule(which=ONE)
    def somebody_resolves(self, which: int) -> None:
        ticket = self.ticket(which)
        if ticket.is_open:
            self.world.db.write_now(ticketing.resolve, ticket.number, ADA, "restarted", now_ns=self.world.now)
        self.needing.pop(ticket.id, None)

    @precondition(lambda self: self.world.paged)
    @rule(which=ONE)
    def it_comes_back(self, which: int) -> None:
        ticket = self.ticket(which)
        if ticket.is_open or ticket.id in self.silent:  # what is silent does not come back: triage holds it
            return
        back = moves.reopened(ticket)
        told = made.Notify(back, self.world.now, "back", "page", f"page-{back.reopenings + 1}")
        reopened = made.ReopenTicket(back, self.world.now, "back")
        self.world.db.write_now(ticketing.apply, [reopened, told], Policy(), now_ns=self.world.now)
        self.needing[ticket.id] = len(self.world.arrivals)

    @precondition(lambda self: self.world.paged)
    @rule(which=ONE, minutes=st.sampled_from([3, 40]))
    def somebody_silences(self, which: int, minutes: int) -> None:
        ticket = self.ticket(which)
        if ticket.id not in self.silent:
            given: dict[str, Any] = {"fault": ticket.number, "for_s": minutes * 60, "reason": "known", "by": BOB}
            self.silent[ticket.id] = self.world.db.write_now(silences.add, **given, now_ns=self.world.now)

    @precondition(lambda self: self.silent)
    @rule(which=ONE)
    def a_silence_is_ended(self, which: int) -> None:
        ticket_id = list(self.silent)[which % len(self.silent)]
        silence = self.silent.pop(ticket_id)
        try:
            self.world.db.write_now(silences.end, silence.number, by=BOB, now_ns=self.world.now)
        except Conflict:
            assert silence.until_ns <= self.world.now

    @rule(seconds=st.sampled_from([1, 25, 70, 5 * 60, 16 * 60, 4 * 3600]))
    def time_goes_on(self, seconds: int) -> None:
        self.world.now += seconds * SECOND
        self.silent = {one: silence for one, silence in self.silent.items() if silence.until_ns > self.world.now}
        self.works()

    @rule(seconds=st.sampled_from([4, 60, 3 * 3600]))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.world.now -= seconds * SECOND
        self.went_back = True
        self.works()

    @rule(channel=st.sampled_from(CHANNELS), how=st.sampled_from(["rejects", "unavailable", "alive"]))
    def a_channel_fails_or_works(self, channel: str, how: str) -> None:
        self.world.dead[channel] = how
        self.was_dead = True

    @rule(commits=st.integers(1, 4), after=st.booleans())
    def the_collector_dies(self, commits: int, after: bool) -> None:
        self.world.die_at(commits, after=after)
        self.works()
        self.world.commits_left = -1

    @rule()
    def works(self) -> None:
        asyncio.run(self.world.run())

    # -- the judge ---------------------------------------------------------------------------------------------------

    @invariant()
    def no_page_comes_for_nothing_or_twice(self) -> None:
        arrivals = self.world.arrivals[self.judged :]
        self.judged = len(self.world.arrivals)
        for arrival in arrivals:
            notice = self.world.db.read_now(notices.get, arrival.notice_id)
            inside = self.world.db.read_now(escalations.pages_in, notice.page_of)
            needed = [page.ticket_id for page in inside if page.ticket_id in self.needing]
            assert needed, f"a page after the acknowledgement: {notice}"
            if not self.went_back:
                assert [one for one in needed if one not in self.silent], f"a page of what is silent: {notice}"
            for page in inside:
                self.keys[page.key, arrival.person].add(arrival.notice_id)
                assert len(self.keys[page.key, arrival.person]) == 1, f"twice for one step: {page}"

    def teardown(self) -> None:
        try:
            for silence in self.silent.values():
                if silence.until_ns > self.world.now:
                    self.world.db.write_now(silences.end, silence.number, by=BOB, now_ns=self.world.now)
            self.silent.clear()
            asyncio.run(self.world.calm_down(minutes=35))
            self.no_page_comes_for_nothing_or_twice()
            self.everybody_who_is_needed_was_told()
        finally:
            self.world.db.close()
            shutil.rmtree(self.folder)

    def everybody_who_is_needed_was_told(self) -> None:
        told: dict[str, int] = {}
        for at, arrival in enumerate(self.world.arrivals):
            notice = self.world.db.read_now(notices.get, arrival.notice_id)
            told |= {page.ticket_id: at for page in self.world.db.read_now(escalations.pages_in, notice.page_of)}
        for ticket_id, since in self.needing.items():
            state = self.world.db.read_now(paging.state_of, ticket_id)
            given_up = state.status == "ended" and self.was_dead  # asked as often as the policy says, and all in vain
            assert told.get(ticket_id, -1) >= since or given_up, f"lost: {ticket_id}"
            assert state.status in ("running", "ended")

    def ticket(self, which: int) -> Ticket:
        found = self.world.db.read_now(tickets.by_id, self.world.paged[which % len(self.world.paged)])
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def no_collection_of_garbage() -> Iterator[None]:
    """Hypothesis parses this file, and CPython 3.11 takes it for an error of its own when a collection of garbage that
    ends an event loop falls into that."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


TestCourse = Course.TestCase
TestCourse.settings = settings(
    max_examples=18, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
