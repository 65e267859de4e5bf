"""A major incident: declared once, paged once with a count, experts called in, customers told at set times, reviewed.

`step` declares those that reach far enough by themselves, where the desk wants that, and warns of each update that is
overdue, once. In a storm hundreds of faults reach far: the widest few are declared, for nobody leads more of them at a
time, and what is still wide when one of those has ended follows it. Their tickets page as ever. Not here: what is far
enough (`alerting.majors`), and how a page gets out (`services.paging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting import majors as pure
from sitewarden_alerting.majors import MajorPolicy
from sitewarden_alerting.model import Ticket
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import paging
from sitewarden_collector.services.desk import comments, informing
from sitewarden_collector.services.desk.changing import LINE_MAX_CHARS, noted, taken, text_of, written
from sitewarden_collector.store import majors, settings, tasks, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.comments import Comment
from sitewarden_collector.store.majors import Major
from sitewarden_collector.store.tasks import StoredTask

BY_RULES = "rules"
EXPERTS_MAX = 50
AT_ONCE = 10  # declared in one step
GOING_ON_MAX = 10  # that were declared by the rules; people may declare any number
_POLICY = "majors"


@dataclass(frozen=True, slots=True)
class ShownMajor:
    major: Major
    ticket: Ticket
    concerned: tuple[str, ...]  # numbers of the open tickets that it is about
    actions: tuple[StoredTask, ...]


def declare(
    tx: Connection,
    number: str,
    reason: str,
    *,
    by: str,
    now_ns: int,
    experts: Sequence[str] = (),
    update_every_s: float | None = None,
) -> Major:
    """It is a major incident: whoever is on call and the experts are paged once, with how many tickets there are."""
    ticket = taken(tx, number)
    if not ticket.is_open or ticket.major:
        raise Conflict(f"{ticket.number} is {'a major incident already' if ticket.major else ticket.state.value}")
    wanted = policy(tx).update_every_s if update_every_s is None else update_every_s
    if wanted < 60:
        raise Invalid("customers cannot be told more often than every minute")
    called = _names(experts)
    major = Major(
        ticket_id=ticket.id,
        number=ticket.number,
        customer_id=ticket.customer_id,
        reason=text_of(reason, "the reason", most=LINE_MAX_CHARS),
        declared_ns=now_ns,
        declared_by=by,
        experts=called,
        update_every_s=wanted,
        next_update_ns=pure.next_update_ns(now_ns, wanted),
    )
    majors.put(tx, major)
    ticket = replace(ticket, major=True)
    data = {"experts": called, "next_update_ns": major.next_update_ns}
    written(tx, ticket, "set_major", f"major incident: {major.reason}", by=by, now_ns=now_ns, data=data)
    count = len(majors.concerned(tx, ticket))
    paging.major(tx, ticket, count=count, experts=called, now_ns=now_ns)
    return major


def call_in(tx: Connection, number: str, experts: Sequence[str], *, by: str, now_ns: int) -> Major:
    """Page further experts; those who were called in already are not paged again."""
    major, ticket = _going_on(tx, number)
    fresh = [name for name in _names(experts) if name not in major.experts]
    if not fresh:
        raise Conflict(f"they were called in already: {', '.join(major.experts)}")
    major = replace(major, experts=_names((*major.experts, *fresh)))
    majors.put(tx, major)
    text = f"called in: {', '.join(fresh)}"
    noted(tx, ticket, "call_in", text, by=by, now_ns=now_ns, data={"experts": fresh})
    paging.major(tx, ticket, count=len(majors.concerned(tx, ticket)), experts=fresh, now_ns=now_ns)
    return major


def tell_customers(tx: Connection, number: str, text: str, *, by: str, now_ns: int) -> tuple[Comment, ...]:
    """An update to every customer that is concerned: one comment at each open ticket. The next is due later."""
    major, ticket = _going_on(tx, number)
    told = tuple(
        comments.add(tx, one.number, text, by=by, visibility="customer", now_ns=now_ns)
        for one in majors.concerned(tx, ticket)
    )
    majors.put(tx, replace(major, next_update_ns=pure.next_update_ns(now_ns, major.update_every_s)))
    return told


def end(tx: Connection, number: str, *, by: str, now_ns: int) -> Major:
    """It is no longer a major incident; its review is still to come."""
    major, ticket = _going_on(tx, number)
    major = replace(major, ended_ns=now_ns, next_update_ns=None)
    majors.put(tx, major)
    text = "the major incident is over; its review is to be held"
    noted(tx, ticket, "end_major", text, by=by, now_ns=now_ns)
    return major


def review(tx: Connection, number: str, text: str, *, by: str, now_ns: int) -> Major:
    """What happened, why, and what was learned. It can be written anew; the history tells when. Raises Conflict while
    it goes on."""
    major = majors.by_number(tx, number)
    if major.ended_ns is None:
        raise Conflict(f"{major.number} goes on; end it first (`sitewarden major end`)")
    major = replace(major, review=text_of(text, "the review"), reviewed_ns=now_ns, reviewed_by=by)
    majors.put(tx, major)
    noted(tx, _ticket(tx, major), "review_major", "the review was written", by=by, now_ns=now_ns)
    return major


def add_action(tx: Connection, number: str, text: str, owner: str, due_ns: int, *, by: str, now_ns: int) -> StoredTask:
    """What is to be done so that it does not happen again: every action has an owner and a date."""
    major = majors.by_number(tx, number)
    said, who = text_of(text, "the action"), text_of(owner, "the owner", most=200)
    task = StoredTask(new_id(), "review", major.ticket_id, major.number, major.customer_id, said, who, due_ns, now_ns)
    tasks.put(tx, task)
    data = {"task_id": task.id, "owner": who, "due_ns": due_ns}
    noted(tx, _ticket(tx, major), "add_action", f"{who} is to: {said}", by=by, now_ns=now_ns, data=data)
    return task


def show(tx: Connection, number: str) -> ShownMajor:
    """Raises NotFound."""
    major = majors.by_number(tx, number)
    ticket = _ticket(tx, major)
    numbers = tuple(one.number for one in majors.concerned(tx, ticket))
    return ShownMajor(major, ticket, numbers, tuple(tasks.of(tx, major.ticket_id)))


def listing(tx: Connection, *, going_on: bool = False) -> list[Major]:
    return majors.listing(tx, going_on=going_on)


def is_automatic(tx: Connection) -> bool:
    return bool((settings.get(tx, _POLICY) or {}).get("automatic", True))


def policy(tx: Connection) -> MajorPolicy:
    kept = settings.get(tx, _POLICY) or {}
    return MajorPolicy(**{name: value for name, value in kept.items() if name != "automatic"})


def set_policy(tx: Connection, wanted: MajorPolicy, *, automatic: bool) -> None:
    """Raises Invalid."""
    if wanted.customers < 2 or wanted.sites < 2 or wanted.update_every_s < 60:
        raise Invalid("a major incident needs at least 2 customers or 2 sites, and a minute between updates")
    values = {name: getattr(wanted, name) for name in MajorPolicy.__slots__}
    settings.put(tx, _POLICY, values | {"automatic": automatic})


def step(tx: Connection, *, now_ns: int, limit: int = AT_ONCE) -> int:
    """Declare what reaches far enough, the widest first and `limit` at most, for intake waits for the same writer; and
    say which updates to customers are overdue. How many of both."""
    done = 0
    wanted = policy(tx)
    going_on = majors.listing(tx, going_on=True)
    room = min(limit, GOING_ON_MAX - sum(one.declared_by == BY_RULES for one in going_on))
    far = majors.extents(tx) if room > 0 and is_automatic(tx) else []
    for fault, extent in sorted(far, key=lambda one: (-one[1].customers, -one[1].sites)):
        if done >= room:
            break
        reason = pure.is_major(extent, wanted)
        if reason and (ticket := majors.oldest(tx, fault)) is not None:
            declare(tx, ticket.number, reason, by=BY_RULES, now_ns=now_ns)
            done += 1
    for major in majors.listing(tx, going_on=True):
        due_ns = major.next_update_ns
        if due_ns is not None and due_ns <= now_ns and major.warned_ns != due_ns:
            majors.put(tx, replace(major, warned_ns=due_ns))
            text = "the next update to the customers is overdue"
            ticket = _ticket(tx, major)
            noted(tx, ticket, "warn_update", text, by=BY_RULES, now_ns=now_ns, data={"due_ns": due_ns})
            informing.inform(
                tx,
                ticket.customer_id,
                (ticket.assignee or major.declared_by,),
                subject=f"[{ticket.number}] {text}: {ticket.title}",
                body=f"{text}.\n\nTell them:  sitewarden major tell {ticket.number} TEXT",
                occasion=f"{ticket.id}:major-update:{due_ns}",
                ticket_id=ticket.id,
                now_ns=now_ns,
            )
            done += 1
    return done


def _going_on(tx: Connection, number: str) -> tuple[Major, Ticket]:
    major = majors.by_number(tx, number)
    if major.ended_ns is not None:
        raise Conflict(f"the major incident {major.number} is over")
    return major, _ticket(tx, major)


def _ticket(tx: Connection, major: Major) -> Ticket:
    ticket = tickets.by_id(tx, major.ticket_id, for_update=True)
    assert ticket is not None  # a foreign key
    return ticket


def _names(experts: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in experts if name.strip()))
    if len(names) > EXPERTS_MAX:
        raise Invalid(f"at most {EXPERTS_MAX} experts can be called in")
    return names
