"""Who is told of a ticket: pages that escalate until somebody acknowledges, and notices that do not.

`tell` begins an escalation in the transaction of the decision behind it and takes its first step there, so a ticket
that pages and its page cannot part. `step` takes what is due afterwards; `clock_alarm` asks further levels as the
contract's clock runs down; `stop` ends it all. Every step is a row before it is a message, so a restart loses none and
repeats none. A page that a silence or a maintenance window holds back begins anew when that is over.

Not here: who stands in line (`services.roster`), the single page (`services.pages`), sending (`services.notifying`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import escalation, routing
from sitewarden_alerting.escalation import EscalationPolicy, Status, Taken, Target
from sitewarden_alerting.model import SECOND_NS, Person, Ticket
from sitewarden_alerting.silences import silencing
from sitewarden_alerting.wording import cut
from sitewarden_collector.services import aftermath, pages, roster
from sitewarden_collector.services.roster import Line
from sitewarden_collector.store import escalations, maintenance, notices, schedules, silences, tickets
from sitewarden_collector.store.escalations import Running
from sitewarden_collector.store.tickets import Event

BY_RULES = "rules"
DUE_PER_STEP = 200
HELD_NS = 30 * SECOND_NS  # how often a page that is held back is looked at


@dataclass(frozen=True, slots=True)
class Paged:
    """One page, as far as it came. `state` is the notice's: pending, sending, sent, failed, parked, cancelled."""

    person: str
    at_ns: int
    why: str
    channel: str
    state: str
    error: str


@dataclass(frozen=True, slots=True)
class PagingState:
    """`status` is running, acknowledged, ended, or empty where nobody was ever paged; `next_whom` at `next_ns`."""

    status: str
    round: int
    step: int
    next_ns: int | None
    next_whom: tuple[str, ...]
    pages: tuple[Paged, ...]


def tell(tx: Connection, decision: made.Notify, ticket: Ticket, on_call: Sequence[Person], *, now_ns: int) -> None:
    """Have somebody told of a decision, in the decision's own transaction. `on_call` is the configuration's list, for
    customers whom no schedule serves."""
    line = roster.line(tx, ticket.customer_id, at_ns=now_ns, fallback=on_call)
    if decision.kind == "page" and ticket.acknowledged_ns is None:
        if not line.reachable():
            _nobody(tx, ticket, now_ns=now_ns)
            return
        _begin(tx, ticket, line, decision.reason, now_ns=now_ns)
        return
    # What somebody has acknowledged pages nobody any more: its owner is told instead.
    kind = "info" if decision.kind == "page" else decision.kind
    first = (ticket.assignee,) if ticket.assignee and line.roads(ticket.assignee) else ()
    route = routing.first(line.as_persons(first), kind)
    if route is None:
        _nobody(tx, ticket, now_ns=now_ns)
        return
    site, customer = tickets.names(tx, ticket.site_id)
    news = "recovered: " if kind == "recovery" else _again(ticket)
    notices.add(
        tx,
        kind=kind,
        person=route.person,
        channel=route.channel,
        address=line.address(route.person, route.channel),
        subject=cut(f"[{ticket.number}] {site}: {news}{ticket.title}", 200),
        body=pages.body(tx, ticket, site, customer, reason=decision.reason, take=False),
        ticket_id=ticket.id,
        urgency=route.urgency,
        now_ns=now_ns,
        not_before_ns=roster.quiet_until(line.known.get(route.person), now_ns=now_ns),
        dedup_key=f"{ticket.id}:{decision.occasion}",
    )
    text = f"{kind} to {route.person} by {route.channel} ({route.reason.value}): {decision.reason}"
    data = {"person": route.person, "channel": route.channel, "kind": kind}
    aftermath.record(tx, ticket, [Event(now_ns, "notify", BY_RULES, text, data=data)], now_ns=now_ns)


def stop(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    """No further page goes out for this ticket, whatever was written already."""
    pages.drop(tx, ticket)
    found = escalations.find(tx, ticket.id)
    if found is not None and found.state.status is Status.RUNNING:
        status = Status.ENDED if ticket.acknowledged_ns is None else Status.ACKNOWLEDGED
        escalations.put(tx, replace(found, state=escalation.finish(found.state, status)))


def hush(tx: Connection, ticket: Ticket, *, until_ns: int, now_ns: int) -> None:
    """Take back what has not gone out for this ticket, and begin anew at `until_ns` should it still need somebody."""
    pages.drop(tx, ticket)
    found = escalations.find(tx, ticket.id)
    if found is not None and found.state.status is Status.RUNNING:
        state = escalation.held(found.state, now_ns=now_ns, until_ns=until_ns)
        escalations.put(tx, replace(found, state=state))


def resume(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    """What held the pages of this ticket back is over before its time: go on at once."""
    found = escalations.find(tx, ticket.id)
    if found is not None and found.state.status is Status.RUNNING and found.state.step == 0:
        state = replace(found.state, since_ns=now_ns, next_ns=min(found.state.next_ns, now_ns))
        escalations.put(tx, replace(found, state=state))


def step(tx: Connection, *, now_ns: int, limit: int = DUE_PER_STEP) -> int:
    """Take the steps whose time has come; how many escalations were looked at. Call again while it is not 0."""
    looked = 0
    lines: dict[str, Line] = {}
    quiet = silences.active(tx, now_ns=now_ns)
    early_ns = now_ns + escalation.BACKWARD_TOLERANCE_NS
    for found in escalations.due(tx, now_ns=now_ns, early_ns=early_ns, limit=limit):
        looked += 1
        ticket = tickets.by_id(tx, found.ticket_id)
        if ticket is None or not ticket.is_open or ticket.acknowledged_ns is not None:
            taken = ticket is not None and ticket.acknowledged_ns is not None
            status = Status.ACKNOWLEDGED if taken else Status.ENDED
            escalations.move(tx, found.ticket_id, found.state, escalation.finish(found.state, status))
            continue
        silence = silencing(quiet, ticket, now_ns=now_ns)
        window = maintenance.covering(tx, ticket.site_id, now_ns=now_ns)
        if silence is not None or window is not None:
            ends_ns = silence.until_ns if silence is not None else window.until_ns if window is not None else 0
            hush(tx, ticket, until_ns=min(ends_ns, now_ns + 3600 * SECOND_NS), now_ns=now_ns)
            continue
        if ticket.customer_id not in lines:
            lines[ticket.customer_id] = roster.line(tx, ticket.customer_id, at_ns=now_ns)
        _advance(tx, ticket, found, lines[ticket.customer_id], now_ns=now_ns)
    return looked


def clock_alarm(tx: Connection, ticket: Ticket, target: str, percent: int, now_ns: int) -> tuple[str, ...]:
    """`percent` of the time that the contract gives for `target` is used up: ask whom that asks; who was told.

    While nobody has acknowledged these are pages. Afterwards managers and the owner are informed, nobody is paged.
    Called again for the same target and percentage it tells nobody twice.
    """
    line = roster.line(tx, ticket.customer_id, at_ns=now_ns)
    left = "is broken" if percent >= 100 else f"is used up by {percent} %"
    reason = f"the contract's time for {target.replace('_', ' ')} {left}"
    found = escalations.find(tx, ticket.id)
    if ticket.acknowledged_ns is not None or found is None or found.state.status is not Status.RUNNING:
        return _inform(tx, ticket, line, reason, f"clock-{target}-{percent}", percent=percent, now_ns=now_ns)
    level = escalation.level(found.policy, found.state) + 1
    asked = [name for whom in escalation.on_clock(percent) for name in _asked(line, whom, level=level)]
    return _page_all(
        tx,
        ticket,
        line,
        asked,
        round=found.state.round,
        step=f"clock-{target}-{percent}",
        why=reason,
        reason=reason,
        now_ns=now_ns,
    )


def major(tx: Connection, ticket: Ticket, *, count: int, experts: Sequence[str], now_ns: int) -> tuple[str, ...]:
    """Page once for a major incident: whoever is on call and the experts called in, with the number of tickets."""
    line = roster.line(tx, ticket.customer_id, at_ns=now_ns)
    line = replace(line, known=line.known | roster.known(tx, experts))
    reason = f"major incident: {count} tickets so far" + (f"; called in: {', '.join(experts)}" if experts else "")
    found = escalations.find(tx, ticket.id)
    if found is None and ticket.acknowledged_ns is None:
        policy = _policy(tx, line)
        state = escalation.begin(policy, now_ns=now_ns)
        first = policy.steps[1].after_s if len(policy.steps) > 1 else policy.repeat_after_s
        state = replace(state, step=min(1, len(policy.steps) - 1), next_ns=now_ns + round(first * SECOND_NS))
        escalations.add(tx, Running(ticket.id, ticket.customer_id, policy, reason, state, now_ns))
    asked = dict.fromkeys((*line.reachable()[:1], *experts))
    return _page_all(
        tx, ticket, line, list(asked), round=0, step="major", why=reason, reason=reason, news="MAJOR: ", now_ns=now_ns
    )


def state_of(tx: Connection, ticket_id: str) -> PagingState:
    """Who was paged for a ticket, when and with what success, and who is asked next and when."""
    found = escalations.peek(tx, ticket_id)
    shown = []
    for page in escalations.pages_of(tx, ticket_id):
        for notice in notices.of_page(tx, page.notice_id):
            error = notice.last_error or ""
            shown.append(Paged(notice.person, page.at_ns, page.why, notice.channel, notice.state, error))
    if found is None:
        return PagingState("", 0, 0, None, (), tuple(shown))
    whom: tuple[str, ...] = ()
    running = found.state.status is Status.RUNNING
    if running and found.policy.steps:
        line = roster.line(tx, found.customer_id, at_ns=found.state.next_ns)
        what = found.policy.steps[found.state.step]
        whom = _asked(line, what.whom, person=what.person, level=escalation.level(found.policy, found.state) + 1)
    state = found.state
    return PagingState(
        state.status.value, state.round, state.step, state.next_ns if running else None, whom, tuple(shown)
    )


def _begin(tx: Connection, ticket: Ticket, line: Line, reason: str, *, now_ns: int) -> None:
    before = escalations.find(tx, ticket.id)
    if before is not None and before.state.status is Status.RUNNING:
        return  # somebody is being asked already
    policy = _policy(tx, line)
    state = escalation.begin(policy, now_ns=now_ns, after=None if before is None else before.state)
    found = Running(ticket.id, ticket.customer_id, policy, reason, state, now_ns)
    if before is None:
        escalations.add(tx, found)
    else:
        escalations.put(tx, found)
    window = maintenance.covering(tx, ticket.site_id, now_ns=now_ns)
    if window is not None:
        hush(tx, ticket, until_ns=window.until_ns, now_ns=now_ns)
        text = f"maintenance until the end of {window.number} ({window.reason}): nobody is paged before"
        aftermath.record(tx, ticket, [Event(now_ns, "hold_pages", BY_RULES, text)], now_ns=now_ns)
        return
    _advance(tx, ticket, found, line, now_ns=now_ns)


def _advance(tx: Connection, ticket: Ticket, found: Running, line: Line, *, now_ns: int) -> None:
    state, taken = escalation.advance(found.policy, found.state, now_ns=now_ns)
    if state != found.state and not escalations.move(tx, ticket.id, found.state, state):
        return  # another collector took this step
    if taken is None:
        return
    asked = _asked(line, taken.what.whom, person=taken.what.person, level=taken.level)
    told = _page_all(
        tx,
        ticket,
        line,
        asked,
        round=taken.round,
        step=str(taken.step),
        why=taken.why,
        reason=found.reason,
        news=_again(ticket),
        now_ns=now_ns,
        taken=taken,
    )
    if not told:
        _nobody(tx, ticket, now_ns=now_ns)


def _page_all(
    tx: Connection,
    ticket: Ticket,
    line: Line,
    asked: Sequence[str],
    *,
    round: int,
    step: str,
    why: str,
    reason: str,
    news: str = "",
    now_ns: int,
    taken: Taken | None = None,
) -> tuple[str, ...]:
    """Page these people for one step, and write down who was asked and why."""
    told, events = [], []
    for person in dict.fromkeys(asked):
        page = pages.write(
            tx, ticket, line, person, round=round, step=step, why=why, reason=reason, news=news, now_ns=now_ns
        )
        if page is None:
            continue
        told.append(person)
        data = {"person": person, "round": round, "step": step, "notice": page.notice_id}
        events.append(Event(now_ns, "page", BY_RULES, f"page to {person} ({why}): {reason}", data=data))
    if told and (taken is None or taken.step > 0 or taken.round > 0):
        data = {"people": told, "round": round, "step": step}
        events.insert(0, Event(now_ns, "escalate", BY_RULES, f"escalated to {', '.join(told)}: {why}", data=data))
    if events:
        aftermath.record(tx, ticket, events, now_ns=now_ns)
    return tuple(told)


def _asked(line: Line, whom: Target, *, level: int, person: str = "") -> tuple[str, ...]:
    """Whom a step asks. Where its own nobody can be reached, somebody who can be is asked instead: no step is empty."""
    there = line.reachable()
    match whom:
        case Target.PERSON if line.roads(person):
            return (person,)
        case Target.MANAGER if managers := tuple(name for name in line.managers if line.roads(name)):
            return managers
        case Target.NEXT if there:
            return (there[level % len(there)],)
        case Target.MANAGER if len(there) > 1:
            return there[1:]
    return there[:1]


def _inform(
    tx: Connection, ticket: Ticket, line: Line, reason: str, occasion: str, *, percent: int, now_ns: int
) -> tuple[str, ...]:
    asked = [ticket.assignee] if ticket.assignee else list(line.reachable()[:1])
    if percent >= 90:
        asked += line.managers
    site, _ = tickets.names(tx, ticket.site_id)
    told = []
    for person in dict.fromkeys(asked):
        for road in line.roads(person)[:1]:
            notices.add(
                tx,
                kind="info",
                person=person,
                channel=road.channel,
                address=road.address,
                subject=cut(f"[{ticket.number}] {site}: {reason}", 200),
                body=f"{reason}.\n\nLook:  sitewarden ticket show {ticket.number}",
                ticket_id=ticket.id,
                urgency=routing.URGENCY["info"],
                now_ns=now_ns,
                not_before_ns=roster.quiet_until(line.known.get(person), now_ns=now_ns),
                dedup_key=f"{ticket.id}:{occasion}:{person}",
            )
            told.append(person)
    return tuple(told)


def _policy(tx: Connection, line: Line) -> EscalationPolicy:
    return EscalationPolicy() if line.schedule is None else schedules.policy_of(tx, line.schedule.id)


def _nobody(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    text = (
        "nobody is told: add people with channels under [[on_call]] in the configuration, or a schedule by "
        "`sitewarden oncall add`"
    )
    aftermath.record(tx, ticket, [Event(now_ns, "nobody_to_tell", BY_RULES, text)], now_ns=now_ns)


def _again(ticket: Ticket) -> str:
    return "" if ticket.reopenings == 0 else "again: "
