"""Engineers make one ticket of two, or two of one, and take it back.

Two tickets of faults in the log become one fault: an alias of the fingerprint that the next observation follows at
every site. Undoing it brings the merged ticket back with its evidence, and the next observation goes there again. A
report that a person opened has no fingerprint: it goes into the other ticket alone. The merged ticket is closed, so its
clocks stand. What the other ticket counted after the merge stays there.

Not here: the alias itself (`services.corrections`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Evidence, SignalKind, Ticket, TicketState
from sitewarden_alerting.observations import Key, LogEvent
from sitewarden_alerting.wording import cut
from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import corrections, paging
from sitewarden_collector.services.desk import linking
from sitewarden_collector.services.desk.changing import trying, written
from sitewarden_collector.store import evidence, faults, merges, observations, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.merges import Merge
from sitewarden_collector.store.numbers import BY_TYPE, next_number

TITLE_CHARS = 200


def merge(tx: Connection, number: str, into: str, *, by: str, now_ns: int, reason: str = "") -> Ticket:
    """Let `number` go into `into`, which is returned. Raises Conflict where they cannot be one."""
    one, other = tickets.by_number(tx, number, for_update=True), tickets.by_number(tx, into, for_update=True)
    if one.id == other.id:
        raise Conflict(f"{one.number} cannot go into itself")
    if one.site_id != other.site_id:
        raise Conflict(
            f"{one.number} and {other.number} are of two sites: link them (`sitewarden ticket link`) or open a problem"
        )
    for ticket in (one, other):
        if ticket.state is TicketState.CLOSED:
            raise Conflict(f"{ticket.number} is closed: link them instead (`sitewarden ticket link`)")
    if one.kind is SignalKind.LOG and other.kind is SignalKind.LOG and one.fault != other.fault:
        corrections.merge(tx, one.fault, other.fault, by=by, reason=reason, now_ns=now_ns)
        return tickets.by_number(tx, other.number)
    if one.kind is not SignalKind.REPORT and one.fault != other.fault:
        raise Conflict(
            f"a rule tells {one.number} and {other.number} apart and would open it again: make it a part of the other "
            "(`sitewarden ticket parent`) or link them"
        )
    return _go_into(tx, one, other, reason or f"{by} said that they are one", by=by, now_ns=now_ns)


def unmerge(tx: Connection, number: str, *, by: str, now_ns: int) -> Ticket:
    """Take a merged ticket out again: as it was, with the evidence that it had. What the same correction merged at
    other sites comes back too. Raises Conflict where it is in no other, or that one has gone on into a third."""
    ticket = tickets.by_number(tx, number, for_update=True)
    found = merges.last_of(tx, ticket.id)
    if not ticket.merged_into or found is None:
        raise Conflict(f"{ticket.number} was not merged into another ticket")
    of_log = ticket.kind is SignalKind.LOG and found.from_fault != found.to_fault
    if of_log and faults.of(tx, [found.from_fault]).get(found.from_fault) != found.from_fault:
        corrections.split(tx, found.from_fault, by=by, now_ns=now_ns)
    for one in merges.together_with(tx, found) if of_log else [found]:
        _restore(tx, one, by=by, now_ns=now_ns)
    return tickets.by_number(tx, number)


def split(tx: Connection, number: str, fingerprint: str, *, by: str, now_ns: int) -> Ticket:
    """A fingerprint of the ticket's fault is a fault of its own: it gets a ticket with its evidence, which is returned.
    Where none of it is kept, its next observation opens the ticket, and the old one is returned. Merging the two again
    undoes it."""
    ticket = tickets.by_number(tx, number, for_update=True)
    if not ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value}: only an open ticket can be split")
    there = [seen.fingerprint for seen, _ in faults.members(tx, ticket.fault)]
    apart = [one for one in there if one != ticket.fault]
    if fingerprint not in apart:
        known = ", ".join(apart) or "none: it stands for one fingerprint alone"
        raise Conflict(f"{fingerprint} cannot be split from {ticket.number}; what can: {known}")
    moved = {alias.fingerprint for alias in corrections.split(tx, fingerprint, by=by, now_ns=now_ns)}
    mine = _evidence_of(tx, ticket, moved)
    if not mine:
        text = f"{fingerprint} is a fault of its own; what comes of it gets a ticket of its own"
        return written(tx, ticket, "split_ticket", text, by=by, now_ns=now_ns, data={"fingerprint": fingerprint})
    new = _opened(tx, ticket, fingerprint, [one for _, one, _ in mine], count=sum(count for _, _, count in mine))
    merges.move_entries(tx, ticket.id, new.id, {entry: place for place, (entry, _, _) in enumerate(mine)})
    data = {"fingerprint": fingerprint, "from": ticket.number, "to": new.number}
    written(tx, new, "open_ticket", f"split from {ticket.number} by {by}", by=by, now_ns=now_ns, data=data)
    heads = tuple(head for head in ticket.heads if head not in new.heads)
    left = replace(ticket, count=max(0, ticket.count - new.count), heads=heads)
    written(tx, left, "split_ticket", f"{new.number} was split from it", by=by, now_ns=now_ns, data=data)
    linking.link(tx, new.number, "relates", ticket.number, by=by, now_ns=now_ns)
    return new


def _go_into(tx: Connection, one: Ticket, other: Ticket, reason: str, *, by: str, now_ns: int) -> Ticket:
    with trying():
        merged = moves.merged(one, other)
    merges.add(tx, one, into_id=other.id, to_fault=other.fault, shift=other.entries, now_ns=now_ns)
    evidence.move(tx, one.id, other.id, shift=other.entries)
    paging.stop(tx, one, now_ns=now_ns)
    data = {"from": one.number, "into": other.number}
    written(tx, merged, "merge_ticket", f"into {other.number}: {reason}", by=by, now_ns=now_ns, data=data)
    whole = moves.took_over(other, one)
    text = f"took over {one.number}: {reason}"
    return written(tx, whole, "merge_ticket", text, by=by, now_ns=now_ns, data=data)


def _restore(tx: Connection, merge: Merge, *, by: str, now_ns: int) -> None:
    ticket = tickets.by_id(tx, merge.ticket_id, for_update=True)
    if ticket is None:
        return
    taken = [one for one in tickets.of_faults(tx, {merge.from_fault}) if one.site_id == ticket.site_id and one.is_open]
    if any(one.id != ticket.id for one in taken):
        raise Conflict(f"{taken[0].number} is open for the same fault already: go on there")
    merges.undone(tx, merge, now_ns=now_ns)
    if not merge.into_id:
        if ticket.is_open and ticket.fault == merge.to_fault:
            ticket = replace(ticket, fault=merge.from_fault, title=str(merge.before["title"]))
            written(tx, ticket, "unmerge_ticket", "its fault is its own again", by=by, now_ns=now_ns)
        return
    into = tickets.by_id(tx, merge.into_id, for_update=True)
    if into is None or into.merged_into:
        raise Conflict(f"what {ticket.number} went into is merged itself: undo that merge first")
    heads = tuple(head for head in merge.before["heads"] if head in into.heads)
    merges.give_back(tx, merge)
    data = {"from": ticket.number, "into": into.number}
    left = replace(
        into,
        count=max(0, into.count - merge.count),
        heads=tuple(head for head in into.heads if head not in heads),
    )
    written(tx, left, "unmerge_ticket", f"{ticket.number} is apart again", by=by, now_ns=now_ns, data=data)
    back = replace(
        ticket,
        state=TicketState(merge.before["state"]),
        waiting=str(merge.before["waiting"]),
        recovered_ns=merge.before["recovered_ns"],
        fault=merge.from_fault,
        merged_into="",
        heads=heads,
    )
    written(tx, back, "unmerge_ticket", f"apart from {into.number} again", by=by, now_ns=now_ns, data=data)


def _evidence_of(tx: Connection, ticket: Ticket, fingerprints: set[str]) -> list[tuple[int, Evidence, int]]:
    """The evidence of some fingerprints, each with its place and how many records it stands for: looked up in what was
    observed, while that is kept."""
    kept = evidence.of_ticket(tx, ticket.id)
    places = merges.entries_of(tx, ticket.id)
    by_agent: dict[str, list[Key]] = defaultdict(list)
    for one in kept:
        by_agent[one.agent_id].append(Key(one.epoch, one.seq, one.index))
    wanted = {
        (agent_id, seen.key.epoch, seen.key.seq, seen.key.index): max(1, seen.what.count)
        for agent_id, keys in by_agent.items()
        for seen in observations.by_keys(tx, agent_id, keys)
        if isinstance(seen.what, LogEvent) and seen.what.fingerprint in fingerprints
    }
    named = [((one.agent_id, one.epoch, one.seq, one.index), one) for one in kept]
    return [(places[key], one, wanted[key]) for key, one in named if key in wanted]


def _opened(tx: Connection, ticket: Ticket, fault: str, mine: list[Evidence], *, count: int) -> Ticket:
    """A ticket like the other for a part of its evidence. It counts from its own first observation."""
    records = {one.record for one in mine}
    new = replace(
        ticket,
        id=new_id(),
        number=next_number(tx, BY_TYPE[ticket.type]),
        fault=fault,
        title=cut(mine[0].text.strip().splitlines()[0], TITLE_CHARS) if mine[0].text.strip() else ticket.title,
        state=TicketState.ASSIGNED if ticket.assignee else TicketState.NEW,
        waiting="",
        opened_ns=min(one.at_ns for one in mine),
        last_ns=max(one.at_ns for one in mine),
        count=count,
        entries=len(mine),
        heads=tuple(head for head in ticket.heads if head in records),
        previous="",
        flips=(),
        reopenings=0,
        reopened_count=0,
        suppressed=0,
        problem_id="",
        major=False,
    )
    tickets.save(tx, new, new=True)
    return new
