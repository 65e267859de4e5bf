"""A rule that fails or is slow is taken out of force where that shows, tells us once, and harms no other."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from sitewarden_alerting.model import Person, Policy
from sitewarden_alerting.rules import Absence, LogFilter, NewFault, Noise, Rate, Rulebook, Threshold, ticking
from sitewarden_collector.cli import main
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import evaluation, intake, parked, suspending
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store import evaluations, notices, suspensions, tickets
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.engine import Database
from tests.cast import ADA, NOON, SECOND, batch, error_line, settle_agent

BROKEN = Rate(name="broken", count=1, window_s=60, where=LogFilter(matches="("))
ERRORS = NewFault(name="errors")
BOOK = Rulebook((BROKEN, ERRORS))
POLICY = Policy(on_call=(Person(ADA, ("phone",)),))


class Fleet:
    """Some sites, each with an agent that sends error lines."""

    def __init__(self, db: Database, *names: str) -> None:
        self.db = db
        self.agents: dict[str, Agent] = {name: db.write_now(settle_agent, site=name) for name in names}
        self.seqs = dict.fromkeys(names, 0)
        self.memory = Memory()

    def sends(self, site: str, *texts: str) -> None:
        self.seqs[site] += 1
        seq = self.seqs[site]
        lines = [error_line(text, offset=1000 * seq + i) for i, text in enumerate(texts)]
        self.db.write_now(intake.accept, self.agents[site].id, batch=batch(seq, *lines), now_ns=NOON)

    def evaluates(self, book: Rulebook = BOOK, *, at: int = NOON, meter: object = None) -> None:
        while self.db.write_now(
            evaluation.step,
            book,
            POLICY,
            now_ns=at,
            memory=self.memory,
            meter=meter,  # type: ignore[arg-type]
        ):
            pass

    def out(self) -> list[tuple[str, str]]:
        names = {agent.site_id: name for name, agent in self.agents.items()}
        return [(one.rule, names.get(one.site_id, "")) for one in self.db.read_now(suspensions.every)]

    def ours(self) -> list[tickets.Listed]:
        return self.db.read_now(ticketing.listing, site=suspending.OURS)


@pytest.fixture
def fleet(db: Database) -> Fleet:
    return Fleet(db, "berlin", "osaka", "lima")


def test_a_rule_that_fails_once_stays_in_force(fleet: Fleet) -> None:
    fleet.sends("berlin", "a")
    fleet.evaluates()
    assert fleet.out() == []
    assert fleet.ours() == []


def test_a_rule_that_fails_at_one_site_is_suspended_there_and_goes_on_elsewhere(fleet: Fleet) -> None:
    fleet.sends("berlin", *(f"line {i}" for i in range(20)))
    fleet.evaluates()
    assert fleet.out() == [("broken", "berlin")]
    before = fleet.db.read_now(evaluations.parked_count)
    fleet.sends("berlin", "more")
    fleet.evaluates()
    assert fleet.db.read_now(evaluations.parked_count) == before, "it is not tried there any more"
    fleet.sends("osaka", "more")
    fleet.evaluates()
    assert fleet.db.read_now(evaluations.parked_count) == before + 1


def test_a_rule_that_fails_at_several_sites_is_suspended_everywhere_with_one_ticket(fleet: Fleet) -> None:
    for site in ("berlin", "osaka", "lima"):
        fleet.sends(site, "a")
    fleet.evaluates(Rulebook((BROKEN,)))
    assert fleet.out() == [("broken", "")]
    (listed,) = fleet.ours()
    assert listed.ticket.title == "Rule broken is suspended"
    pages = fleet.db.read_now(notices.listing)
    assert [(one.kind, one.person) for one in pages] == [("page", ADA)]
    assert "Rule broken is suspended" in pages[0].subject
    for site in ("berlin", "osaka", "lima"):
        fleet.sends(site, "b", "c")
    fleet.evaluates()
    assert [one.ticket.count for one in fleet.ours()] == [1]
    errors = [one for one in fleet.db.read_now(ticketing.listing) if one.ticket.rule == "errors"]
    assert sum(one.ticket.count for one in errors) == 6, "the other rule saw all of it"


def test_a_suspended_rule_comes_back_when_it_is_resumed_or_changed(fleet: Fleet) -> None:
    for site in ("berlin", "osaka", "lima"):
        fleet.sends(site, "a")
    fleet.evaluates()
    gone = fleet.db.write_now(suspending.resume, "broken", POLICY, now_ns=NOON + SECOND, by=ADA)
    assert [one.rule for one in gone] == ["broken"]
    assert fleet.ours()[0].ticket.recovered_ns == NOON + SECOND
    with pytest.raises(NotFound, match="sitewarden rules suspended"):
        fleet.db.write_now(suspending.resume, "broken", POLICY, now_ns=NOON, by=ADA)
    fleet.sends("lima", "once more")
    fleet.evaluates(at=NOON + 2 * SECOND)
    assert fleet.out() == [], "what it failed on before it came back does not count"
    for site in ("berlin", "osaka"):
        fleet.sends(site, "once more")
    fleet.evaluates(at=NOON + 2 * SECOND)
    assert fleet.out() == [("broken", "")], "it failed again on three batches"
    assert [(one.ticket.is_open, one.ticket.recovered_ns) for one in fleet.ours()] == [(True, None)]
    mended = replace(BROKEN, where=LogFilter(matches="payment"))
    fleet.sends("lima", "payment")
    fleet.evaluates(Rulebook((mended, ERRORS)), at=NOON + 3 * SECOND)
    assert fleet.out() == []
    assert "broken" in {one.ticket.rule for one in fleet.db.read_now(ticketing.listing)}
    tried = fleet.db.write_now(parked.retry_all, Rulebook((mended, ERRORS)), POLICY, now_ns=NOON + 4 * SECOND)
    assert all(one.done for one in tried)


def test_a_slow_rule_is_suspended_and_a_quick_one_is_not(fleet: Fleet) -> None:
    slow = Noise(name="slow", where=LogFilter(contains="no such text", matches="x"))
    book = Rulebook((Noise(name="quick", where=LogFilter(contains="line", matches="nothing")), slow, ERRORS))
    ticks = itertools.count()
    fleet.sends("berlin", *(f"line {i}" for i in range(19)))
    fleet.evaluates(book, meter=lambda: next(ticks) * 0.02)
    assert fleet.out() == []
    fleet.sends("berlin", "line 20")
    fleet.evaluates(book, meter=lambda: next(ticks) * 0.02)
    assert {rule for rule, _ in fleet.out()} == {"quick", "errors"}, "each call took 20 ms here"
    fleet.db.write_now(suspending.resume, "quick", POLICY, now_ns=NOON + SECOND, by=ADA)
    fleet.sends("berlin", "line 21")
    fleet.evaluates(book, at=NOON + SECOND, meter=lambda: next(ticks) * 0.0001)
    assert {rule for rule, _ in fleet.out()} == {"errors"}, "what it took before it came back does not count"
    assert "20 ms of the processor" in fleet.db.read_now(suspensions.every)[0].why
    again = Fleet(fleet.db, "quito")
    again.sends("quito", *(f"line {i}" for i in range(30)))
    again.evaluates(book, meter=lambda: next(ticks) * 0.0001)
    assert not [one for one in again.out() if one[1] == "quito"]


def test_a_rule_that_fails_on_the_time_is_suspended_too(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Rulebook((Absence(name="beat", within_s=60, series="x"), ERRORS, Threshold(name="d", series="x", above=1)))

    def fails(*_given: object, **_more: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(ticking, "_absent", fails)
    for second in range(3):
        fleet.db.write_now(evaluation.tick, book, POLICY, now_ns=NOON + second * SECOND)
    assert fleet.out() == [("beat", "")]
    count = fleet.db.read_now(evaluations.parked_count)
    before = [one.times for one in fleet.db.read_now(evaluations.parked_listing)]
    fleet.db.write_now(evaluation.tick, book, POLICY, now_ns=NOON + 9 * SECOND)
    assert fleet.db.read_now(evaluations.parked_count) == count
    assert [one.times for one in fleet.db.read_now(evaluations.parked_listing)] == before


def test_failures_on_the_time_are_counted_anew_too(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet, book = Fleet(db, "quito"), Rulebook((Absence(name="beat", within_s=60, series="x"),))

    def fails(*_given: object, **_more: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(ticking, "_absent", fails)
    monkeypatch.setattr(suspending, "FAILED_OBSERVATIONS", 3)
    out = []
    for second in range(7):
        if second == 3:
            fleet.db.write_now(suspending.resume, "beat", POLICY, now_ns=NOON + second * SECOND, by=ADA)
        fleet.db.write_now(evaluation.tick, book, POLICY, now_ns=NOON + second * SECOND)
        out.append(bool(fleet.out()))
    assert out == [False, False, True, False, False, True, True]


def test_the_commands_show_what_is_suspended_and_bring_it_back(
    desk: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    one = suspensions.Suspended("error-in-log", "", "x", "it failed", NOON)
    desk.write_now(suspensions.add, one)
    assert main(["rules", "suspended", "--json"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["rule"], row["site"], row["why"]) == ("error-in-log", "", "it failed")
    assert main(["rules", "resume", "error-in-log"]) == 0
    assert "in force again" in capsys.readouterr().out
    assert main(["rules", "suspended"]) == 0
    assert capsys.readouterr().out == "every rule is in force\n"
    assert main(["rules", "resume", "error-in-log"]) == 1
    assert "is not suspended" in capsys.readouterr().err
