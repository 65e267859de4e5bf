"""The pure rules of the desk: who gets a ticket, what makes a problem or a major incident, how a solution goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sitewarden_alerting import assignment, majors, problems, solutions, tickets
from sitewarden_alerting.assignment import Candidate, Wish
from sitewarden_alerting.majors import Extent, MajorPolicy
from sitewarden_alerting.model import DAY_NS, SignalKind, Ticket, TicketState, TicketType, Waiting
from sitewarden_alerting.problems import Incident, ProblemPolicy
from sitewarden_alerting.solutions import Solution, SolutionState, Step

NOW = 1_795_521_600 * 1_000_000_000
TICKET = tickets.reported(
    ticket_id="t1",
    site_id="s1",
    customer_id="c1",
    title="slow",
    type=TicketType.INCIDENT,
    severity=3,
    reporter="carla",
    reported_ns=NOW,
    now_ns=NOW,
    component="database",
)


def who(*candidates: Candidate, ticket: Ticket = TICKET, wish: Wish | None = None) -> str:
    return assignment.choose(candidates, ticket, NOW, wish=wish).who


def test_skill_comes_before_load_and_load_before_the_turn() -> None:
    skilled = Candidate("a", skills=("Database",), open_tickets=5)
    assert who(skilled, Candidate("b")) == "a"
    assert who(Candidate("a", open_tickets=2), Candidate("b", open_tickets=1)) == "b"
    assert who(Candidate("a", open_tickets=2, capacity=20), Candidate("b", open_tickets=2, capacity=4)) == "a"
    assert who(Candidate("a", last_assigned_ns=9), Candidate("b", last_assigned_ns=3)) == "b"


def test_product_and_language_count_where_they_are_asked_for() -> None:
    speaks, knows = Candidate("a", languages=("zh",)), Candidate("b", products=("shop",))
    assert who(speaks, knows, wish=Wish(language="zh")) == "a"
    assert who(speaks, knows, wish=Wish(language="zh", product="shop")) == "b"


def test_who_is_away_or_full_is_never_chosen_and_the_reason_says_so() -> None:
    away, full = Candidate("a", away_until_ns=NOW + 1), Candidate("b", open_tickets=3, capacity=3)
    choice = assignment.choose((away, full), TICKET, NOW)
    assert (choice.who, choice.reason) == ("", "of 2 engineers 1 are away and 1 are full")
    assert who(replace(away, away_until_ns=NOW), full) == "a"
    assert "no engineer is known" in assignment.choose((), TICKET, NOW).reason


def test_rotation_gives_everybody_a_turn() -> None:
    people = {name: Candidate(name) for name in "abc"}
    given = []
    for turn in range(6):
        chosen = who(*people.values())
        given.append(chosen)
        people[chosen] = replace(people[chosen], last_assigned_ns=turn + 1)
    assert "".join(given) == "abcabc"


def incident(name: str, site: str, **changes: object) -> Incident:
    made = Incident(name, site, "f1:x", SignalKind.LOG, NOW, is_open=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_fault_at_enough_sites_is_one_problem_and_not_one_a_site() -> None:
    those = [incident(f"t{n}", f"s{n}", reopenings=5) for n in range(3)]
    (found,) = problems.suggest(those, ProblemPolicy(), now_ns=NOW)
    assert (found.site_id, found.tickets, found.reason) == ("", ("t0", "t1", "t2"), "the same fault at 3 sites")


@pytest.mark.parametrize(
    "changes",
    [
        {"problem_id": "p1"},
        {"kind": SignalKind.REPORT},
        {"kind": SignalKind.SILENCE},
        {"is_open": False, "last_ns": NOW - 8 * DAY_NS},
    ],
)
def test_what_is_known_alone_by_nature_or_long_over_makes_no_problem(changes: dict[str, object]) -> None:
    those = [incident(f"t{n}", f"s{n}", **changes) for n in range(3)]
    assert problems.suggest(those, ProblemPolicy(), now_ns=NOW) == ()


def test_reopenings_and_tickets_at_one_site_count_alike() -> None:
    again = [incident("t1", "s1", reopenings=2)]
    (found,) = problems.suggest(again, ProblemPolicy(), now_ns=NOW)
    assert (found.site_id, found.tickets) == ("s1", ("t1",))
    assert problems.suggest([incident("t1", "s1", reopenings=1)], ProblemPolicy(), now_ns=NOW) == ()


def test_what_reaches_far_enough_is_major() -> None:
    one = Extent(tickets=2, customers=1, sites=2, priority=1, storm=False)
    policy = MajorPolicy()
    assert majors.is_major(one, policy) == ""
    assert majors.is_major(replace(one, customers=3), policy) == "3 customers at once"
    assert majors.is_major(replace(one, sites=5), policy) == "5 sites at once"
    assert majors.is_major(replace(one, storm=True), policy)
    assert majors.is_major(replace(one, storm=True, priority=2), policy) == ""


def test_every_step_of_a_solution_has_exactly_one_place() -> None:
    solution = Solution("i", "t1", "c1", "x", SolutionState.PLANNED, NOW, "a")
    for step in Step:
        for other in Step:
            if other is not step:
                with pytest.raises(solutions.OutOfOrder):
                    solutions.taken(solution, other, "a", now_ns=NOW)
        solution = solutions.taken(solution, step, "a", now_ns=NOW)
    assert solution.state is SolutionState.VERIFIED
    with pytest.raises(solutions.OutOfOrder, match="already"):
        solutions.ended(solution, SolutionState.REJECTED, "no")


def test_only_what_is_drawn_is_possible_for_every_pair_of_states() -> None:
    for state in TicketState:
        for to in TicketState:
            ticket = replace(TICKET, state=state)
            if to in tickets.MOVES[state]:
                assert tickets.move(ticket, to).state is to
            else:
                with pytest.raises(tickets.IllegalMove, match=f"is {state.value} and cannot become {to.value}"):
                    tickets.move(ticket, to)


@pytest.mark.parametrize("reason", list(Waiting))
def test_a_ticket_waits_for_a_reason_and_for_none_once_it_moves_on(reason: Waiting) -> None:
    waiting = tickets.waits(TICKET, reason)
    assert waiting.waiting == reason.value
    assert tickets.assigned(waiting, "bob").waiting == reason.value
    for moved in (tickets.resumed(waiting), tickets.resolved(waiting, "x", now_ns=NOW), tickets.closed(waiting)):
        assert moved.waiting == ""
