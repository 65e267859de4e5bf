"""A ticket as whoever was called at night reads it: what and where, since when and how often, how the host was, what
changed, where else; then the evidence, the history, and what to type next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sitewarden_alerting.model import SECOND_NS, Evidence, SignalKind, Silence, Ticket
from sitewarden_alerting.observations import Change, Observation
from sitewarden_alerting.wording import cut, duration, quantity, severity_word
from sitewarden_collector.cli import _ticket_overview
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services.desk.overview import Overview
from sitewarden_collector.services.surroundings import LISTED_MAX, Health
from sitewarden_collector.services.tickets import Shown
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.tickets import Listed

TITLE_CHARS = 90
DETAIL_LINES = 12
OPENINGS = ("open_ticket", "reopen_ticket")


def lines(shown: Shown, work: Overview | None = None, *, now_ns: int) -> Iterator[str]:
    """The page, line by line."""
    ticket = shown.ticket
    yield f"{ticket.number}  {ticket.title}"
    yield from ("  " + one for one in _head(shown, now_ns=now_ns) if one)
    if work is not None:
        yield from ("  " + one for one in _ticket_overview.lines(ticket, work))
    yield ""
    if work is not None:
        yield from _ticket_overview.comments(work)
    yield "Evidence:" if shown.evidence else "No evidence is kept."
    yield from _evidence(shown.evidence, hidden=ticket.entries - len(shown.evidence))
    yield ""
    yield "History:"
    yield from (f"  {iso(event.at_ns)} {event.what} by {event.by}: {event.text}" for event in shown.history)
    yield ""
    yield "Next:"
    yield from ("  " + one for one in _next(shown))


def _head(shown: Shown, *, now_ns: int) -> Iterator[str]:
    ticket, around = shown.ticket, shown.around
    yield f"{ticket.state.value}, {severity_word(ticket.severity).lower()}, {shown.site} ({shown.customer})"
    yield from (event.text for event in shown.history if event.what in OPENINGS)
    yield _times(ticket, now_ns=now_ns)
    yield f"fault {ticket.fault}"
    yield f"taken by {ticket.assignee}" if ticket.assignee else ""
    yield f"recovered {iso(ticket.recovered_ns)}" if ticket.recovered_ns else ""
    yield f"resolved {iso(ticket.resolved_ns)}: {ticket.resolution}" if ticket.resolved_ns else ""
    yield f"merged into {shown.merged_into}" if shown.merged_into else ""
    yield _silenced(shown.silence)
    yield f"the ticket before: {ticket.previous}" if ticket.previous else ""
    yield f"{ticket.suppressed} signals that follow from it opened no ticket" if ticket.suppressed else ""
    yield from (_agent(one, now_ns=now_ns) for one in around.agents)
    yield from (_health(one, "began") for one in around.health)
    yield from (_health(one, "was last seen") for one in around.health_last)
    yield from (f"changed {change(one)}" for one in around.changes)
    yield from (f"also open here: {_listed(one)}" for one in around.also_open)
    yield from (f"risk here: {one.risk.number} {one.risk.text}" for one in around.risks)
    yield from _elsewhere(shown)


def _times(ticket: Ticket, *, now_ns: int) -> str:
    since = f"since {iso(ticket.opened_ns)} ({_ago(ticket.opened_ns, now_ns=now_ns)})"
    if ticket.count <= 1:
        return f"{since}, seen once"
    return f"{since}, last {iso(ticket.last_ns)} ({_ago(ticket.last_ns, now_ns=now_ns)}), seen {_often(ticket.count)}"


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _ago(at_ns: int, *, now_ns: int) -> str:
    past_ns = max(0, now_ns - at_ns)
    return f"{duration(past_ns // SECOND_NS * SECOND_NS)} ago"


def _silenced(silence: Silence | None) -> str:
    if silence is None:
        return ""
    return f"silenced by {silence.by} until {iso(silence.until_ns)}: {silence.reason} ({silence.number})"


def _agent(agent: Agent, *, now_ns: int) -> str:
    state = agent.state + (f" ({agent.state_why})" if agent.state_why else "")
    heard = f"last heard of {_ago(agent.last_seen_ns, now_ns=now_ns)}" if agent.last_seen_ns else "never heard of"
    return f"agent on {agent.hostname or agent.id}: {state}, {heard}, version {agent.version}"


def _health(health: Health, when: str) -> str:
    said = []
    for one in health.readings:
        value, peak = quantity(one.value, one.series), quantity(one.peak, one.series)
        said.append(f"{one.name} {value}" + (f" (peak {peak})" if peak != value else ""))
    return f"{health.hostname} when it {when} ({iso(health.at_ns)}): {', '.join(said)}"


def change(one: Observation) -> str:
    """A change in one line, and the first lines of what became different."""
    assert isinstance(one.what, Change)
    what = one.what
    step = f": {what.before} -> {what.after}" if what.before else f": {what.after}" if what.after else ""
    subject = f" {what.subject}" if what.subject and what.subject != one.place.hostname else ""
    said = f"{iso(one.wall_ns)} on {one.place.hostname}: {what.kind.replace('_', ' ')}{subject}{step}"
    return "\n".join([said, *(f"    {line}" for line in what.detail.splitlines()[:DETAIL_LINES])])


def _listed(one: Listed) -> str:
    return f"{one.ticket.number} {cut(one.ticket.title, TITLE_CHARS)}"


def _elsewhere(shown: Shown) -> Iterator[str]:
    there = shown.around.elsewhere
    for one in there[:LISTED_MAX]:
        ticket = one.ticket
        solved = f": {ticket.resolution}" if ticket.resolution else ""
        state = f"{ticket.state.value}, seen {_often(ticket.count)}{solved}"
        yield f"the same fault at {one.site}: {ticket.number}, {state}"
    if len(there) > LISTED_MAX:
        yield f"and in {len(there) - LISTED_MAX} further tickets: sitewarden fault show {shown.ticket.number}"


def _evidence(evidence: Sequence[Evidence], *, hidden: int) -> Iterator[str]:
    for one in evidence:
        yield f"  {iso(one.at_ns)} {one.hostname}"
        yield from (f"    {line}" for line in one.text.splitlines())
    if hidden > 0:
        yield f"  ({hidden} more, between the first and the last, are counted and not kept)"


def _next(shown: Shown) -> Iterator[str]:
    ticket = shown.ticket
    if shown.merged_into:
        yield f"sitewarden ticket show {shown.merged_into}"
        return
    if ticket.is_open and not ticket.assignee:
        yield f"sitewarden ticket ack {ticket.number} --by YOUR-NAME"
    if ticket.is_open:
        yield f'sitewarden ticket resolve {ticket.number} --by YOUR-NAME --how "WHAT SOLVED IT"'
        yield f'sitewarden silence add --site {shown.site} --fault {ticket.number} --for 2h --reason "WHY"'
    if ticket.kind is SignalKind.LOG:
        yield f"sitewarden fault show {ticket.number}"
    yield f"sitewarden site show {shown.site}"
