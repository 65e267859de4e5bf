"""`sitewarden account`: who may sign in. The first administrator is made here; passwords are asked for, or read from
stdin.
"""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.config import Config
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import passwords
from sitewarden_collector.services.access import Role
from sitewarden_collector.store import accounts, sites, web_sessions
from sitewarden_collector.store.accounts import Account

BY = "command line"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("account", help="who may sign in to the console")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account; asks for its password")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--link", action="store_true", help="print a link with which they set their password, once")
    add.set_defaults(run=run_add)
    edit = actions.add_parser("edit", help="another role, customer, address, language or zone; or switch it on again")
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--enable", action="store_true")
    edit.set_defaults(run=run_edit)
    for one, needed in ((add, True), (edit, False)):
        one.add_argument("--role", choices=[role.value for role in Role], required=needed)
        one.add_argument("--customer", metavar="NAME", default="", help="whose they are, for the role customer")
        one.add_argument("--site", metavar="NAME", action="append", default=[], help="only this site of the customer's")
        one.add_argument("--email", metavar="ADDRESS", default=None)
        one.add_argument("--locale", choices=["en", "zh"], default=None)
        one.add_argument("--timezone", metavar="ZONE", default=None, help="as Europe/Berlin")
    listing = actions.add_parser("list", help="all accounts")
    listing.set_defaults(run=run_list)
    for name, run, text in (
        ("show", run_show, "one account"),
        ("disable", run_disable, "nobody signs in with it any more; its sessions and tokens end"),
        ("password", run_password, "set a password; asks for it"),
        ("totp-reset", run_totp_reset, "take the second factor away, when it is lost"),
        ("sessions", run_sessions, "where somebody is signed in"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(run=run)
        if name == "password":
            one.add_argument("--link", action="store_true", help="print a link with which they set it themselves, once")
        if name == "sessions":
            one.add_argument("--end", metavar="ID", help="end this one, or `all`")
    for one in actions.choices.values():
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_add(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    now_ns = time.time_ns()
    kept = "" if arguments.link else _ask(arguments.name, config)
    with closing(_common.open_database(config)) as db:

        def add(tx: Connection) -> Account:
            return accounting.add(
                tx,
                arguments.name,
                role=arguments.role,
                customer=arguments.customer,
                site_names=arguments.site,
                email=arguments.email or "",
                locale=arguments.locale or "",
                timezone=arguments.timezone or "",
                password_hash=kept,
                by=BY,
                now_ns=now_ns,
            )

        made = db.write_now(add)
        link = db.write_now(accounting.make_reset, made.name, by=BY, now_ns=now_ns) if arguments.link else ""
    if arguments.json:
        _common.print_json({"name": made.name, "role": made.role} | ({"link": _link(config, link)} if link else {}))
    else:
        print(f"The account {made.name} is made; its role is {made.role}.")
        _tell_link(config, link)
    return 0


def run_edit(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    with closing(_common.open_database(_common.load_config(arguments))) as db:

        def edit(tx: Connection) -> None:
            found = accounts.by_name(tx, arguments.name)
            if arguments.enable:
                accounting.enable(tx, found.name, by=BY, now_ns=now_ns)
            if arguments.role or arguments.customer or arguments.site:
                role = arguments.role or found.role
                same = role == Role.CUSTOMER and found.customer_id and not arguments.customer
                customer = sites.customer_name_of(tx, found.customer_id) if same else arguments.customer
                bounds = {"customer": customer, "site_names": arguments.site}
                accounting.set_role(tx, found.name, role=role, **bounds, by=BY, now_ns=now_ns)
            if arguments.email is not None:
                accounting.set_email(tx, found.name, email=arguments.email, by=BY, now_ns=now_ns)
            if arguments.locale is not None or arguments.timezone is not None:
                locale = found.locale if arguments.locale is None else arguments.locale
                timezone = found.timezone if arguments.timezone is None else arguments.timezone
                accounting.set_preferences(tx, found.id, locale=locale, timezone=timezone, theme=found.theme)

        db.write_now(edit)
    return _said(arguments, f"The account {arguments.name} is changed.")


def run_list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = db.read_now(_rows)
    if arguments.json:
        _common.print_json(rows)
    else:
        heads = ("NAME", "ROLE", "CUSTOMER", "SECOND FACTOR", "STATE", "SIGNED IN")
        keys = ("name", "role", "customer", "second_factor", "state", "signed_in")
        cells = [[row[key] for key in keys] for row in rows]
        _common.print_table(heads, cells, empty="no account yet; `sitewarden account add --role admin NAME` makes one")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(accounts.by_name, arguments.name)
        row = next(row for row in db.read_now(_rows) if row["name"] == found.name)
    if arguments.json:
        _common.print_json(row)
    else:
        for key, value in row.items():
            print(f"{key.replace('_', ' ') + ':':16}{', '.join(value) if isinstance(value, list) else value}")
    return 0


def run_disable(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(accounting.disable, arguments.name, by=BY, now_ns=time.time_ns())
    return _said(arguments, f"The account {arguments.name} is switched off.")


def run_password(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    now_ns = time.time_ns()
    with closing(_common.open_database(config)) as db:
        found = db.read_now(accounts.by_name, arguments.name)
        if arguments.link:
            link = db.write_now(accounting.make_reset, found.name, by=BY, now_ns=now_ns)
            if arguments.json:
                _common.print_json({"name": found.name, "link": _link(config, link)})
            else:
                _tell_link(config, link)
            return 0
        db.write_now(accounting.set_password, found.id, _ask(found.name, config), by=BY, now_ns=now_ns)
    return _said(arguments, f"The password of {found.name} is set; they are signed out everywhere.")


def run_totp_reset(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(accounting.drop_second_factor, arguments.name, by=BY, now_ns=time.time_ns())
    return _said(arguments, f"The account {arguments.name} has no second factor any more.")


def run_sessions(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(accounts.by_name, arguments.name)
        if arguments.end:
            one = "" if arguments.end == "all" else arguments.end
            ended = db.write_now(accounting.end_sessions, found.id, session_id=one, by=BY, now_ns=time.time_ns())
            return _said(arguments, f"{ended} ended.")
        rows = [
            {
                "id": one.id,
                "address": one.address,
                "browser": one.browser,
                "since": _common.iso(one.created_ns),
                "used": _common.iso(one.seen_ns),
                "pending": one.pending,
            }
            for one in db.read_now(web_sessions.of_account, found.id)
        ]
    if arguments.json:
        _common.print_json(rows)
    else:
        heads = ("ID", "ADDRESS", "BROWSER", "SINCE", "USED", "PENDING")
        _common.print_table(heads, [row.values() for row in rows], empty="signed in nowhere")
    return 0


def _rows(tx: Connection) -> list[dict[str, Any]]:
    named = {site.id: site.name for site in sites.every(tx)}
    return [
        {
            "name": one.name,
            "role": one.role,
            "customer": sites.customer_name_of(tx, one.customer_id) if one.customer_id else "",
            "sites": sorted(named.get(site_id, site_id) for site_id in one.site_ids),
            "email": one.email,
            "locale": one.locale,
            "timezone": one.timezone,
            "second_factor": "yes" if one.has_second_factor else "no",
            "provider": one.issuer,
            "state": "off" if one.disabled_ns else "on",
            "signed_in": _common.iso(one.signed_in_ns),
        }
        for one in accounts.every(tx)
    ]


def _ask(name: str, config: Config) -> str:
    """The hash of a password that is typed twice, or stands in the first line of stdin."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name}: ")
        if getpass.getpass("The same again: ") != password:
            raise Invalid("the two passwords are not the same")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    passwords.check(password, name=name, shortest=config.sign_in.password_min)
    return passwords.make_hash(password)


def _link(config: Config, secret: str) -> str:
    base = config.console.public_url.rstrip("/") or f"http://{config.listen.http}"
    return f"{base}/signin/reset/{secret}"


def _tell_link(config: Config, secret: str) -> None:
    if secret:
        print(f"Good for one use, within {accounting.RESET_HOURS} hours:\n\n  {_link(config, secret)}")


def _said(arguments: argparse.Namespace, text: str) -> int:
    if arguments.json:
        _common.print_json({"said": text})
    else:
        print(text)
    return 0
