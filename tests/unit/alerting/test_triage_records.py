"""Rules and triage together: records that come in parts, from several files, in any chunks, end in exact tickets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import Key, LogEvent, Observation, Place
from sitewarden_alerting.rules import NewFault, Rulebook, SiteState, Storm, evaluate
from sitewarden_alerting.triage import decide
from tests.unit.alerting.test_triage import Desk

SECOND = 1_000_000_000
NOON = 1_795_521_600 * SECOND
PLAIN = Rulebook((NewFault(name="errors"),))
STORMY = Rulebook((NewFault(name="errors"), Storm(name="storm", events=3, faults=3)))


@dataclass(frozen=True)
class Record:
    """One record of a file: its first line's fault, and the whole's where it has more lines."""

    file: str
    offset: int
    line: str
    whole: str | None
    at_once: bool  # read when it was complete already

    @property
    def fault(self) -> str:
        return self.whole or self.line


def event(record: Record, part: str, fault: str, at: int) -> Observation:
    place = Place("acme", "acme-berlin", "agent-web", "web-1")
    what = LogEvent(
        source="shop",
        file=record.file,
        file_id=record.file,
        offset=record.offset,
        part=part,  # type: ignore[arg-type]
        severity=4,
        component="shop",
        message=fault,
        template=fault,
        fingerprint=fault,
        count=1,
        logged_ns=0,
        truncated=False,
    )
    return Observation(place, Key("0a", at, 0), NOON + at * SECOND // 10, NOON + at * SECOND // 10, what)


@st.composite
def files(draw: st.DrawFn) -> list[list[Record]]:
    """Up to three files with up to eight records each; first lines are shared by several faults."""
    made = []
    for file in ("a.log", "b.log", "c.log")[: draw(st.integers(1, 3))]:
        records = []
        for offset in range(draw(st.integers(1, 8))):
            whole = draw(st.sampled_from((None, "f1:x", "f1:y", "f1:h")))
            line = draw(st.sampled_from(("f1:h", "f1:g")))
            records.append(Record(file, offset, line, whole, draw(st.booleans())))
        made.append(records)
    return made


def stream(draw_order: list[int], made: list[list[Record]]) -> list[Observation]:
    """The observations of all files, each file in its own order, interleaved as `draw_order` says. Every file ends with
    a record that settles the one before it."""
    waiting = []
    for records in made:
        parts: list[tuple[Record, str, str]] = []
        for record in [*records, Record(records[0].file, 99, "f1:end", None, True)]:
            if record.at_once:
                parts.append((record, "whole", record.fault))
            else:
                parts.append((record, "head", record.line))
                if record.whole is not None:
                    parts.append((record, "full", record.whole))
        waiting.append(parts)
    out: list[Observation] = []
    while any(waiting):
        turn = draw_order[len(out) % len(draw_order)] if draw_order else 0
        alive = [parts for parts in waiting if parts]
        record, part, fault = alive[turn % len(alive)].pop(0)
        out.append(event(record, part, fault, len(out) + 1))
    return out


def tickets_after(book: Rulebook, observations: list[Observation], cuts: list[int]) -> Desk:
    desk, state = Desk(), SiteState()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(observations)], strict=True):
        done = evaluate(book, state, observations[start:end], now_ns=NOON + 86_400 * SECOND)
        state = done.state
        assert not done.failures
        decided = decide(done.signals, desk.tickets.values(), (), Policy(), now_ns=NOON + 86_400 * SECOND)
        desk.write(decided)
        doubled = [fault for fault, n in Counter(ticket.fault for ticket in desk.open).items() if n > 1]
        assert not doubled
    return desk


@settings(max_examples=150, deadline=None)
@given(made=files(), order=st.lists(st.integers(0, 2), max_size=12), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_every_record_is_counted_once_under_the_fault_of_its_whole(
    made: list[list[Record]], order: list[int], cuts: list[int]
) -> None:
    desk = tickets_after(PLAIN, stream(order, made), cuts)
    truth = Counter(record.fault for records in made for record in records) + Counter({"f1:end": len(made)})
    assert {ticket.fault: ticket.count for ticket in desk.open} == dict(truth)
    assert all(ticket.heads == () for ticket in desk.open)


@settings(max_examples=60, deadline=None)
@given(made=files(), order=st.lists(st.integers(0, 2), max_size=12), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_in_a_storm_every_record_is_counted_once_too(
    made: list[list[Record]], order: list[int], cuts: list[int]
) -> None:
    desk = tickets_after(STORMY, stream(order, made), cuts)
    assert sum(ticket.count for ticket in desk.open) == sum(len(records) + 1 for records in made)


@settings(max_examples=60, deadline=None)
@given(made=files(), order=st.lists(st.integers(0, 2), max_size=12), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_tickets_do_not_depend_on_how_the_stream_was_cut(
    made: list[list[Record]], order: list[int], cuts: list[int]
) -> None:
    observations = stream(order, made)
    whole = {t.fault: t.count for t in tickets_after(PLAIN, observations, []).open}
    assert {t.fault: t.count for t in tickets_after(PLAIN, observations, cuts).open} == whole
