"""A visit at the site as a task of a ticket: engineer, planned time, arrival and leave, findings, a sign-off by name.

Leaving uses up one visit of the customer's contract, where there is one that counts them.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import contracts
from sitewarden_collector.services.desk.changing import LINE_MAX_CHARS, noted, taken, text_of
from sitewarden_collector.store import contracts as kept
from sitewarden_collector.store import tickets, visits
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.visits import Visit


def plan(tx: Connection, number: str, engineer: str, planned_ns: int, *, by: str, now_ns: int) -> Visit:
    """`engineer` is to be there at `planned_ns`."""
    ticket = taken(tx, number)
    if not ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value}: reopen it before a visit is planned")
    who = text_of(engineer, "the engineer", most=200)
    visit = Visit(new_id(), ticket.id, ticket.customer_id, who, planned_ns)
    _keep(tx, visit, ticket, "plan_visit", f"{who} is to visit the site", by=by, now_ns=now_ns)
    return visit


def arrive(tx: Connection, visit_id: str, *, by: str, now_ns: int, at_ns: int | None = None) -> Visit:
    visit = _in(visits.by_id(tx, visit_id), "planned")
    visit = replace(visit, state="arrived", arrived_ns=now_ns if at_ns is None else at_ns)
    text = f"{visit.engineer} arrived at the site"
    _keep(tx, visit, _ticket(tx, visit), "arrive_at_site", text, by=by, now_ns=now_ns)
    return visit


def leave(tx: Connection, visit_id: str, findings: str, *, by: str, now_ns: int, at_ns: int | None = None) -> Visit:
    """It is over; what was found. Raises Conflict for a visit that leaves before it arrived."""
    visit = _in(visits.by_id(tx, visit_id), "arrived")
    left_ns = now_ns if at_ns is None else at_ns
    if visit.arrived_ns is None or left_ns < visit.arrived_ns:
        raise Conflict("the visit cannot end before it began; give the time of leaving")
    visit = replace(visit, state="left", left_ns=left_ns, findings=text_of(findings, "what was found"))
    ticket = _ticket(tx, visit)
    _keep(tx, visit, ticket, "leave_site", f"{visit.engineer} left: {visit.findings}", by=by, now_ns=now_ns)
    _use_up(tx, ticket, by=by, now_ns=now_ns)
    return visit


def sign(tx: Connection, visit_id: str, signed_by: str, *, by: str, now_ns: int) -> Visit:
    """Somebody at the site says by their name that the visit was as written down."""
    visit = _in(visits.by_id(tx, visit_id), "left")
    visit = replace(visit, state="signed", signed_by=text_of(signed_by, "the name", most=200), signed_ns=now_ns)
    text = f"signed off by {visit.signed_by}"
    _keep(tx, visit, _ticket(tx, visit), "sign_visit", text, by=by, now_ns=now_ns)
    return visit


def cancel(tx: Connection, visit_id: str, why: str, *, by: str, now_ns: int) -> Visit:
    visit = replace(_in(visits.by_id(tx, visit_id), "planned"), state="cancelled")
    text = f"the visit is cancelled: {text_of(why, 'why', most=LINE_MAX_CHARS)}"
    _keep(tx, visit, _ticket(tx, visit), "cancel_visit", text, by=by, now_ns=now_ns)
    return visit


def of_ticket(tx: Connection, ticket_id: str) -> list[Visit]:
    """The visits of a ticket by their planned time."""
    return visits.of_ticket(tx, ticket_id)


def _in(visit: Visit, state: str) -> Visit:
    if visit.state != state:
        raise Conflict(f"the visit of {visit.engineer} is {visit.state}, not {state}: this cannot be done with it")
    return visit


def _ticket(tx: Connection, visit: Visit) -> Ticket:
    ticket = tickets.by_id(tx, visit.ticket_id)
    assert ticket is not None  # a visit's ticket is a foreign key
    return ticket


def _keep(tx: Connection, visit: Visit, ticket: Ticket, what: str, text: str, *, by: str, now_ns: int) -> None:
    visits.put(tx, visit)
    data = {"visit_id": visit.id, "engineer": visit.engineer, "planned_ns": visit.planned_ns}
    noted(tx, ticket, what, text, by=by, now_ns=now_ns, data=data)


def _use_up(tx: Connection, ticket: Ticket, *, by: str, now_ns: int) -> None:
    """Take the visit from the contract that includes some and ends first. One too many is told, not refused: it was
    made."""
    there = contracts.listed(tx, kept.every(tx, customer_id=ticket.customer_id), now_ns=now_ns)
    running = [one for one in there if one.status in ("in_force", "ends_soon")]
    counted = [(one.contract, left) for one in running for left in one.entitlements if left.kind == "on_site"]
    if not counted:
        return
    for contract, left in sorted(counted, key=lambda one: one[0].until_day or "9999"):
        if left.left > 0:
            contracts.use(tx, contract.number, "on_site", ticket=ticket.number, by=by, now_ns=now_ns)
            text = f"one visit of {contract.number}: {left.left - 1} of {left.total} are left"
            noted(tx, ticket, "use_entitlement", text, by=by, now_ns=now_ns, data={"contract": contract.number})
            return
    text = "the contract includes no further visit: this one is beyond it"
    noted(tx, ticket, "use_entitlement", text, by=by, now_ns=now_ns, data={"contract": ""})
