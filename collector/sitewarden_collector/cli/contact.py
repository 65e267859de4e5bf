"""`sitewarden contact list | add | remove`: whom to call at a customer, about what."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import customers
from sitewarden_collector.store import contacts, sites
from sitewarden_collector.store.contacts import NEWS, Contact, Named


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("contact", help="people at customers")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="contacts by customer and name")
    listing.add_argument("--customer", default="", metavar="NAME", help="only those of this customer")
    listing.set_defaults(run=_list)
    add = commands.add_parser("add", help="add a contact, or change the one of that name")
    add.add_argument("--site", default="", metavar="NAME", help="of this site (default: of the customer as a whole)")
    add.add_argument("--role", default="", metavar="TEXT")
    add.add_argument("--phone", default="", metavar="NUMBER")
    add.add_argument("--mail", default="", metavar="ADDRESS")
    add.add_argument("--language", default="en", metavar="LANGUAGE", help="en or zh (default: en)")
    add.add_argument("--told-of", default="", metavar="WHAT", help=f"by commas, of: {', '.join(NEWS)}")
    add.set_defaults(run=_add)
    remove = commands.add_parser("remove", help="remove a contact")
    remove.set_defaults(run=_remove)
    for one in (add, remove):
        one.add_argument("name", metavar="NAME")
        one.add_argument("--customer", required=True, metavar="NAME", help="whose it is")
    for one in (listing, add, remove):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(_found, arguments.customer)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    rows = [
        (one.customer, one.site, c.name, c.role, c.phone, c.mail, ",".join(c.told_of))
        for one in found
        for c in (one.contact,)
    ]
    headers = ("CUSTOMER", "SITE", "NAME", "ROLE", "PHONE", "MAIL", "TOLD OF")
    _common.print_table(headers, rows, empty="no contacts: `sitewarden contact add`")
    return 0


def _add(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(_put, arguments, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json(_row(made))
    else:
        print(f"{made.contact.name} is a contact of {made.customer}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(_gone, arguments.customer, arguments.name)
    if arguments.json:
        _common.print_json({"name": arguments.name, "customer": arguments.customer})
    else:
        print(f"{arguments.name} is no contact any more")
    return 0


def _found(tx: Connection, customer: str) -> list[Named]:
    return contacts.every(tx, customer_id=sites.customer(tx, customer).id if customer else "")


def _put(tx: Connection, arguments: argparse.Namespace, *, now_ns: int) -> Named:
    customer = sites.customer(tx, arguments.customer)
    site = sites.by_name(tx, arguments.site) if arguments.site else None
    if site is not None and site.customer_id != customer.id:
        raise Invalid(f"the site {site.name} is {site.customer_name}'s")
    contact = Contact(
        customer.id,
        arguments.name,
        site_id=site.id if site else "",
        role=arguments.role,
        phone=arguments.phone,
        mail=arguments.mail,
        language=arguments.language,
        told_of=tuple(part.strip() for part in arguments.told_of.split(",") if part.strip()),
    )
    return Named(customers.put_contact(tx, contact, now_ns=now_ns), customer.name, site.name if site else "")


def _gone(tx: Connection, customer: str, name: str) -> None:
    contacts.remove(tx, contacts.by_name(tx, sites.customer(tx, customer).id, name).id)


def _row(one: Named) -> dict[str, Any]:
    c = one.contact
    return {
        "customer": one.customer,
        "site": one.site,
        "name": c.name,
        "role": c.role,
        "phone": c.phone,
        "mail": c.mail,
        "language": c.language,
        "told_of": list(c.told_of),
    }
