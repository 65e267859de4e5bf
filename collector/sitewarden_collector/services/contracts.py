"""Contracts in use: made, changed, and what is included in them used up.

A change counts for all the time of every ticket that it concerns, and their clocks are brought up to date in the same
transaction. Not here: how goals are written (`services.promises`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from sitewarden_alerting.model import SECOND_NS
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import calendars, service_levels
from sitewarden_collector.store import calendars as stored_calendars
from sitewarden_collector.store import contracts, tickets
from sitewarden_collector.store.contracts import KINDS, Contract, Use
from sitewarden_collector.store.numbers import next_number

SOON_DAYS = 60  # before its end a contract is to be talked about


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What is included of a kind, and what of it is used up."""

    kind: str
    total: int
    used: int

    @property
    def left(self) -> int:
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Shown:
    """`status` is planned, in_force, ends_soon or over."""

    contract: Contract
    status: str
    entitlements: tuple[Entitlement, ...]
    uses: tuple[Use, ...] = ()


def add(tx: Connection, contract: Contract, *, now_ns: int) -> Contract:
    """A new contract with its number; `customer_id` says whose. Raises Invalid, NotFound."""
    _check(tx, contract)
    made = contracts.add(tx, contract, number=next_number(tx, "CON"), now_ns=now_ns)
    service_levels.refresh_customer(tx, made.customer_id, now_ns=now_ns)
    return made


def change(tx: Connection, contract: Contract, *, now_ns: int) -> Contract:
    """The contract as it is to be from now on, for all of its time. Raises Invalid, NotFound."""
    _check(tx, contract)
    before = contracts.by_number(tx, contract.number)
    contracts.save(tx, contract)
    for customer_id in {before.customer_id, contract.customer_id}:
        service_levels.refresh_customer(tx, customer_id, now_ns=now_ns)
    return contract


def use(
    tx: Connection, number: str, kind: str, *, amount: int = 1, ticket: str = "", by: str, note: str = "", now_ns: int
) -> Entitlement:
    """Write down that something included was used, or given back (`amount` below 0). Raises NotFound, Invalid,
    Conflict where nothing is left."""
    contract = contracts.by_number(tx, number)
    if kind not in KINDS:
        raise Invalid(f"{kind!r} is nothing that a contract includes; it is one of {', '.join(KINDS)}")
    if amount == 0:
        raise Invalid("0 uses up nothing; write 1, or -1 to give one back")
    before = next((one for one in shown(tx, contract, now_ns=now_ns).entitlements if one.kind == kind), None)
    if before is None:
        raise Conflict(f"{number} includes no {kind}; `sitewarden contract edit` adds it")
    if amount > before.left:
        raise Conflict(
            f"{number} has {before.left} of {before.total} {kind} left, not {amount}; extend the contract first"
        )
    if before.used + amount < 0:
        raise Conflict(f"only {before.used} {kind} were used, {-amount} cannot be given back")
    found = tickets.by_number(tx, ticket) if ticket else None
    if found is not None and found.customer_id != contract.customer_id:
        raise Conflict(f"{ticket} is another customer's than {number}")
    contracts.use(tx, contract, Use(kind, amount, by, now_ns, note, found.id if found else ""))
    return Entitlement(kind, before.total, before.used + amount)


def shown(tx: Connection, contract: Contract, *, now_ns: int) -> Shown:
    """A contract with what is left of it."""
    one = listed(tx, [contract], now_ns=now_ns)[0]
    return replace(one, uses=tuple(contracts.uses(tx, contract.id)))


def listed(tx: Connection, found: list[Contract], *, now_ns: int) -> list[Shown]:
    """Contracts with what is left of each, in a few questions to the database."""
    used = contracts.used_up(tx, [one.id for one in found])
    today = _todays(tx, found, now_ns=now_ns)
    return [
        Shown(
            one,
            status(one, today[one.id]),
            tuple(
                Entitlement(kind, one.included[kind], used.get((one.id, kind), 0))
                for kind in KINDS
                if kind in one.included
            ),
        )
        for one in found
    ]


def every(tx: Connection, *, now_ns: int) -> list[Shown]:
    """All contracts with what is left of each."""
    return listed(tx, contracts.every(tx), now_ns=now_ns)


def show(tx: Connection, number: str, *, now_ns: int) -> Shown:
    """One contract with what is left of it and what was used. Raises NotFound."""
    return shown(tx, contracts.by_number(tx, number.upper()), now_ns=now_ns)


def expiring(tx: Connection, *, now_ns: int) -> list[Contract]:
    """The contracts that end within `SOON_DAYS`."""
    found = contracts.every(tx)
    today = _todays(tx, found, now_ns=now_ns)
    return [one for one in found if status(one, today[one.id]) == "ends_soon"]


def ending(tx: Connection, *, now_ns: int) -> list[tuple[Contract, int]]:
    """The same, each with how many days are left: 0 on its last day."""
    found = expiring(tx, now_ns=now_ns)
    today = _todays(tx, found, now_ns=now_ns)
    return [(one, (date.fromisoformat(one.until_day) - today[one.id]).days) for one in found]


def status(contract: Contract, today: date) -> str:
    """Where a contract stands on a date, which is that of its calendar's zone."""
    if today < date.fromisoformat(contract.from_day):
        return "planned"
    if not contract.until_day:
        return "in_force"
    until = date.fromisoformat(contract.until_day)
    if today > until:
        return "over"
    return "ends_soon" if until - today <= timedelta(days=SOON_DAYS) else "in_force"


def _todays(tx: Connection, found: list[Contract], *, now_ns: int) -> dict[str, date]:
    """The date that it is now in the zone of each contract's calendar."""
    lines = stored_calendars.timelines(tx, {one.calendar for one in found}) if found else {}
    made = {}
    for one in found:
        zone = lines[one.calendar].at(now_ns).zone if one.calendar in lines else "UTC"
        made[one.id] = datetime.fromtimestamp(now_ns // SECOND_NS, ZoneInfo(zone)).date()
    return made


def _check(tx: Connection, contract: Contract) -> None:
    if not contract.name.strip() or len(contract.name) > 200:
        raise Invalid("a contract has a name of 1 to 200 characters, as `Gold 2027`")
    if contract.until_day and contract.until_day < contract.from_day:
        raise Invalid(f"the contract ends on {contract.until_day}, before it begins on {contract.from_day}")
    for kind, total in contract.included.items():
        if kind not in KINDS or total < 0:
            raise Invalid(f"{kind}={total} can not be included; it is a number of {', '.join(KINDS)}")
    calendars.demand(tx, service_levels.calendar_names(contract))
