"""The clocks of one ticket, computed from its history.

All of them start at the report or the first observation, whichever is earlier, and count working time of the goal's
calendar. The goals are those of the ticket's priority and agreement as they are now, for all the time since the start.

- first_response is met by the first thing that a person tells the customer, and stays met.
- solution is met by a proposed solution, or by the resolution itself.
- resolution is met when the ticket is resolved.
- A ticket that comes back takes its solution and resolution back, and so does a customer who declines a solution: these
  clocks go on where they stood. The time in which it was resolved, or the solution lay proposed, does not count.
- A first response that nobody gave before the ticket was resolved is not met: its clock stands.
- A correction says of a time that it counts or does not; the last one written wins. It never makes time outside the
  calendar's hours count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.servicelevels.intervals import HORIZON_NS, Sort, is_working, stretches
from sitewarden_alerting.servicelevels.periods import Correction, Moment, Period, done_ns, periods
from sitewarden_alerting.servicelevels.targets import PERCENTS, Agreement, Goal, Target

PROPOSE = "propose_solution"
REJECT = "reject_solution"
COMMENT = "comment"


class ClockState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  # by a reason of waiting, or a correction
    OUTSIDE_HOURS = "outside_hours"
    BREACHED = "breached"  # over its goal, and still not done
    MET = "met"
    LATE = "late"  # done, but after its goal
    STOPPED = "stopped"  # the ticket ended without it, within its goal


class Why(StrEnum):
    """Why a span counts or does not."""

    COUNTS = "counts"
    OUTSIDE_HOURS = "outside_hours"
    HOLIDAY = "holiday"
    WAITING = "waiting"
    PROPOSED = "proposed"  # a solution lay proposed, before the ticket came back
    DONE = "done"  # resolved, before the ticket came back
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Span:
    """What a clock did from one instant to another, and why. `detail` is whom it waited for, a holiday's name, or the
    reason of a correction; `by` who brought that about."""

    from_ns: int
    until_ns: int
    counts: bool
    why: Why
    detail: str
    by: str
    calendar: str
    version: int


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock at one instant. `due_ns` is None while it is paused; `told` are the percentages passed so far, each
    with the instant of it, and `alarm_ns` is when the next of them is passed if nothing changes."""

    target: Target
    state: ClockState
    start_ns: int
    goal_ns: int
    elapsed_ns: int
    due_ns: int | None
    ended_ns: int | None
    breached_ns: int | None
    told: tuple[tuple[int, int], ...]
    alarm_ns: int | None
    calendar: str
    version: int
    zone: str
    spans: tuple[Span, ...]

    @property
    def goal_s(self) -> float:
        return self.goal_ns / SECOND_NS

    @property
    def elapsed_s(self) -> float:
        return self.elapsed_ns / SECOND_NS

    @property
    def remaining_s(self) -> float:
        """Negative once it is broken."""
        return (self.goal_ns - self.elapsed_ns) / SECOND_NS

    @property
    def share(self) -> float:
        """How much of the goal is used up: 1.0 is all of it."""
        return self.elapsed_ns / self.goal_ns

    @property
    def breached(self) -> bool:
        return self.breached_ns is not None

    @property
    def open(self) -> bool:
        """Whether there is still something to do for it."""
        return self.ended_ns is None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a ticket's life, before the calendar is laid over it."""

    from_ns: int
    until_ns: int
    why: Why
    detail: str = ""
    by: str = ""
    corrected: bool = False


def clocks(
    history: Sequence[Moment], agreement: Agreement, *, start_ns: int, priority: int, now_ns: int
) -> tuple[Clock, ...]:
    """Every clock that the agreement gives a ticket of this priority. `history` stands as it was written."""
    through = periods(history, start_ns=start_ns)
    made = []
    for target in Target:
        goal = agreement.goal(priority, target)
        if goal is not None:
            made.append(_clock(target, goal, history, through, agreement, start_ns=start_ns, now_ns=now_ns))
    return tuple(made)


def _clock(
    target: Target,
    goal: Goal,
    history: Sequence[Moment],
    through: Sequence[Period],
    agreement: Agreement,
    *,
    start_ns: int,
    now_ns: int,
) -> Clock:
    met_ns = _met_ns(target, history, through, start_ns=start_ns)
    over_ns = done_ns(through)
    ended_ns = met_ns if met_ns is not None else over_ns
    end_ns = max(start_ns, now_ns if ended_ns is None else ended_ns)
    corrections = [(one.correction, one.by) for one in history if one.correction is not None]
    parts = list(_parts(target, history, through, agreement, corrections, start_ns=start_ns, end_ns=end_ns))
    spans = _merged(span for part in parts for span in _laid(part, goal))
    elapsed_ns = sum(span.until_ns - span.from_ns for span in spans if span.counts)
    passed = _passed(spans, goal.goal_ns)
    held = ended_ns is None and _held(target, through, agreement, corrections, now_ns)
    ahead: dict[int, int] = {}
    if not held:
        ahead = _ahead(target, goal, elapsed_ns, corrections, from_ns=end_ns)
    due_ns = passed.get(100, ahead.get(100))
    breached_ns = due_ns if due_ns is not None and elapsed_ns >= goal.goal_ns and due_ns < end_ns else None
    if ended_ns is None and elapsed_ns >= goal.goal_ns:
        breached_ns = due_ns  # the very instant at which nothing is left
    open_alarms = [at_ns for percent, at_ns in ahead.items() if percent not in passed]
    calendar = goal.line.at(end_ns)
    state = _state(goal, met_ns, ended_ns, breached_ns, held=held, now_ns=now_ns)
    return Clock(
        target=target,
        state=state,
        start_ns=start_ns,
        goal_ns=goal.goal_ns,
        elapsed_ns=elapsed_ns,
        due_ns=due_ns,
        ended_ns=ended_ns,
        breached_ns=breached_ns,
        told=tuple(passed.items()),
        alarm_ns=min(open_alarms) if open_alarms and ended_ns is None else None,
        calendar=calendar.name,
        version=calendar.version,
        zone=calendar.zone,
        spans=spans,
    )


def _met_ns(target: Target, history: Sequence[Moment], through: Sequence[Period], *, start_ns: int) -> int | None:
    if target is Target.RESOLUTION:
        return done_ns(through)
    if target is Target.FIRST_RESPONSE:
        answers = [one.at_ns for one in history if one.person and (one.what == PROPOSE or _told(one))]
        return max(start_ns, min(answers)) if answers else None
    ends = [at_ns for at_ns in (_proposals(history, through)[1], done_ns(through)) if at_ns is not None]
    return max(start_ns, min(ends)) if ends else None


def _told(one: Moment) -> bool:
    return one.what == COMMENT and one.visible


def _parts(
    target: Target,
    history: Sequence[Moment],
    through: Sequence[Period],
    agreement: Agreement,
    corrections: Sequence[tuple[Correction, str]],
    *,
    start_ns: int,
    end_ns: int,
) -> Iterator[_Part]:
    """The life of a ticket up to an instant, as one clock sees it, without the calendar."""
    layers: list[_Part] = []
    for i, period in enumerate(through):
        until_ns = through[i + 1].from_ns if i + 1 < len(through) else end_ns
        if period.done:
            layers.append(_Part(period.from_ns, until_ns, Why.DONE, by=period.by))
        elif (period.waiting, target) in agreement.pauses:
            layers.append(_Part(period.from_ns, until_ns, Why.WAITING, period.waiting, period.by))
    if target is Target.SOLUTION:
        layers += _proposals(history, through)[0]
    for correction, by in corrections:
        if correction.target in (None, target):
            why = Why.COUNTS if correction.counts else Why.CORRECTED
            layers.append(_Part(correction.from_ns, correction.until_ns, why, correction.reason, by, corrected=True))
    edges = sorted({start_ns, end_ns, *(e for one in layers for e in (one.from_ns, one.until_ns))})
    for from_ns, until_ns in itertools.pairwise(edges):
        if from_ns < start_ns or until_ns > end_ns:
            continue
        over = [one for one in layers if one.from_ns <= from_ns and until_ns <= one.until_ns]
        if over:
            yield _Part(from_ns, until_ns, over[-1].why, over[-1].detail, over[-1].by, over[-1].corrected)
        else:
            yield _Part(from_ns, until_ns, Why.COUNTS)


def _proposals(history: Sequence[Moment], through: Sequence[Period]) -> tuple[list[_Part], int | None]:
    """The times in which a solution lay proposed that did not hold, and since when one lies that still stands."""
    steps = [(one.at_ns, one.what, one.by) for one in history if one.what in (PROPOSE, REJECT)]
    for before, after in itertools.pairwise(through):
        if before.done and not after.done:
            steps.append((after.from_ns, REJECT, after.by))
    failed: list[_Part] = []
    since: tuple[int, str] | None = None
    for at_ns, what, by in sorted(steps, key=lambda step: step[0]):
        if what == PROPOSE and since is None:
            since = at_ns, by
        elif what == REJECT and since is not None:
            failed.append(_Part(since[0], at_ns, Why.PROPOSED, by=since[1]))
            since = None
    return failed, None if since is None else since[0]


def _laid(part: _Part, goal: Goal) -> Iterator[Span]:
    """The calendar laid over a part. What does not count anyway keeps its own reason, whatever the hour."""
    for one in stretches(goal.line, part.from_ns, part.until_ns):
        calendar = one.calendar
        if part.why is Why.COUNTS and one.sort is not Sort.WORKING:
            why, detail, by = Why(one.sort.value), one.name, ""
        elif part.why is Why.COUNTS:
            why, detail, by = Why.COUNTS, part.detail or one.name, part.by
        else:
            why, detail, by = part.why, part.detail, part.by
        yield Span(one.from_ns, one.until_ns, why is Why.COUNTS, why, detail, by, calendar.name, calendar.version)


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for one in spans:
        last = found[-1] if found else None
        if last is not None and last.until_ns == one.from_ns and _same(last, one):
            found[-1] = Span(
                last.from_ns, one.until_ns, one.counts, one.why, one.detail, one.by, one.calendar, one.version
            )
        else:
            found.append(one)
    return tuple(found)


def _same(a: Span, b: Span) -> bool:
    return (a.why, a.detail, a.by, a.calendar, a.version) == (b.why, b.detail, b.by, b.calendar, b.version)


def _passed(spans: Sequence[Span], goal_ns: int) -> dict[int, int]:
    """The percentages that were passed, and when."""
    found: dict[int, int] = {}
    before_ns = 0
    for span in spans:
        if not span.counts:
            continue
        after_ns = before_ns + span.until_ns - span.from_ns
        for percent in PERCENTS:
            wanted_ns = _part_of(goal_ns, percent)
            if percent not in found and wanted_ns <= after_ns:
                found[percent] = span.from_ns + max(0, wanted_ns - before_ns)
        before_ns = after_ns
    return found


def _ahead(
    target: Target, goal: Goal, elapsed_ns: int, corrections: Sequence[tuple[Correction, str]], *, from_ns: int
) -> dict[int, int]:
    """When the percentages that are not passed yet will be, if nothing happens."""
    found: dict[int, int] = {}
    wanted = [percent for percent in PERCENTS if _part_of(goal.goal_ns, percent) > elapsed_ns]
    off = [one for one, _ in corrections if one.target in (None, target) and not one.counts and one.until_ns > from_ns]
    for one in stretches(goal.line, from_ns, from_ns + HORIZON_NS):
        if not wanted:
            break
        if one.sort is not Sort.WORKING:
            continue
        edges = sorted({one.from_ns, one.until_ns, *(e for c in off for e in (c.from_ns, c.until_ns))})
        for a_ns, b_ns in itertools.pairwise(edges):
            inside = one.from_ns <= a_ns and b_ns <= one.until_ns
            if not inside or any(c.from_ns <= a_ns and b_ns <= c.until_ns for c in off):
                continue
            while wanted and _part_of(goal.goal_ns, wanted[0]) - elapsed_ns <= b_ns - a_ns:
                percent = wanted.pop(0)
                found[percent] = a_ns + _part_of(goal.goal_ns, percent) - elapsed_ns
            elapsed_ns += b_ns - a_ns
    return found


def _part_of(goal_ns: int, percent: int) -> int:
    return -(-goal_ns * percent // 100)


def _held(
    target: Target,
    through: Sequence[Period],
    agreement: Agreement,
    corrections: Sequence[tuple[Correction, str]],
    now_ns: int,
) -> bool:
    """Whether a clock that has not ended is held at an instant."""
    held = (through[-1].waiting, target) in agreement.pauses
    for one, _ in corrections:
        if one.target in (None, target) and one.from_ns <= now_ns < one.until_ns:
            held = not one.counts
    return held


def _state(
    goal: Goal, met_ns: int | None, ended_ns: int | None, breached_ns: int | None, *, held: bool, now_ns: int
) -> ClockState:
    if met_ns is not None:
        return ClockState.MET if breached_ns is None else ClockState.LATE
    if breached_ns is not None:
        return ClockState.BREACHED
    if ended_ns is not None:
        return ClockState.STOPPED
    if held:
        return ClockState.PAUSED
    return ClockState.RUNNING if is_working(goal.line, now_ns) else ClockState.OUTSIDE_HOURS
