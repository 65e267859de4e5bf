"""`sitewarden customer list | show | add | edit | site | service | import | export`: customers and their sites."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import customers, spreadsheets
from sitewarden_collector.store import sites
from sitewarden_collector.store.sites import Customer


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("customer", help="customers, their sites, and CSV in and out")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="all customers by name")
    listing.set_defaults(run=_list)
    show = commands.add_parser("show", help="a customer with sites, contacts and contracts")
    show.set_defaults(run=_show)
    add = commands.add_parser("add", help="make a customer")
    add.set_defaults(run=_add)
    edit = commands.add_parser("edit", help="change a customer")
    edit.add_argument("--name", dest="new_name", metavar="NAME", help="its new name")
    edit.set_defaults(run=_edit)
    site = commands.add_parser("site", help="change a site's address and time zone")
    site.add_argument("--address", metavar="TEXT")
    site.add_argument("--timezone", metavar="ZONE", help="as Asia/Shanghai")
    site.set_defaults(run=_site)
    service = commands.add_parser("service", help="what was done for a customer: tickets, visits, what was used up")
    service.add_argument("--site", default="", metavar="NAME", help="at this site alone")
    service.set_defaults(run=_service)
    for one in (show, add, edit, site, service):
        one.add_argument("name", metavar="NAME")
    for one in (add, edit):
        one.add_argument("--tier", metavar="TIER", help="bronze, silver or gold (default: silver)")
        one.add_argument("--locale", metavar="LANGUAGE", help="in which they are written to: en or zh")
        one.add_argument("--notes", metavar="TEXT")
    load = commands.add_parser("import", help="take in a CSV file, all of it or nothing")
    load.add_argument("file", metavar="FILE", type=Path)
    load.set_defaults(run=_import)
    export = commands.add_parser("export", help="write a CSV file that Excel opens as it is")
    export.add_argument("file", metavar="FILE", help="where to; - for the standard output")
    export.set_defaults(run=_export)
    for one in (load, export):
        one.add_argument("--what", choices=tuple(spreadsheets.COLUMNS), default="customers", help="default: customers")
    for one in (listing, show, add, edit, site, service, load, export):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(sites.every_customer)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    rows = [(one.name, one.tier, one.locale, one.notes) for one in found]
    _common.print_table(("NAME", "TIER", "LANGUAGE", "NOTES"), rows, empty="no customers: `sitewarden customer add`")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(customers.show, arguments.name, now_ns=time.time_ns())
    whole = _row(found.customer) | {
        "sites": [{"name": s.name, "address": s.address, "timezone": s.timezone} for s in found.sites],
        "contacts": [
            {"name": c.contact.name, "role": c.contact.role, "phone": c.contact.phone, "mail": c.contact.mail}
            for c in found.contacts
        ],
        "contracts": [
            {"number": c.contract.number, "name": c.contract.name, "status": c.status} for c in found.contracts
        ],
    }
    if arguments.json:
        _common.print_json(whole)
        return 0
    one = found.customer
    print(f"{one.name}, {one.tier}, written to in {one.locale}" + (f": {one.notes}" if one.notes else ""))
    for what in ("sites", "contacts", "contracts"):
        print(f"\n{what}")
        for row in whole[what]:
            print("  " + "  ".join(str(value) for value in row.values() if value))
    return 0


def _add(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(
            customers.add,
            arguments.name,
            tier=arguments.tier or "silver",
            locale=arguments.locale or "en",
            notes=arguments.notes or "",
            now_ns=time.time_ns(),
        )
    return _say(arguments, made)


def _edit(arguments: argparse.Namespace) -> int:
    changes = {key: getattr(arguments, key) for key in ("new_name", "tier", "locale", "notes")}
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(customers.edit, arguments.name, **changes)
    return _say(arguments, made)


def _site(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(customers.edit_site, arguments.name, address=arguments.address, timezone=arguments.timezone)
    row = {"name": made.name, "customer": made.customer_name, "address": made.address, "timezone": made.timezone}
    if arguments.json:
        _common.print_json(row)
    else:
        print("  ".join(value for value in row.values() if value))
    return 0


def _service(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(customers.service, arguments.name, site=arguments.site)
    rows: list[dict[str, Any]] = [
        {"at": iso(t.ticket.opened_ns), "what": "ticket", "number": t.ticket.number, "text": t.ticket.title}
        for t in found.tickets
    ]
    rows += [{"at": iso(e.at_ns), "what": "visit", "number": n, "text": e.text} for n, e in found.visits]
    rows += [
        {"at": iso(u.at_ns), "what": "used", "number": n, "text": f"{u.amount} {u.kind} by {u.by} {u.note}".strip()}
        for n, u in found.uses
    ]
    rows.sort(key=lambda row: str(row["at"]), reverse=True)
    if arguments.json:
        _common.print_json(rows)
    else:
        _common.print_table(("AT", "WHAT", "NUMBER", "TEXT"), [row.values() for row in rows], empty="nothing so far")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    try:
        text = arguments.file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{arguments.file} cannot be read as UTF-8: {error}") from error
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = db.write_now(spreadsheets.load, arguments.what, text, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"what": arguments.what, "rows": rows})
    else:
        print(f"{rows} {arguments.what} taken in")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        text = db.read_now(spreadsheets.export, arguments.what)
    if arguments.file == "-":
        sys.stdout.buffer.write(text.encode())
        return 0
    try:
        Path(arguments.file).write_bytes(text.encode())
    except OSError as error:
        raise Invalid(f"{arguments.file} cannot be written: {error}") from error
    if arguments.json:
        _common.print_json({"what": arguments.what, "file": arguments.file})
    else:
        print(f"{arguments.what} written to {arguments.file}")
    return 0


def _say(arguments: argparse.Namespace, made: Customer) -> int:
    if arguments.json:
        _common.print_json(_row(made))
    else:
        print(f"{made.name}, {made.tier}, written to in {made.locale}")
    return 0


def _row(one: Customer) -> dict[str, Any]:
    return {"name": one.name, "tier": one.tier, "locale": one.locale, "notes": one.notes, "id": one.id}
