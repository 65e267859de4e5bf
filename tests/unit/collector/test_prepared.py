"""Prepared statements: the same rows and errors as by the toolkit's own way, over both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from sitewarden_alerting.model import Policy
from sitewarden_collector.config import Rules
from sitewarden_collector.services import evaluation, intake, rulepacks
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.clocks import ticket_clocks
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.notices import notices
from sitewarden_collector.store.numbers import numbers
from sitewarden_collector.store.tickets import tickets
from tests.cast import NOON, batch, error_line, settle_agent

_ADD = insert(numbers)
_SOME = (
    select(numbers)
    .where(numbers.c.kind.in_(bindparam("some", expanding=True)), numbers.c.kind.in_(("INC", "REQ", "CMP", "CHG")))
    .order_by(numbers.c.kind)
)
_BUT = select(numbers.c.kind).where(numbers.c.kind.not_in(bindparam("full", expanding=True))).order_by(numbers.c.kind)
_MOVE = (
    update(numbers)
    .where(numbers.c.kind == bindparam("which"))
    .values(last=numbers.c.last + bindparam("more"))
    .returning(numbers.c.last)
)


@pytest.fixture
def three(db: Database) -> Database:
    db.write_now(lambda tx: prepared.write(tx, _ADD, [{"kind": kind, "last": 7} for kind in ("INC", "REQ", "CMP")]))
    return db


def _kinds(tx: Connection, some: list[str]) -> list[str]:
    return [row.kind for row in prepared.rows(tx, _SOME, {"some": some})]


@pytest.mark.parametrize(
    "some", [[], ["INC"], ["INC", "CMP"], ["REQ", "INC", "CMP"], ["CHG"], [f"K{i}" for i in range(40)], ["REQ"] * 2000]
)
def test_a_list_may_have_any_length(three: Database, some: list[str]) -> None:
    def theirs(tx: Connection) -> list[str]:
        return [row.kind for row in tx.execute(_SOME, {"some": some})]

    assert three.read_now(_kinds, some) == three.read_now(theirs)
    assert three.read_now(_kinds, some) == sorted({"INC", "REQ", "CMP"}.intersection(some))


def test_who_is_left_out_may_be_nobody(three: Database) -> None:
    def but(tx: Connection, full: list[str]) -> list[str]:
        return [row[0] for row in prepared.rows(tx, _BUT, {"full": full})]

    assert three.read_now(but, []) == ["CMP", "INC", "REQ"]
    assert three.read_now(but, ["INC", "CMP", "CHG"]) == ["REQ"]


def test_what_a_write_returns_comes_by_name(three: Database) -> None:
    row = three.write_now(lambda tx: prepared.row(tx, _MOVE, {"which": "INC", "more": 5}))
    assert (row.last, dict(row._mapping)) == (12, {"last": 12})
    assert three.write_now(lambda tx: prepared.row(tx, _MOVE, {"which": "nobody", "more": 5})) is None


def test_how_many_rows_were_written_is_told_for_one_and_for_many(db: Database) -> None:
    change = update(numbers).where(numbers.c.kind == bindparam("which"))

    def both(tx: Connection) -> tuple[int, int, int]:
        added = prepared.write(tx, _ADD, [{"kind": "INC", "last": 1}, {"kind": "REQ", "last": 1}])
        one = prepared.write(tx, change, [{"which": "INC", "last": 2}])
        return added, one, prepared.write(tx, change, [{"which": name, "last": 3} for name in ("INC", "REQ", "none")])

    assert db.write_now(both) == (2, 1, 2)


def test_an_error_is_the_toolkits_and_takes_nothing_with_it(three: Database) -> None:
    def twice(tx: Connection) -> list[str]:
        with pytest.raises(IntegrityError), tx.begin_nested():
            prepared.write(tx, _ADD, [{"kind": "INC", "last": 1}])
        return _kinds(tx, ["INC", "REQ"])

    assert three.write_now(twice) == ["INC", "REQ"]


def test_types_are_converted_as_ever(db: Database) -> None:
    agent = db.write_now(settle_agent)
    db.write_now(intake.accept, agent.id, batch=batch(1, error_line("order 17 is lost")), now_ns=NOON)
    db.write_now(evaluation.step, rulepacks.load(Rules()), Policy(), now_ns=NOON)

    def compare(tx: Connection) -> None:
        for table in (tickets, ticket_clocks):
            found = prepared.rows(tx, select(table), {})
            assert found == tx.execute(select(table)).all()
            assert len(found) == 1
        assert found[0].paused is False

    db.read_now(compare)


def test_a_column_that_has_a_default_wants_to_be_given(db: Database) -> None:
    def without(tx: Connection) -> None:
        prepared.write(tx, insert(notices), [{"id": new_id(), "kind": "page", "created_ns": NOON}])

    with pytest.raises(ValueError, match="default"):
        db.write_now(without)
