"""Who is told of a ticket: pages that escalate until somebody acknowledges, and notices that do not.

`tell` begins an escalation in the transaction of the decision behind it and takes its first step there, so a ticket
that pages and its page cannot part. `step` takes what is due afterwards; `clock_alarm` asks further levels as the
contract's clock runs down; `stop` ends it all. Every step is a row before it is a message, so a restart loses none and
repeats none. A page that a silence or a maintenance window holds back begins anew when that is over.

Not here: who stands in line (`services.roster`), booking and wording pages (`services.page_book`, `services.pages`),
sending (`services.notifying`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import escalation, routing
from sitewarden_alerting.escalation import Status, Taken, Target
from sitewarden_alerting.model import SECOND_NS, Person, Ticket
from sitewarden_alerting.silences import silencing
from sitewarden_alerting.wording import cut
from sitewarden_collector.services import aftermath, pages, roster
from sitewarden_collector.services.digests import Digests
from sitewarden_collector.services.page_book import PageBook
from sitewarden_collector.services.roster import Line
from sitewarden_collector.store import escalations, notices, silences, tickets
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
    aftermath.record_all(tx, tell_all(tx, [(decision, ticket)], on_call, now_ns=now_ns), now_ns=now_ns)


def tell_all(
    tx: Connection, news: Sequence[tuple[made.Notify, Ticket]], on_call: Sequence[Person], *, now_ns: int
) -> list[tuple[Ticket, list[Event]]]:
    """The same for many decisions, in their order. The lines of history that this makes are the caller's to write."""
    book = PageBook(tx, now_ns, on_call)
    recovered = Digests(tx, now_ns)
    told: list[tuple[Ticket, list[Event]]] = []
    for first in range(0, len(news), DUE_PER_STEP):
        part = news[first : first + DUE_PER_STEP]
        book.prepare([ticket for decision, ticket in part if _pages(decision, ticket)])
        for decision, ticket in part:
            if _pages(decision, ticket):
                _begin(book, ticket, decision.reason)
            else:
                _inform_of(book, recovered, decision, ticket)
        told += book.write_down()
    return told


def _pages(decision: made.Notify, ticket: Ticket) -> bool:
    # What somebody has acknowledged pages nobody any more: its owner is told instead.
    return decision.kind == "page" and ticket.acknowledged_ns is None


def _inform_of(book: PageBook, recovered: Digests, decision: made.Notify, ticket: Ticket) -> None:
    tx, now_ns, line = book.tx, book.now_ns, book.line(ticket.customer_id)
    kind = "info" if decision.kind == "page" else decision.kind
    first = (ticket.assignee,) if ticket.assignee and line.roads(ticket.assignee) else ()
    route = routing.first(line.as_persons(first), kind)
    if route is None:
        book.tell(ticket, [_nobody(now_ns)])
        return
    site, customer = tickets.names(tx, ticket.site_id)
    news = "recovered: " if kind == "recovery" else _again(ticket)
    address = line.address(route.person, route.channel)
    until_ns = roster.quiet_until(line.known.get(route.person), now_ns=now_ns)
    within = ""
    if kind == "recovery":
        within = recovered.place(route.person, route.channel, address=address, not_before_ns=until_ns)
    notices.add(
        tx,
        kind=kind,
        person=route.person,
        channel=route.channel,
        address=address,
        subject=cut(f"[{ticket.number}] {site}: {news}{ticket.title}", 200),
        body=pages.body(tx, ticket, site, customer, reason=decision.reason, take=False),
        ticket_id=ticket.id,
        urgency=route.urgency,
        now_ns=now_ns,
        not_before_ns=until_ns,
        dedup_key=f"{ticket.id}:{decision.occasion}",
        within=within,
    )
    text = f"{kind} to {route.person} by {route.channel} ({route.reason.value}): {decision.reason}"
    data = {"person": route.person, "channel": route.channel, "kind": kind}
    book.tell(ticket, [Event(now_ns, "notify", BY_RULES, text, data=data)])


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
    early_ns = now_ns + escalation.BACKWARD_TOLERANCE_NS
    due = escalations.due(tx, now_ns=now_ns, early_ns=early_ns, limit=limit)
    if not due:
        return 0
    quiet = silences.active(tx, now_ns=now_ns)
    there = tickets.by_ids(tx, [found.ticket_id for found in due])
    book = PageBook(tx, now_ns)
    book.prepare(list(there.values()), running=due)
    for found in due:
        ticket = there.get(found.ticket_id)
        if ticket is None or not ticket.is_open or ticket.acknowledged_ns is not None:
            taken = ticket is not None and ticket.acknowledged_ns is not None
            book.move(found, escalation.finish(found.state, Status.ACKNOWLEDGED if taken else Status.ENDED))
            continue
        silence = silencing(quiet, ticket, now_ns=now_ns)
        window = book.windows.get(ticket.site_id)
        if silence is not None or window is not None:
            ends_ns = silence.until_ns if silence is not None else window.until_ns if window is not None else 0
            hush(tx, ticket, until_ns=min(ends_ns, now_ns + 3600 * SECOND_NS), now_ns=now_ns)
            continue
        _advance(book, ticket, found)
    book.flush()
    return len(due)


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
    book = PageBook(tx, now_ns)
    book.prepare([ticket], running=[found])
    step = f"clock-{target}-{percent}"
    told = _page_all(book, ticket, line, asked, round=found.state.round, step=step, why=reason, reason=reason)
    book.flush()
    return told


def major(tx: Connection, ticket: Ticket, *, count: int, experts: Sequence[str], now_ns: int) -> tuple[str, ...]:
    """Page once for a major incident: whoever is on call and the experts called in, with the number of tickets."""
    line = roster.line(tx, ticket.customer_id, at_ns=now_ns)
    line = replace(line, known=line.known | roster.known(tx, experts))
    reason = f"major incident: {count} tickets so far" + (f"; called in: {', '.join(experts)}" if experts else "")
    book = PageBook(tx, now_ns)
    book.prepare([ticket])
    if ticket.id not in book.found and ticket.acknowledged_ns is None:
        policy = book.policy(line)
        state = escalation.begin(policy, now_ns=now_ns)
        first = policy.steps[1].after_s if len(policy.steps) > 1 else policy.repeat_after_s
        state = replace(state, step=min(1, len(policy.steps) - 1), next_ns=now_ns + round(first * SECOND_NS))
        book.begin(Running(ticket.id, ticket.customer_id, policy, reason, state, now_ns))
    asked = dict.fromkeys((*line.reachable()[:1], *experts))
    told = _page_all(book, ticket, line, list(asked), round=0, step="major", why=reason, reason=reason, news="MAJOR: ")
    book.flush()
    return told


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


def _begin(book: PageBook, ticket: Ticket, reason: str) -> None:
    line = book.line(ticket.customer_id)
    if not line.reachable():
        book.tell(ticket, [_nobody(book.now_ns)])
        return
    before = book.found.get(ticket.id)
    if before is not None and before.state.status is Status.RUNNING:
        return  # somebody is being asked already
    policy = book.policy(line)
    state = escalation.begin(policy, now_ns=book.now_ns, after=None if before is None else before.state)
    found = Running(ticket.id, ticket.customer_id, policy, reason, state, book.now_ns)
    window = book.windows.get(ticket.site_id)
    if window is not None:
        if before is not None:
            pages.drop(book.tx, ticket)
        state = escalation.held(state, now_ns=book.now_ns, until_ns=window.until_ns)
        book.begin(replace(found, state=state))
        text = f"maintenance until the end of {window.number} ({window.reason}): nobody is paged before"
        book.tell(ticket, [Event(book.now_ns, "hold_pages", BY_RULES, text)])
        return
    after, taken = escalation.advance(policy, state, now_ns=book.now_ns)
    book.begin(replace(found, state=after))
    if taken is not None:
        _take(book, ticket, found, taken)


def _advance(book: PageBook, ticket: Ticket, found: Running) -> None:
    state, taken = escalation.advance(found.policy, found.state, now_ns=book.now_ns)
    if state != found.state:
        book.move(found, state)
    if taken is not None:
        _take(book, ticket, found, taken)


def _take(book: PageBook, ticket: Ticket, found: Running, taken: Taken) -> None:
    line = book.line(ticket.customer_id)
    told = _page_all(
        book,
        ticket,
        line,
        _asked(line, taken.what.whom, person=taken.what.person, level=taken.level),
        round=taken.round,
        step=str(taken.step),
        why=taken.why,
        reason=found.reason,
        news=_again(ticket),
        taken=taken,
    )
    if not told:
        book.tell(ticket, [_nobody(book.now_ns)])


def _page_all(
    book: PageBook,
    ticket: Ticket,
    line: Line,
    asked: Sequence[str],
    *,
    round: int,
    step: str,
    why: str,
    reason: str,
    news: str = "",
    taken: Taken | None = None,
) -> tuple[str, ...]:
    """Page these people for one step, and write down who was asked and why."""
    told, events = [], []
    for person in dict.fromkeys(asked):
        page = book.write(ticket, line, person, round=round, step=step, why=why, reason=reason, news=news)
        if page is None:
            continue
        told.append(person)
        data = {"person": person, "round": round, "step": step, "notice": page.notice_id}
        events.append(Event(book.now_ns, "page", BY_RULES, f"page to {person} ({why}): {reason}", data=data))
    if told and (taken is None or taken.step > 0 or taken.round > 0):
        data = {"people": told, "round": round, "step": step}
        text = f"escalated to {', '.join(told)}: {why}"
        events.insert(0, Event(book.now_ns, "escalate", BY_RULES, text, data=data))
    if events:
        book.tell(ticket, events)
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


def _nobody(now_ns: int) -> Event:
    text = (
        "nobody is told: add people with channels under [[on_call]] in the configuration, or a schedule by "
        "`sitewarden oncall add`"
    )
    return Event(now_ns, "nobody_to_tell", BY_RULES, text)


def _again(ticket: Ticket) -> str:
    return "" if ticket.reopenings == 0 else "again: "
