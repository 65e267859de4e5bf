"""Customers, sites, contacts and contracts as CSV, out and in.

Files open in Excel as they are: UTF-8 with its mark, commas, CRLF. A cell that a spreadsheet would take for a formula
gets an apostrophe before it, and loses it on the way in, so what went out comes in exactly. A file is taken in whole or
not at all: every mistake is told with its line. What is there already by its name or number is changed, the rest new.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import PRIORITIES
from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.errors import Invalid, NotFound, Permanent
from sitewarden_collector.services import contracts as contracting
from sitewarden_collector.services import customers, promises
from sitewarden_collector.store import contacts, contracts, sites
from sitewarden_collector.store.contacts import Contact
from sitewarden_collector.store.contracts import KINDS, Contract

Row = Mapping[str, str]
MARK = "\ufeff"
ERRORS_TOLD = 20
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the wide signs too
_GOALS = tuple((f"p{priority}_{target}", priority, target) for priority in PRIORITIES for target in Target)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customers": ("name", "tier", "locale", "notes"),
    "sites": ("name", "customer", "address", "timezone"),
    "contacts": ("customer", "site", "name", "role", "phone", "mail", "language", "told_of"),
    "contracts": (
        *("number", "customer", "name", "from", "until", "calendar"),
        *(name for name, _, _ in _GOALS),
        *("pauses", *KINDS, "notes"),
    ),
}


def export(tx: Connection, kind: str) -> str:
    """Everything of a kind (a key of `COLUMNS`)."""
    rows = {"customers": _customers, "sites": _sites, "contacts": _contacts, "contracts": _contracts}[kind](tx)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS[kind])
    writer.writerows([_out(row[column]) for column in COLUMNS[kind]] for row in rows)
    return MARK + out.getvalue()


def load(tx: Connection, kind: str, text: str, *, now_ns: int) -> int:
    """Take a file in; how many rows it had. Raises Invalid with every mistake, and then nothing of it was taken: the
    transaction is not to be committed."""
    take = {"customers": _take_customer, "sites": _take_site, "contacts": _take_contact, "contracts": _take_contract}
    mistakes: list[str] = []
    rows = 0
    try:
        for line, row in _rows(kind, text):
            rows += 1
            try:
                take[kind](tx, row, now_ns)
            except Permanent as error:
                mistakes.append(f"line {line}: {error}")
    except csv.Error as error:
        mistakes.append(f"the file is no CSV: {error}")
    if mistakes:
        more = len(mistakes) - ERRORS_TOLD
        told = [*mistakes[:ERRORS_TOLD], *([f"and {more} more"] if more > 0 else [])]
        raise Invalid("nothing was taken in:\n  " + "\n  ".join(told))
    return rows


def _rows(kind: str, text: str) -> Iterable[tuple[int, Row]]:
    reader = csv.reader(io.StringIO(text.removeprefix(MARK), newline=""), strict=True)
    head = [one.strip().lower() for one in next(reader, [])]
    if unknown := [one for one in head if one not in COLUMNS[kind]]:
        raise Invalid(f"line 1: no column of {kind} is called {unknown[0]!r}; they are {', '.join(COLUMNS[kind])}")
    if "name" not in head or len(set(head)) != len(head):
        raise Invalid("line 1: the first line names the columns, each once and `name` among them")
    line = reader.line_num + 1
    for cells in reader:
        if any(cells):
            if len(cells) != len(head):
                raise Invalid(f"line {line}: {len(cells)} cells where the first line has {len(head)}")
            yield line, {name: _in(cell) for name, cell in zip(head, cells, strict=True)}
        line = reader.line_num + 1


def _out(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _in(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


# -- out -------------------------------------------------------------------------------------------------------------


def _customers(tx: Connection) -> Iterable[Row]:
    for one in sites.every_customer(tx):
        yield {"name": one.name, "tier": one.tier, "locale": one.locale, "notes": one.notes}


def _sites(tx: Connection) -> Iterable[Row]:
    for one in sites.every(tx):
        yield {"name": one.name, "customer": one.customer_name, "address": one.address, "timezone": one.timezone}


def _contacts(tx: Connection) -> Iterable[Row]:
    for one in contacts.every(tx):
        who = one.contact
        yield {
            "customer": one.customer,
            "site": one.site,
            "name": who.name,
            "role": who.role,
            "phone": who.phone,
            "mail": who.mail,
            "language": who.language,
            "told_of": " ".join(who.told_of),
        }


def _contracts(tx: Connection) -> Iterable[Row]:
    for one in contracts.every(tx):
        yield {
            "number": one.number,
            "customer": one.customer,
            "name": one.name,
            "from": one.from_day,
            "until": one.until_day,
            "calendar": one.calendar,
            **{column: promises.write_goal(one.goals.get(p, {}).get(target)) for column, p, target in _GOALS},
            "pauses": promises.write_pauses(one.pauses),
            **{kind: str(one.included[kind]) if kind in one.included else "" for kind in KINDS},
            "notes": one.notes,
        }


# -- in --------------------------------------------------------------------------------------------------------------


def _take_customer(tx: Connection, row: Row, now_ns: int) -> None:
    if not row["name"].strip():
        raise Invalid("a customer has a name")
    sites.ensure_customer(tx, row["name"].strip(), now_ns=now_ns)
    values = {key: row.get(key) for key in ("tier", "locale", "notes")}
    customers.edit(
        tx,
        row["name"].strip(),
        tier=values["tier"] or None,
        locale=values["locale"] or None,
        notes=values["notes"],
    )


def _take_site(tx: Connection, row: Row, now_ns: int) -> None:
    name = row["name"].strip()
    found = sites.find(tx, name)
    customer = row.get("customer", "") or (found.customer_name if found else "")
    customer_id = sites.customer(tx, customer).id
    if not name:
        raise Invalid("a site has a name")
    if found is None:
        sites.add(tx, name, customer_id=customer_id, now_ns=now_ns)
    elif found.customer_id != customer_id:
        raise Invalid(f"the site {name!r} is {found.customer_name}'s; a site cannot go to another customer")
    customers.edit_site(tx, name, address=row.get("address"), timezone=row.get("timezone") or None)


def _take_contact(tx: Connection, row: Row, now_ns: int) -> None:
    customer_id = sites.customer(tx, row.get("customer", "")).id
    site_id = ""
    if row.get("site"):
        site = sites.by_name(tx, row["site"])
        site_id = site.id
        if site.customer_id != customer_id:
            raise Invalid(f"the site {site.name!r} is {site.customer_name}'s")
    contact = Contact(
        customer_id,
        row["name"],
        site_id=site_id,
        role=row.get("role", ""),
        phone=row.get("phone", ""),
        mail=row.get("mail", ""),
        language=row.get("language") or "en",
        told_of=tuple(row.get("told_of", "").split()),
    )
    customers.put_contact(tx, contact, now_ns=now_ns)


def _take_contract(tx: Connection, row: Row, now_ns: int) -> None:
    number = row.get("number", "").strip()
    customer = sites.customer(tx, row.get("customer", ""))
    goals: dict[int, dict[str, tuple[int, str]]] = {}
    for column, priority, target in _GOALS:
        goal = promises.read_goal(row.get(column, ""))
        if goal is not None:
            goals.setdefault(priority, {})[target.value] = goal
    until = row.get("until", "").strip()
    read = Contract(
        customer_id=customer.id,
        customer=customer.name,
        name=row["name"],
        from_day=promises.read_day(row.get("from", ""), "from"),
        until_day=promises.read_day(until, "until") if until else "",
        calendar=row.get("calendar") or "24x7",
        goals=goals,
        pauses=promises.read_pauses(row.get("pauses", "")),
        included={kind: _number(row[kind], kind) for kind in KINDS if row.get(kind, "").strip()},
        notes=row.get("notes", ""),
    )
    if not number:
        contracting.add(tx, read, now_ns=now_ns)
        return
    try:
        before = contracts.by_number(tx, number)
    except NotFound:
        raise NotFound(f"there is no contract {number}; leave its number empty and it gets one") from None
    contracting.change(tx, replace(read, number=number, id=before.id, created_ns=before.created_ns), now_ns=now_ns)


def _number(text: str, what: str) -> int:
    if not text.strip().isdecimal():
        raise Invalid(f"{what}: {text!r} is no number")
    return int(text)
