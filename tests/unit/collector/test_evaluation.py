"""Evaluation turns stored batches into tickets, once, and nothing that fails stops the rest."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from sitewarden_alerting import rulefile, rules
from sitewarden_alerting.model import Person, Policy, Silence, TicketState
from sitewarden_alerting.observations import Outcome, What
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules import AgentSilent, LogFilter, NewFault, ProbeFailed, Rate, Rulebook, Storm
from sitewarden_collector.config import Rules
from sitewarden_collector.services import actions, evaluation, intake, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store import actions as action_store
from sitewarden_collector.store import agents, evaluations, evidence, notices, silences, spools, tickets
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from tests.cast import ACME_BERLIN, ADA, MINUTE, NOON, SECOND, batch, change, error_line, probe, settle_agent

BOOK = Rulebook(
    (
        NewFault(name="errors"),
        ProbeFailed(name="probe", severity=Severity.CRITICAL),
        Storm(name="storm", events=6, faults=6),
        AgentSilent(name="silent", after_s=60),
    )
)
POLICY = Policy(on_call=(Person(ADA, ("phone", "mail")),))


class Site:
    """One agent at acme-berlin, whose batches arrive in their order."""

    def __init__(self, db: Database, name: str = ACME_BERLIN) -> None:
        self.db = db
        self.name = name
        self.agent: Agent = db.write_now(settle_agent, site=name)
        self.seq = 0
        self.memory = Memory()

    def sends(self, *what: What | RawBlock, at: int = NOON) -> None:
        self.seq += 1
        self.db.write_now(intake.accept, self.agent.id, batch=batch(self.seq, *what, wall_ns=at), now_ns=at)

    def evaluates(self, book: Rulebook = BOOK, *, at: int = NOON, policy: Policy = POLICY) -> int:
        return self.db.write_now(evaluation.step, book, policy, now_ns=at, memory=self.memory)

    def ticks(self, at: int, book: Rulebook = BOOK) -> int:
        return self.db.write_now(evaluation.tick, book, POLICY, now_ns=at)

    @property
    def tickets(self) -> list[tickets.Listed]:
        return self.db.read_now(ticketing.listing)

    def shown(self, number: str) -> ticketing.Shown:
        return self.db.read_now(ticketing.show, number, now_ns=NOON)

    def told(self) -> list[notices.StoredNotice]:
        return self.db.read_now(notices.listing)


@pytest.fixture
def site(db: Database) -> Site:
    return Site(db)


def test_an_error_becomes_a_ticket_with_its_evidence_a_history_and_a_page(site: Site) -> None:
    site.sends(error_line())
    assert site.evaluates() == 1
    assert site.db.read_now(evaluations.parked_listing) == []
    (listed,) = site.tickets
    assert (listed.ticket.number, listed.site, listed.customer) == ("INC-1001", "acme-berlin", "acme")
    assert listed.ticket.title == "ERROR shop.payment: payment failed for order <num>"
    shown = site.shown("inc-1001")
    assert [one.text for one in shown.evidence] == ["payment failed for order <num>"]
    assert [event.what for event in shown.history] == ["open_ticket", "page"]
    (page,) = site.told()
    assert (page.kind, page.person, page.channel, page.urgency) == ("page", ADA, "phone", "high")
    assert page.subject.startswith("[INC-1001] acme-berlin: ERROR shop.payment")
    assert "sitewarden ticket ack INC-1001" in page.body


def test_what_was_evaluated_is_not_evaluated_again(site: Site) -> None:
    site.sends(error_line())
    assert site.evaluates() == 1
    assert site.evaluates() == 0
    site.sends(error_line(offset=100))
    assert site.evaluates() == 1
    assert [one.ticket.count for one in site.tickets] == [2]
    assert len(site.told()) == 1


def test_a_first_line_and_its_whole_are_one_event_of_the_wholes_fault(site: Site) -> None:
    head = error_line("Unhandled exception", part="head", fingerprint="f1:head")
    full = error_line("Unhandled exception\n  at shop.Db\nDbError: gone", part="full", fingerprint="f1:full")
    site.sends(head)
    site.evaluates()
    site.sends(full)
    site.evaluates()
    (listed,) = site.tickets
    assert (listed.ticket.fault, listed.ticket.count) == ("f1:full", 1)
    assert listed.ticket.title == "ERROR shop.payment: Unhandled exception (DbError)"
    assert [one.text for one in site.shown("INC-1001").evidence] == [full.message]


def test_the_ticket_of_a_first_line_is_merged_into_the_one_that_the_fault_has(site: Site) -> None:
    site.sends(error_line("whole", fingerprint="f1:full"))
    site.sends(error_line("line", part="head", offset=10, fingerprint="f1:head"))
    site.evaluates()
    site.sends(error_line("line and more", part="full", offset=10, fingerprint="f1:full"))
    site.evaluates()
    states = {one.ticket.number: (one.ticket.state, one.ticket.count) for one in site.tickets}
    assert states == {"INC-1001": (TicketState.NEW, 2), "INC-1002": (TicketState.CLOSED, 1)}
    assert [one.text for one in site.shown("INC-1001").evidence] == ["whole", "line and more"]
    assert site.shown("INC-1002").merged_into == "INC-1001"
    assert site.db.write_now(ticketing.acknowledge, "INC-1002", ADA, now_ns=NOON).number == "INC-1001"
    assert {one.subject[1:9]: one.state for one in site.told()} == {"INC-1001": "cancelled", "INC-1002": "cancelled"}


def test_evidence_keeps_the_first_and_the_last_and_the_count_is_exact(site: Site) -> None:
    for start in range(0, 100, 25):
        site.sends(
            *(error_line(f"event {i}", template="t", fingerprint="f1:a", offset=i) for i in range(start, start + 25))
        )
        site.evaluates()
    shown = site.shown("INC-1001")
    assert shown.ticket.count == 100
    assert [one.text for one in shown.evidence] == [f"event {i}" for i in (*range(20), *range(80, 100))]


def test_a_storm_is_one_ticket_and_one_page_for_what_is_new_in_it(site: Site) -> None:
    site.sends(*(error_line(f"fault {i}", offset=i, fingerprint=f"f1:{i}") for i in range(40)))
    site.evaluates()
    storm = [one.ticket for one in site.tickets if one.ticket.kind == "storm"]
    assert len(storm) == 1
    assert len(site.tickets) == 6
    assert sum(one.ticket.count for one in site.tickets) == 40


def test_a_first_look_at_a_log_with_a_dozen_errors_is_a_dozen_tickets(site: Site) -> None:
    site.sends(*(error_line(f"fault {i % 12}", offset=i, fingerprint=f"f1:{i % 12}") for i in range(120)))
    site.evaluates(rulepacks.load(Rules()))
    assert sorted(one.ticket.count for one in site.tickets) == [10] * 12


def test_what_was_folded_into_a_storm_gets_its_own_ticket_when_it_goes_on_afterwards(site: Site) -> None:
    book = rulepacks.load(Rules())
    storm = (error_line(f"fault {i}", offset=i, fingerprint=f"f1:{i % 60}") for i in range(180))
    site.sends(*storm)
    site.evaluates(book)
    folded = next(one.ticket for one in site.tickets if one.ticket.kind == "storm")
    own = {one.ticket.fault for one in site.tickets}
    assert "f1:59" in own, "all sixty came before the hundredth event"
    site.sends(*(error_line("new in it", offset=i, fingerprint="f1:new") for i in (200, 201)), at=NOON + SECOND)
    site.evaluates(book, at=NOON + SECOND)
    assert "f1:new" not in {one.ticket.fault for one in site.tickets}
    site.ticks(NOON + 2 * MINUTE, book)
    assert site.shown(folded.number).ticket.recovered_ns == NOON + 2 * MINUTE
    site.sends(error_line("new in it", offset=300, fingerprint="f1:new"), at=NOON + 3 * MINUTE)
    site.evaluates(book, at=NOON + 3 * MINUTE)
    (after,) = [one.ticket for one in site.tickets if one.ticket.fault == "f1:new"]
    assert (after.count, after.is_open) == (1, True)
    assert site.shown(folded.number).ticket.count == 2


def test_a_probe_that_recovers_resolves_its_ticket_and_says_so(site: Site) -> None:
    site.sends(probe(False))
    site.sends(probe(True), at=NOON + MINUTE)
    site.evaluates(at=NOON + MINUTE)
    assert [one.ticket.recovered_ns for one in site.tickets] == [NOON + MINUTE]
    site.ticks(NOON + 7 * MINUTE, Rulebook())
    assert [one.ticket.state for one in site.tickets] == [TicketState.RESOLVED]
    assert sorted((one.kind, one.state) for one in site.told()) == [("page", "cancelled"), ("recovery", "pending")]


def test_an_agent_that_falls_silent_gets_a_ticket_and_one_that_returns_resolves_it(site: Site) -> None:
    site.ticks(NOON + 30 * SECOND)
    assert site.tickets == []
    site.ticks(NOON + 2 * MINUTE)
    site.ticks(NOON + 3 * MINUTE)
    (listed,) = site.tickets
    assert listed.ticket.title == "Silent: the whole site (web-1)"
    site.db.write_now(agents.heard, {site.agent.id: NOON + 4 * MINUTE})
    site.ticks(NOON + 4 * MINUTE)
    site.db.write_now(agents.heard, {site.agent.id: NOON + 10 * MINUTE})
    site.ticks(NOON + 10 * MINUTE)
    assert [one.ticket.state for one in site.tickets] == [TicketState.RESOLVED]


def test_many_sites_that_fall_silent_at_once_are_all_listed_and_a_few_told(db: Database) -> None:
    for i in range(20):
        db.write_now(settle_agent, site=f"site-{i}")
    for later in (2 * MINUTE, 2 * MINUTE + 5 * SECOND):
        db.write_now(evaluation.tick, BOOK, POLICY, now_ns=NOON + later)
    assert len(db.read_now(ticketing.listing)) == 20
    assert Counter(one.kind for one in db.read_now(notices.listing)) == {"page": 4}  # the last two are one


def test_a_collector_that_has_just_started_gives_its_agents_time(site: Site) -> None:
    later = NOON + 60 * MINUTE
    site.db.write_now(evaluation.tick, BOOK, POLICY, now_ns=later + 30 * SECOND, started_ns=later)
    assert site.tickets == []
    site.db.write_now(evaluation.tick, BOOK, POLICY, now_ns=later + 90 * SECOND, started_ns=later)
    assert len(site.tickets) == 1


def test_a_silence_holds_tickets_back_and_counts_what_it_held(site: Site) -> None:
    silence = Silence(new_id(), NOON - MINUTE, NOON + MINUTE, "maintenance", ADA, number="SIL-1")
    site.db.write_now(silences.add, silence)
    site.sends(error_line(), error_line(offset=9))
    site.evaluates()
    assert site.tickets == []
    held = site.db.read_now(lambda tx: tx.execute(select(silences.silences.c.held)).scalar_one())
    assert held == 2


def test_an_acknowledgement_stops_the_pages_and_is_kept_when_more_arrives(site: Site) -> None:
    site.sends(error_line())
    site.evaluates()
    site.db.write_now(ticketing.acknowledge, "INC-1001", ADA, now_ns=NOON + SECOND)
    site.sends(error_line(offset=50))
    site.evaluates()
    (listed,) = site.tickets
    assert (listed.ticket.state, listed.ticket.assignee, listed.ticket.count) == (TicketState.ASSIGNED, ADA, 2)
    assert [one.state for one in site.told()] == ["cancelled"]


def test_a_resolved_fault_that_returns_reopens_its_ticket(site: Site) -> None:
    site.sends(error_line())
    site.evaluates()
    site.db.write_now(ticketing.resolve, "INC-1001", ADA, "restarted the database", now_ns=NOON + SECOND)
    site.sends(error_line(offset=50), at=NOON + 60 * MINUTE)
    site.evaluates(at=NOON + 60 * MINUTE)
    (listed,) = site.tickets
    assert (listed.ticket.state, listed.ticket.reopenings) == (TicketState.REOPENED, 1)
    assert sorted(one.state for one in site.told()) == ["cancelled", "pending"]


def test_the_outcome_of_an_action_settles_it(site: Site) -> None:
    (action,) = site.db.write_now(
        actions.send_notice,
        site.agent.site_id,
        subject="2.4.2 is out",
        body="",
        category="patch",
        reference="2.4.2",
        now_ns=NOON,
    )
    site.sends(Outcome(action, "done", "shown"))
    site.evaluates()
    assert [one.state for one in site.db.read_now(action_store.every)] == ["done"]


def test_a_rule_that_fails_is_parked_and_the_others_go_on(site: Site) -> None:
    broken = Rate(name="broken", count=1, window_s=60, where=LogFilter(matches="("))
    site.sends(error_line())
    site.evaluates(Rulebook((broken, *BOOK.rules)))
    assert len(site.tickets) == 1
    (parked,) = site.db.read_now(evaluations.parked_listing)
    assert (parked.rule, parked.seq, parked.agent_id) == ("broken", 1, site.agent.id)


def test_a_batch_that_cannot_be_evaluated_is_parked_and_those_around_it_are_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        site.sends(error_line(f"number {i}", template="t", fingerprint="f1:a", offset=i))
    real = rules.evaluate

    def poisoned(book: Rulebook, state: Any, seen: list[Any], **more: Any) -> Any:
        if any("number 3" in one.what.message for one in seen):
            raise ZeroDivisionError("number 3 is poison")
        return real(book, state, seen, **more)

    monkeypatch.setattr(evaluation, "evaluate", poisoned)
    assert site.evaluates() == 5
    assert [one.ticket.count for one in site.tickets] == [4]
    (parked,) = site.db.read_now(evaluations.parked_listing)
    assert (parked.seq, parked.error) == (4, "ZeroDivisionError: number 3 is poison")
    assert site.db.read_now(spools.pending, 10) == []


def test_text_that_no_database_keeps_is_made_legible(site: Site) -> None:
    site.sends(error_line("half a line\x00\x00", template="half a line\x00<*>"), probe(False, detail="\x00"))
    site.evaluates()
    assert site.db.read_now(evaluations.parked_listing) == []
    assert sorted(one.ticket.kind.value for one in site.tickets) == ["log", "probe"]


@pytest.mark.parametrize("seed", range(3))
def test_tickets_do_not_depend_on_when_evaluation_ran_or_how_often_it_was_taken_back(db: Database, seed: int) -> None:
    dice = random.Random(seed)
    calm, shaken = Site(db), Site(db, "globex-osaka")
    for i in range(40):
        faults = [f"f1:{dice.randrange(4)}" for _ in range(dice.randrange(1, 4))]
        if dice.random() < 0.5:
            what = [error_line("line", part="head", offset=i, fingerprint="f1:line")]
            what.append(error_line("line\nmore", part="full", offset=i, fingerprint=faults[0]))
        else:
            what = [error_line(fault, offset=100 * i + j, fingerprint=fault) for j, fault in enumerate(faults)]
        half = dice.randrange(len(what) + 1)
        for site in (calm, shaken):
            for part in (what[:half], what[half:]):
                if part:
                    site.sends(*part)
        if dice.random() < 0.6:
            with pytest.raises(KeyError):
                db.write_now(_cut_off, shaken.memory)
        if dice.random() < 0.5:
            shaken.evaluates()
    while calm.evaluates():
        pass
    by_site: dict[str, dict[str, int]] = {calm.name: {}, shaken.name: {}}
    for one in calm.tickets:
        if one.ticket.is_open:
            by_site[one.site][one.ticket.fault] = one.ticket.count
    assert by_site[calm.name] == by_site[shaken.name]
    assert by_site[calm.name]
    assert db.read_now(evaluations.parked_listing) == []


def _cut_off(tx: Connection, memory: Memory) -> None:
    evaluation.step(tx, BOOK, POLICY, now_ns=NOON, memory=memory)
    raise KeyError("power cut")


def test_an_evaluation_that_is_taken_back_leaves_no_trace_and_is_repeated_whole(site: Site) -> None:
    site.sends(error_line())

    with pytest.raises(KeyError):
        site.db.write_now(_cut_off, site.memory)
    assert site.tickets == []
    assert site.evaluates() == 1
    assert [one.ticket.number for one in site.tickets] == ["INC-1001"]
    assert len(site.told()) == 1


def test_a_quarantined_agent_is_a_ticket(site: Site) -> None:
    book = rulefile.combine([rulefile.parse('[[rule]]\nname = "q"\nkind = "changed"\nchange = "quarantined"\n')])
    seen = change("quarantined", "cloned machine", "web-1", "web-2")
    site.db.write_now(intake.note, site.agent.id, seen, now_ns=NOON)
    site.evaluates(book)
    assert len(site.tickets) == 1


def test_faults_that_grouping_finds_to_be_one_share_a_ticket(site: Site) -> None:
    names = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo")
    for i, name in enumerate(names):
        text = f"the nightly export of the account {name} could not be written to the archive"
        site.sends(error_line(text, fingerprint=f"f1:{i:016x}", offset=i), at=NOON + i * 10 * MINUTE)
        site.evaluates(at=NOON + i * 10 * MINUTE)
    alive = [one.ticket for one in site.tickets if one.ticket.is_open]
    assert len(alive) < len(names)
    assert sum(ticket.count for ticket in alive) == len(names)
    kept = site.db.read_now(lambda tx: tx.execute(select(func.count()).select_from(evidence.evidence)).scalar_one())
    assert kept == len(names)
