"""What a clock did, in words: `paused 16:10 to 09:00, waiting for the customer, calendar version 3`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.servicelevels.clock import Clock, ClockState, Span, Why

_FOR = {"customer": "the customer", "third_party": "a third party", "change": "a change"}


def lines(clock: Clock, *, zone: str = "") -> Iterator[str]:
    """A line a span, in the calendar's zone unless told otherwise; then how the clock stands."""
    for span in clock.spans:
        yield line(span, zone=zone or clock.zone)
    yield standing(clock, zone=zone)


def line(span: Span, *, zone: str) -> str:
    """One span."""
    said = [_why(span)]
    if span.by and span.why in (Why.WAITING, Why.CORRECTED):
        said.append(f"by {span.by}")
    said.append(f"calendar {span.calendar} version {span.version}")
    verb = "counted" if span.counts else "paused"
    if span.counts:
        said[0:1] = [said[0]] if span.detail else []
    return f"{verb} {_from_to(span, zone)}, {', '.join(said)}"


def standing(clock: Clock, *, zone: str = "") -> str:
    """How a clock stands, in one line."""
    where = zone or clock.zone
    used = f"{amount(clock.elapsed_ns)} of {amount(clock.goal_ns)} used"
    match clock.state:
        case ClockState.MET | ClockState.LATE if clock.ended_ns is not None:
            return f"{clock.state.value} {moment(clock.ended_ns, where)}: {used}"
        case ClockState.BREACHED if clock.breached_ns is not None:
            return f"breached {moment(clock.breached_ns, where)}: {used}"
        case ClockState.STOPPED:
            return f"stopped with the ticket: {used}"
    if clock.due_ns is None:
        return f"{clock.state.value}: {used}, due that much later than it goes on"
    return f"{clock.state.value.replace('_', ' ')}: {used}, due {moment(clock.due_ns, where)}"


def amount(ns: int) -> str:
    """A length of time, to the second: `1h 30m`."""
    seconds = ns // SECOND_NS
    parts = [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def moment(ns: int, zone: str) -> str:
    """An instant as the wall clock of a zone shows it, with its offset, so that a repeated hour can be told apart."""
    return datetime.fromtimestamp(ns // SECOND_NS, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")


def _why(span: Span) -> str:
    match span.why:
        case Why.COUNTS:
            return span.detail
        case Why.WAITING:
            return f"waiting for {_FOR.get(span.detail, span.detail)}"
        case Why.HOLIDAY:
            return f"holiday {span.detail}"
        case Why.CORRECTED:
            return f"corrected: {span.detail}"
        case Why.DONE:
            return "resolved"
        case Why.PROPOSED:
            return "a solution lay proposed"
        case _:
            return "outside hours"


def _from_to(span: Span, zone: str) -> str:
    where = ZoneInfo(zone)
    first = datetime.fromtimestamp(span.from_ns // SECOND_NS, where)
    last = datetime.fromtimestamp(span.until_ns // SECOND_NS, where)
    end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} to {end}"
