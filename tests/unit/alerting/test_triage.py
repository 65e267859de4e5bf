"""Triage makes tickets of signals: one a fault and site, each record counted once, each told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting import tickets
from sitewarden_alerting.decisions import (
    AddEvidence,
    CloseTicket,
    MergeTicket,
    NoteReturn,
    Notify,
    OpenTicket,
    RekeyTicket,
    ReopenTicket,
    ReplaceEvidence,
    ResolveTicket,
    Suppress,
    TicketDecision,
    WithdrawEvidence,
)
from sitewarden_alerting.model import Evidence, Policy, Signal, SignalKind, SignalState, Silence, Ticket, TicketState
from sitewarden_alerting.triage import decide, repoint, settle

SECOND = 1_000_000_000
NOON = 1_795_521_600 * SECOND
POLICY = Policy()


def signal(fault: str = "f1:aa", *, at_s: float = 0, record: str = "", **changes: Any) -> Signal:
    at_ns = NOON + round(at_s * SECOND)
    made = Signal(
        rule="errors",
        kind=SignalKind.LOG,
        site_id="acme-berlin",
        customer_id="acme",
        fault=fault,
        subject="shop",
        state=SignalState.FIRING,
        severity=4,
        title=f"ERROR {fault}",
        reason=f"{fault} seen",
        at_ns=at_ns,
        evidence=(Evidence("agent-web", "0a", 1, 0, at_ns, "web-1", f"text of {fault}", record),),
    )
    return replace(made, **changes)


def probe(state: SignalState = SignalState.FIRING, *, at_s: float = 0, **changes: Any) -> Signal:
    evidence = signal(at_s=at_s).evidence if state is SignalState.FIRING else ()
    return signal("probe:health", at_s=at_s, kind=SignalKind.PROBE, state=state, evidence=evidence, **changes)


class Desk:
    """The tickets as a store would keep them."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.tickets: dict[str, Ticket] = {}
        self.log: list[TicketDecision] = []
        self.silences: list[Silence] = []

    def take(self, *signals: Signal, at_s: float | None = None) -> list[TicketDecision]:
        now_ns = NOON + round((at_s if at_s is not None else 0) * SECOND)
        if at_s is None and signals:
            now_ns = max(one.at_ns for one in signals)
        return self.write(decide(signals, self.tickets.values(), self.silences, self.policy, now_ns=now_ns))

    def wait(self, at_s: float) -> list[TicketDecision]:
        return self.write(settle(self.tickets.values(), self.policy, now_ns=NOON + round(at_s * SECOND)))

    def write(self, decisions: Iterable[TicketDecision]) -> list[TicketDecision]:
        made = list(decisions)
        names: dict[str, str] = {}
        for decision in made:
            for ticket in (decision.ticket, getattr(decision, "into", None)):
                if ticket is None:
                    continue
                if ticket.id.startswith("new:"):
                    names.setdefault(ticket.id, f"INC-{1001 + len(self.tickets) + len(names)}")
        for decision in made:
            for ticket in (getattr(decision, "into", None), decision.ticket):
                if ticket is not None:
                    name = names.get(ticket.id, ticket.id)
                    into = names.get(ticket.merged_into, ticket.merged_into)
                    self.tickets[name] = replace(ticket, id=name, number=name, merged_into=into)
        self.log += made
        return made

    @property
    def open(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if ticket.is_open]

    def told(self) -> list[str]:
        return [decision.kind for decision in self.log if isinstance(decision, Notify)]


def kinds(decisions: Iterable[TicketDecision]) -> list[type]:
    return [type(decision) for decision in decisions]


def test_the_first_signal_opens_a_ticket_with_its_evidence_and_pages_once() -> None:
    desk = Desk()
    assert kinds(desk.take(signal())) == [OpenTicket, AddEvidence, Notify]
    assert kinds(desk.take(signal(at_s=1), signal(at_s=2))) == [AddEvidence, AddEvidence]
    assert [(ticket.count, ticket.entries) for ticket in desk.open] == [(3, 3)]
    assert desk.told() == ["page"]


def test_a_warning_is_told_without_a_page_until_it_gets_worse() -> None:
    desk = Desk()
    desk.take(signal(severity=3))
    desk.take(signal(severity=4, at_s=5))
    assert desk.told() == ["info", "page"]


def test_the_same_fault_at_another_site_is_another_ticket() -> None:
    desk = Desk()
    desk.take(signal(), signal(site_id="globex-osaka"))
    assert len(desk.open) == 2


def test_the_whole_of_a_record_changes_the_ticket_that_its_first_line_opened() -> None:
    desk = Desk()
    desk.take(signal("f1:head", record="r1", head=True))
    made = desk.take(signal("f1:full", record="r1", moved_from="f1:head", at_s=0.2))
    assert kinds(made) == [RekeyTicket, ReplaceEvidence]
    assert [(t.fault, t.title, t.count) for t in desk.open] == [("f1:full", "ERROR f1:full", 1)]
    assert desk.told() == ["page"]


def test_the_ticket_of_a_first_line_goes_into_the_open_one_of_the_whole() -> None:
    desk = Desk()
    desk.take(signal("f1:full"))
    desk.take(signal("f1:head", record="r1", head=True, at_s=10))
    made = desk.take(signal("f1:full", record="r1", moved_from="f1:head", at_s=10.2))
    assert MergeTicket in kinds(made)
    assert [(t.fault, t.count) for t in desk.open] == [("f1:full", 2)]
    assert [t.merged_into for t in desk.tickets.values() if not t.is_open] == [desk.open[0].id]


def test_one_record_moves_alone_when_its_first_lines_ticket_has_others() -> None:
    desk = Desk()
    desk.take(signal("f1:head"), signal("f1:head", record="r1", head=True))
    made = desk.take(signal("f1:full", record="r1", moved_from="f1:head", at_s=0.2))
    assert kinds(made)[:2] == [WithdrawEvidence, OpenTicket]
    assert sorted((t.fault, t.count) for t in desk.open) == [("f1:full", 1), ("f1:head", 1)]


def test_a_first_line_that_is_all_of_it_is_counted_once() -> None:
    desk = Desk()
    desk.take(signal(record="r1", head=True))
    desk.take(signal(record="r1", alone=True, moved_from="f1:aa", at_s=1))
    assert [(t.count, t.heads) for t in desk.open] == [(1, ())]


def test_a_ticket_reopened_by_a_record_of_another_fault_goes_back_to_resolved() -> None:
    desk = Desk()
    desk.take(signal("f1:full"))
    (ticket,) = desk.open
    desk.tickets[ticket.id] = tickets.resolved(ticket, "fixed", now_ns=NOON)
    desk.take(signal("f1:full", record="r1", head=True, at_s=60))
    desk.take(signal("f1:other", record="r1", moved_from="f1:full", at_s=60.2))
    assert {t.fault: t.state for t in desk.tickets.values()} == {
        "f1:full": TicketState.RESOLVED,
        "f1:other": TicketState.NEW,
    }


def test_a_probe_that_recovers_resolves_its_ticket_after_a_quiet_time_and_says_so() -> None:
    desk = Desk()
    desk.take(probe())
    desk.take(probe(SignalState.RECOVERED, at_s=10))
    assert desk.wait(100) == []
    assert kinds(desk.wait(311)) == [ResolveTicket, Notify]
    assert desk.told() == ["page", "recovery"]


def test_a_log_fault_never_resolves_itself() -> None:
    desk = Desk()
    desk.take(signal())
    assert desk.wait(30 * 86_400) == []


def test_what_returns_before_the_quiet_time_is_over_is_noted_and_not_told() -> None:
    desk = Desk()
    desk.take(probe())
    desk.take(probe(SignalState.RECOVERED, at_s=10))
    assert kinds(desk.take(probe(at_s=20))) == [NoteReturn, AddEvidence]
    assert desk.told() == ["page"]


def test_a_flapping_probe_is_one_ticket_and_its_pages_stop() -> None:
    desk = Desk()
    for minute in range(0, 120):
        state = SignalState.FIRING if minute % 6 == 0 else SignalState.RECOVERED
        desk.take(probe(state, at_s=60 * minute))
        desk.wait(60 * minute + 30)
    assert len(desk.tickets) == 1
    assert desk.told().count("page") <= 4
    assert desk.open[0].flips


def test_a_resolved_fault_that_returns_within_the_window_reopens_its_ticket_and_pages_again() -> None:
    desk = Desk()
    desk.take(signal())
    (ticket,) = desk.open
    desk.tickets[ticket.id] = tickets.resolved(ticket, "restarted it", now_ns=NOON)
    assert ReopenTicket in kinds(desk.take(signal(at_s=6 * 86_400)))
    assert desk.told() == ["page", "page"]


def test_what_arrives_late_and_happened_before_the_resolution_is_counted_and_reopens_nothing() -> None:
    desk = Desk()
    desk.take(signal())
    (ticket,) = desk.open
    desk.tickets[ticket.id] = tickets.resolved(ticket, "restarted it", now_ns=NOON + 3600 * SECOND)
    desk.take(signal(at_s=1800), at_s=7200)
    assert [(t.state, t.count) for t in desk.tickets.values()] == [(TicketState.RESOLVED, 2)]
    assert desk.told() == ["page"]


def test_a_fault_that_returns_after_the_window_is_a_new_ticket_that_names_the_old() -> None:
    desk = Desk()
    desk.take(signal())
    (ticket,) = desk.open
    desk.tickets[ticket.id] = tickets.resolved(ticket, "restarted it", now_ns=NOON)
    assert kinds(desk.take(signal(at_s=8 * 86_400)))[:2] == [CloseTicket, OpenTicket]
    assert [t.previous for t in desk.open] == [ticket.number]


def test_a_silenced_signal_opens_nothing_and_what_still_goes_on_opens_its_ticket_afterwards() -> None:
    desk = Desk()
    desk.silences = [Silence("s1", NOON - SECOND, NOON + 60 * SECOND, "maintenance", "ada", site="acme-*")]
    assert kinds(desk.take(probe())) == [Suppress]
    assert desk.take(probe(at_s=30, repeats=True, count=0)) == []
    assert OpenTicket in kinds(desk.take(probe(at_s=61, repeats=True, count=0)))
    assert desk.open[0].count == 1


def test_a_ticket_that_gets_worse_within_a_silence_is_counted_and_pages_when_it_is_over() -> None:
    desk = Desk()
    desk.take(signal(severity=3))
    desk.silences = [Silence("s1", NOON, NOON + 60 * SECOND, "maintenance", "ada", fault="f1:aa")]
    desk.take(signal(at_s=30, severity=5))
    assert (desk.open[0].count, desk.told()) == (2, ["info"])
    desk.take(signal(at_s=61, severity=5))
    assert (desk.open[0].severity, desk.told()) == (5, ["info", "page"])


def test_what_follows_from_a_silent_site_opens_nothing_beside_its_ticket() -> None:
    desk = Desk()
    silent = signal("silent:silent|site", kind=SignalKind.SILENCE, evidence=())
    desk.take(silent)
    missing = signal("absent:backup", kind=SignalKind.ABSENCE, evidence=(), at_s=5)
    (held,) = desk.take(missing)
    assert isinstance(held, Suppress)
    assert [t.suppressed for t in desk.open] == [1]


def test_a_state_that_goes_on_reopens_a_ticket_resolved_by_a_person_only_after_a_while() -> None:
    desk = Desk()
    desk.take(probe())
    (ticket,) = desk.open
    desk.tickets[ticket.id] = tickets.resolved(ticket, "done", now_ns=NOON)
    assert desk.take(probe(at_s=60, repeats=True)) == []
    assert ReopenTicket in kinds(desk.take(probe(at_s=1000, repeats=True)))


def test_faults_that_are_new_in_a_storm_are_counted_at_its_ticket() -> None:
    desk = Desk()
    desk.take(signal("f1:old"))
    storm = signal("storm:storm", kind=SignalKind.STORM, evidence=(), count=0, at_s=1)
    desk.take(storm, *(signal(f"f1:{i}", part_of="storm:storm", at_s=1) for i in range(50)))
    desk.take(signal("f1:old", part_of="storm:storm", at_s=2))
    assert {t.fault: t.count for t in desk.open} == {"f1:old": 2, "storm:storm": 50}
    assert desk.told() == ["page", "page"]


def test_a_fault_that_proves_to_be_another_takes_its_ticket_along() -> None:
    desk = Desk()
    desk.take(signal("f1:a"), signal("f1:b"), signal("f1:c"))
    desk.write(repoint("f1:a", "f1:b", desk.tickets.values(), now_ns=NOON, reason="learned"))
    desk.write(repoint("f1:c", "f1:d", desk.tickets.values(), now_ns=NOON, reason="learned"))
    assert sorted((t.fault, t.count) for t in desk.open) == [("f1:b", 2), ("f1:d", 1)]


FAULTS = ("f1:a", "f1:b", "f1:h", "probe:health")


@st.composite
def courses(draw: st.DrawFn) -> list[tuple[str, object]]:
    """What may happen to a desk: signals in any order, people at work, time that passes."""
    steps: list[tuple[str, object]] = []
    at_s, record = 0.0, 0
    for _ in range(draw(st.integers(1, 40))):
        at_s += draw(st.sampled_from((0.1, 30.0, 400.0, 86_400.0 * 4)))
        match draw(st.sampled_from(("signal", "record", "probe", "resolve", "acknowledge", "wait"))):
            case "signal":
                steps.append(("take", signal(draw(st.sampled_from(FAULTS[:3])), at_s=at_s)))
            case "record":
                record += 1
                home = draw(st.sampled_from(FAULTS[:3]))
                steps.append(("take", signal(home, at_s=at_s, record=f"r{record}", head=True)))
                full = draw(st.sampled_from(FAULTS[:3]))
                steps.append(("take", signal(full, at_s=at_s + 0.1, record=f"r{record}", moved_from=home)))
            case "probe":
                state = draw(st.sampled_from(list(SignalState)))
                steps.append(("take", probe(state, at_s=at_s)))
            case other:
                steps.append((other, at_s))
    return steps


@settings(max_examples=200, deadline=None)
@given(course=courses())
def test_whatever_happens_there_is_one_open_ticket_a_fault_and_every_event_is_counted_once(
    course: list[tuple[str, object]],
) -> None:
    desk = Desk()
    events = 0
    for what, detail in course:
        if isinstance(detail, Signal):
            desk.take(detail)
            fires = detail.state is SignalState.FIRING
            events += fires and not detail.moved_from
        elif what == "wait":
            assert isinstance(detail, float)
            desk.wait(detail)
        elif desk.open:
            assert isinstance(detail, float)
            ticket, now_ns = desk.open[0], NOON + round(detail * SECOND)
            if what == "resolve":
                desk.tickets[ticket.id] = tickets.resolved(ticket, "done", now_ns=now_ns)
            else:
                desk.tickets[ticket.id] = tickets.acknowledged(ticket, "ada", now_ns=now_ns)
        doubled = [fault for fault, n in Counter(t.fault for t in desk.open).items() if n > 1]
        assert not doubled
    counted = sum(t.count for t in desk.tickets.values() if not t.merged_into)
    assert counted == events
