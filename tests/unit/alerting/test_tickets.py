"""The life of a ticket takes only the moves that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting import tickets
from sitewarden_alerting.model import SignalKind, Ticket, TicketState
from sitewarden_alerting.tickets import MOVES, IllegalMove

NOON = 1_795_521_600_000_000_000
NEW = Ticket(
    id="t1",
    number="INC-1001",
    site_id="acme-berlin",
    customer_id="acme",
    fault="f1:aa",
    rule="errors",
    kind=SignalKind.LOG,
    title="ERROR shop",
    severity=4,
    opened_ns=NOON,
    last_ns=NOON,
)


def test_an_illegal_move_says_what_would_be_possible() -> None:
    solved = tickets.resolved(NEW, "restarted", now_ns=NOON)
    with pytest.raises(
        IllegalMove, match="INC-1001 is resolved and cannot become assigned; from there it can become closed"
    ):
        tickets.move(solved, TicketState.ASSIGNED)
    with pytest.raises(IllegalMove, match="nothing to acknowledge"):
        tickets.acknowledged(solved, "ada", now_ns=NOON)
    with pytest.raises(IllegalMove, match="it is final"):
        tickets.reopened(tickets.closed(solved))


def test_an_acknowledgement_assigns_and_a_second_one_takes_over_and_keeps_the_first_time() -> None:
    first = tickets.acknowledged(NEW, "ada", now_ns=NOON + 5)
    second = tickets.acknowledged(first, "bob", now_ns=NOON + 9)
    assert (first.state, first.assignee, first.acknowledged_ns) == (TicketState.ASSIGNED, "ada", NOON + 5)
    assert (second.assignee, second.acknowledged_ns) == ("bob", NOON + 5)


def test_an_acknowledgement_does_not_put_back_what_is_in_progress() -> None:
    working = replace(NEW, state=TicketState.IN_PROGRESS)
    assert tickets.acknowledged(working, "ada", now_ns=NOON).state is TicketState.IN_PROGRESS


def test_a_reopened_ticket_wants_a_new_acknowledgement() -> None:
    solved = tickets.resolved(tickets.acknowledged(NEW, "ada", now_ns=NOON), "x", now_ns=NOON)
    again = tickets.reopened(solved)
    assert (again.acknowledged_ns, again.resolved_ns, again.reopenings) == (None, None, 1)


STEPS: dict[str, Callable[[Ticket], Ticket]] = {
    "acknowledge": lambda ticket: tickets.acknowledged(ticket, "ada", now_ns=NOON),
    "resolve": lambda ticket: tickets.resolved(ticket, "done", now_ns=NOON),
    "close": tickets.closed,
    "reopen": tickets.reopened,
    "merge": lambda ticket: tickets.merged(ticket, replace(NEW, id="t2")),
    "work": lambda ticket: tickets.move(ticket, TicketState.IN_PROGRESS),
    "wait": lambda ticket: tickets.move(ticket, TicketState.WAITING),
}


@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=30))
def test_no_course_of_steps_leaves_the_drawing(steps: list[str]) -> None:
    ticket = NEW
    for step in steps:
        try:
            after = STEPS[step](ticket)
        except IllegalMove:
            continue
        assert after.state in MOVES[ticket.state]
        assert after.is_open == (after.state not in (TicketState.RESOLVED, TicketState.CLOSED))
        ticket = after
