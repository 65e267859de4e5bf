"""Giving tickets to engineers: by hand, on advice, or by itself as the desk's policy says.

The policy is off, suggest (the reason stands in the history, a person decides) or assign. Not here: how one is chosen
(`alerting.assignment`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import assignment
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.assignment import Choice, Wish
from sitewarden_alerting.model import Ticket, TicketState
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import paging
from sitewarden_collector.services.desk.changing import noted, taken, text_of, trying, written
from sitewarden_collector.store import engineers, settings, sites, tickets

POLICIES = ("off", "suggest", "assign")
BY_RULES = "rules"
_POLICY = "assignment"
NAME_MAX_CHARS = 200


def assign(tx: Connection, number: str, to: str, *, by: str, now_ns: int, reason: str = "") -> Ticket:
    """`to` is to do it. Taking a ticket oneself is an acknowledgement too; giving it to another goes on paging them."""
    ticket = taken(tx, number)
    who = text_of(to, "the assignee", most=NAME_MAX_CHARS)
    with trying():
        if who == by:
            ticket = moves.acknowledged(ticket, who, now_ns=now_ns)
            paging.stop(tx, ticket, now_ns=now_ns)
        else:
            ticket = moves.assigned(ticket, who)
    engineers.was_given(tx, who, now_ns=now_ns)
    text = f"given to {who}" + (f": {reason}" if reason else "")
    return written(tx, ticket, "assign_ticket", text, by=by, now_ns=now_ns, data={"assignee": who, "reason": reason})


def unassign(tx: Connection, number: str, *, by: str, now_ns: int) -> Ticket:
    """Nobody has it any more. Raises Conflict where nobody has."""
    ticket = taken(tx, number)
    if not ticket.assignee or not ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value} and {ticket.assignee or 'nobody'} has it")
    text = f"taken from {ticket.assignee}"
    ticket = replace(ticket, assignee="")
    return written(tx, ticket, "assign_ticket", text, by=by, now_ns=now_ns, data={"assignee": ""})


def suggest(tx: Connection, number: str, *, now_ns: int, wish: Wish | None = None) -> Choice:
    """Who should have this ticket, and why: what it asks of an engineer, unless `wish` says otherwise."""
    ticket = tickets.by_number(tx, number)
    wanted = wish or _wish(ticket, sites.locales(tx, [ticket.customer_id]))
    return assignment.choose(engineers.candidates(tx), ticket, now_ns, wish=wanted)


def give(tx: Connection, number: str, *, by: str, now_ns: int, wish: Wish | None = None) -> Ticket:
    """Give the ticket to whoever is suggested. Raises Conflict where nobody can take it."""
    choice = suggest(tx, number, now_ns=now_ns, wish=wish)
    if not choice.who:
        raise Conflict(f"{number} can be given to nobody: {choice.reason}")
    return assign(tx, number, choice.who, by=by, now_ns=now_ns, reason=choice.reason)


def policy(tx: Connection) -> str:
    return str(settings.get(tx, _POLICY) or "off")


def set_policy(tx: Connection, wanted: str) -> None:
    """Raises Invalid."""
    if wanted not in POLICIES:
        raise Invalid(f"assignment cannot be {wanted!r}; it is {', '.join(POLICIES)}")
    settings.put(tx, _POLICY, wanted)


def step(tx: Connection, *, now_ns: int, limit: int = 50) -> int:
    """Give, or suggest for, the new tickets that nobody has, as the policy says; how many. Each is looked at once."""
    wanted = policy(tx)
    if wanted == "off":
        return 0
    if not engineers.every(tx):
        return 0
    done = 0
    given = (TicketState.NEW, TicketState.REOPENED) if wanted == "assign" else ()
    waiting = tickets.unassigned(tx, limit=limit, but_without="suggest_assignee", states=given)
    locales = sites.locales(tx, {ticket.customer_id for ticket in waiting}) if waiting else {}
    for ticket in waiting:
        choice = assignment.choose(engineers.candidates(tx), ticket, now_ns, wish=_wish(ticket, locales))
        if not choice.who:
            return done  # nobody has room: the others wait as well
        if ticket.state in given:
            assign(tx, ticket.number, choice.who, by=BY_RULES, now_ns=now_ns, reason=choice.reason)
        else:
            data = {"assignee": choice.who, "reason": choice.reason}
            text = f"{choice.who} could take it: {choice.reason}"
            noted(tx, ticket, "suggest_assignee", text, by=BY_RULES, now_ns=now_ns, data=data)
        done += 1
    return done


def _wish(ticket: Ticket, locales: Mapping[str, str]) -> Wish:
    """The customer's language, and the component as the product that an engineer may know."""
    return Wish(language=locales.get(ticket.customer_id, ""), product=ticket.component)
