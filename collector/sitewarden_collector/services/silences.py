"""Silences in use: begun with a reason and an end, shown, ended early.

A silence is of one site, of a customer or of all, and there of one fault, of the rules whose names match, or of
everything. It holds back new tickets and pages, those in the outbox as well; what an open ticket counts goes on.
Whoever opens a ticket that is silenced reads so in its history; what still needs somebody at its end is paged then.
Not here: holding back (`alerting.triage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from sqlalchemy import Connection

from sitewarden_alerting.model import SECOND_NS, Silence, TicketState
from sitewarden_alerting.silences import exactly, matches
from sitewarden_alerting.wording import exact_moment
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.services import aftermath, faults, paging
from sitewarden_collector.store import changes, silences, sites, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import next_number
from sitewarden_collector.store.silences import Listed
from sitewarden_collector.store.tickets import Event

LONGEST_S = 366 * 86_400


def add(
    tx: Connection,
    site: str = "",
    *,
    customer: str = "",
    fault: str = "",
    rule: str = "",
    for_s: int,
    reason: str,
    by: str,
    now_ns: int,
    rules: Sequence[str] = (),
) -> Silence:
    """Silence a fault (a fingerprint, or a ticket's number), a rule (a glob) or everything: at a site, at all sites of
    a customer, or, with neither, everywhere.

    `rules` are the names of those in force: a pattern that none matches is refused. Raises NotFound, Conflict.
    """
    if not reason.strip():
        raise Conflict("a silence needs its reason: whoever wonders about the quiet has to find it")
    if for_s > LONGEST_S:
        raise Conflict("a silence lasts a year at most; take the rule out with `disable` in a pack of your own")
    if rule and not any(fnmatchcase(name, rule) for name in rules):
        raise NotFound(f"no rule is called {rule}; `sitewarden rules list` shows those in force")
    site_id = sites.by_name(tx, site).id if site else ""
    silence = Silence(
        id=new_id(),
        number=next_number(tx, "SIL"),
        from_ns=now_ns,
        until_ns=now_ns + for_s * SECOND_NS,
        reason=reason.strip(),
        by=by,
        site=site_id,
        customer=sites.customer_id_of(tx, customer) if customer else "",
        rule=rule,
        fault=exactly(faults.named(tx, fault)) if fault else "",
    )
    silences.add(tx, silence)
    _hush(tx, silence, now_ns=now_ns)
    _note(tx, silence, "silenced", by, f"{until(silence)}: {silence.reason}", now_ns=now_ns)
    return silence


def listing(tx: Connection, *, over: bool = False, site: str = "", limit: int = 200, now_ns: int) -> list[Listed]:
    """The silences that hold now, the newest first; with `over` also those that have ended."""
    return silences.listing(tx, over_before_ns=0 if over else now_ns, site=site, limit=limit)


def end(tx: Connection, number: str, *, by: str, now_ns: int) -> Silence:
    """End a silence now. Raises NotFound, and Conflict when it is over already."""
    silence = silences.by_number(tx, number)
    if not silences.end(tx, silence.id, now_ns=now_ns):
        raise Conflict(f"{silence.number} was over at {exact_moment(silence.until_ns)} already; nothing to end")
    for listed in tickets.listing(tx, states=tickets.OPEN, site_id=silence.site, limit=10_000):
        if matches(silence, listed.ticket):
            paging.resume(tx, listed.ticket, now_ns=now_ns)
    _note(tx, silence, "silence_ended", by, f"{silence.number} ended early", now_ns=now_ns)
    return silence


def extend(tx: Connection, number: str, *, for_s: int, reason: str = "", by: str, now_ns: int) -> Silence:
    """Let a silence end `for_s` from now instead of when it was to; with `reason` for a new one. Raises NotFound,
    Conflict."""
    silence = silences.by_number(tx, number)
    if silence.until_ns <= now_ns:
        raise Conflict(f"{silence.number} is over; begin a new one with `sitewarden silence add`")
    if for_s > LONGEST_S:
        raise Conflict("a silence lasts a year at most; take the rule out with `disable` in a pack of your own")
    silence = replace(silence, until_ns=now_ns + for_s * SECOND_NS, reason=reason.strip() or silence.reason)
    silences.change(tx, silence)
    _hush(tx, silence, now_ns=now_ns)
    _note(tx, silence, "silence_changed", by, f"{until(silence)}: {silence.reason}", now_ns=now_ns)
    return silence


def until(silence: Silence) -> str:
    """`SIL-3 until 2026-11-24 14:00:00 UTC`."""
    return f"{silence.number} until {exact_moment(silence.until_ns)}"


def _hush(tx: Connection, silence: Silence, *, now_ns: int) -> None:
    """Take back the pages of what is silent now that have not gone out."""
    for listed in tickets.listing(tx, states=tickets.OPEN, site_id=silence.site, limit=10_000):
        if listed.ticket.acknowledged_ns is None and matches(silence, listed.ticket):
            paging.hush(tx, listed.ticket, until_ns=silence.until_ns, now_ns=now_ns)


def _note(tx: Connection, silence: Silence, what: str, by: str, text: str, *, now_ns: int) -> None:
    """Write it into the history of the open tickets that it is about, and tell whoever watches."""
    changes.note(tx, "silence", silence.id, what=what, now_ns=now_ns)
    for listed in tickets.listing(tx, states=(*tickets.OPEN, TicketState.RESOLVED.value), site_id=silence.site):
        if matches(silence, listed.ticket):
            aftermath.record(tx, listed.ticket, [Event(now_ns, what, by, text)], now_ns=now_ns)
