"""What could not be evaluated is tried again on demand: counted once, and never paging for the past."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from sitewarden_alerting import rules
from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import What
from sitewarden_alerting.rules import LogFilter, NewFault, ProbeFailed, Rate, Rulebook
from sitewarden_collector.cli import main
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import evaluation, intake, parked
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import evaluations
from sitewarden_collector.store.engine import Database
from tests.cast import NOON, SECOND, batch, error_line, probe, settle_agent

ERRORS, PROBE = NewFault(name="errors"), ProbeFailed(name="probe")
BROKEN = Rate(name="many", count=2, window_s=60, where=LogFilter(contains="boom", matches="("))
MENDED = Rate(name="many", count=2, window_s=60, where=LogFilter(contains="boom"))


def sends(db: Database, book: Rulebook, *what: What) -> None:
    agent = db.write_now(settle_agent)
    db.write_now(intake.accept, agent.id, batch=batch(1, *what), now_ns=NOON)
    db.write_now(evaluation.step, book, Policy(), now_ns=NOON)


def waiting(db: Database) -> list[evaluations.Parked]:
    return db.read_now(evaluations.parked_listing)


def counts(db: Database) -> Counter[str]:
    found = Counter[str]()
    for one in db.read_now(ticketing.listing):
        found[one.ticket.rule] += one.ticket.count
    return found


def test_a_mended_rule_is_tried_on_what_it_failed_on_and_on_nothing_else(db: Database) -> None:
    sends(db, Rulebook((ERRORS, BROKEN)), *(error_line(text, offset=i) for i, text in enumerate(("a", "boom", "boom"))))
    (one,) = waiting(db)
    assert (one.rule, one.indexes, one.times) == ("many", (1, 2), 1)
    assert counts(db) == {"errors": 3}
    (tried,) = db.write_now(parked.retry_all, Rulebook((ERRORS, MENDED)), Policy(), now_ns=NOON + SECOND)
    assert (tried.done, tried.said) == (True, "2 observations evaluated")
    assert counts(db) == {"errors": 3, "many": 2}
    assert waiting(db) == []


def test_a_rule_that_fails_again_stays_parked_with_its_error(db: Database) -> None:
    book = Rulebook((BROKEN,))
    sends(db, book, error_line("boom"))
    (tried,) = db.write_now(parked.retry_all, book, Policy(), now_ns=NOON + SECOND)
    assert not tried.done
    (one,) = waiting(db)
    assert (one.rule, one.indexes, one.error) == ("many", (0,), tried.said)


def test_a_rule_that_is_gone_is_not_waited_for(db: Database) -> None:
    sends(db, Rulebook((BROKEN,)), error_line("boom"))
    (tried,) = db.write_now(parked.retry_all, Rulebook((ERRORS,)), Policy(), now_ns=NOON)
    assert tried.done
    assert "no rule many" in tried.said
    assert waiting(db) == []


def test_a_batch_is_evaluated_whole_but_for_states_that_are_past(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Rulebook((ERRORS, PROBE))
    real = rules.evaluate

    def poisoned(*_given: Any, **_more: Any) -> Any:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(evaluation, "evaluate", poisoned)
    sends(db, book, error_line(), probe(False))
    (one,) = waiting(db)
    again = db.write_now(parked.retry, one.id, book, Policy(), now_ns=NOON + SECOND)
    assert (again.done, again.said) == (False, "ZeroDivisionError: a bug of ours")
    assert [(each.id, each.times) for each in waiting(db)] == [(one.id, 2)]
    monkeypatch.setattr(evaluation, "evaluate", real)
    assert db.write_now(parked.retry, one.id, book, Policy(), now_ns=NOON + SECOND).done
    assert counts(db) == {"errors": 1}
    assert waiting(db) == []
    with pytest.raises(NotFound, match="sitewarden rules parked"):
        db.write_now(parked.retry, one.id, book, Policy(), now_ns=NOON)


def test_what_failed_on_the_time_is_tried_by_the_time(db: Database) -> None:
    where = {"site_id": "s", "agent_id": "", "epoch": "", "seq": 0, "rule": "silent", "error": "x", "now_ns": NOON}
    db.write_now(evaluations.park, **where)  # type: ignore[arg-type]
    (tried,) = db.write_now(parked.retry_all, Rulebook(), Policy(), now_ns=NOON)
    assert tried.done
    assert waiting(db) == []


def test_the_command_tries_one_or_all_and_fails_when_one_fails(
    desk: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {"site_id": "s", "agent_id": "a", "epoch": "0a", "seq": 9, "error": "x", "now_ns": NOON}
    desk.write_now(evaluations.park, rule="gone", **where)  # type: ignore[arg-type]
    assert main(["rules", "parked", "--json"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["rules", "retry", str(row["id"])]) == 0
    assert "there is no rule gone any more" in capsys.readouterr().out
    assert main(["rules", "retry", "--all"]) == 0
    assert capsys.readouterr().out == "nothing is parked\n"
    assert main(["rules", "retry", "77"]) == 1
    assert "nothing is parked under 77" in capsys.readouterr().err
