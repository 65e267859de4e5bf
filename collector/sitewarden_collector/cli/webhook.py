"""`sitewarden webhook`: tell other programs of changes, and see what became of each message."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from typing import Any

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services import webhook_events, webhooks
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.webhooks import Delivery, Subscription


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("webhook", help="tell other programs of changes")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add = commands.add_parser(
        "add",
        help="tell a program from now on; prints the secret that its messages are signed with, once",
        description="Messages are signed as Standard Webhooks has it, and tried again for about a day.",
    )
    add.add_argument("url", metavar="URL", help="where to post, as https://hooks.example.com/sitewarden")
    add.add_argument(
        "--event",
        action="append",
        default=[],
        metavar="NAME",
        help="which (`sitewarden webhook events`), as ticket.* or risk.raise; can be repeated (default: ticket.*)",
    )
    add.add_argument("--customer", default="", metavar="NAME", help="only what belongs to this customer")
    add.add_argument("--about", default="", metavar="TEXT", help="what it is for")
    add.set_defaults(run=_add)

    listing = commands.add_parser("list", help="the programs that are told")
    listing.set_defaults(run=_list)

    events = commands.add_parser("events", help="everything that a program can be told of")
    events.set_defaults(run=_events)

    test = commands.add_parser("test", help="send a message that means nothing")
    test.set_defaults(run=_test)

    deliveries = commands.add_parser("deliveries", help="messages and what became of them, the newest first")
    deliveries.add_argument("--webhook", default="", metavar="ID", help="only those to this one")
    deliveries.add_argument("--state", choices=stored.STATES, help="only those in this state")
    deliveries.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)")
    deliveries.set_defaults(run=_deliveries)

    retry = commands.add_parser("retry", help="send a message again")
    retry.add_argument("message", type=int, metavar="NUMBER", help="as `sitewarden webhook deliveries` shows it")
    retry.set_defaults(run=_retry)

    secret = commands.add_parser(
        "secret",
        help="sign with another secret; prints it, once",
        description="For a day messages carry the signatures of both secrets: change the receiver over within it.",
    )
    secret.set_defaults(run=_secret)

    off = commands.add_parser("off", help="tell it nothing for the time being")
    off.set_defaults(run=_switch, active=False)
    on = commands.add_parser("on", help="tell it again, from now on")
    on.set_defaults(run=_switch, active=True)
    remove = commands.add_parser("remove", help="tell it nothing any more, and forget what was to be told")
    remove.set_defaults(run=_remove)

    for one in (test, secret, off, on, remove):
        one.add_argument("id", metavar="ID", help="as `sitewarden webhook list` shows it")
    for one in (add, listing, events, test, deliveries, retry, secret, off, on, remove):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _add(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        made = db.write_now(
            webhooks.subscribe,
            pki.secret_key(config.data_path, create=True),
            url=arguments.url,
            events=arguments.event or ["ticket.*"],
            customer=arguments.customer,
            about=arguments.about,
            by=getpass.getuser(),
            now_ns=time.time_ns(),
        )
    if arguments.json:
        _common.print_json({**_row(made.subscription, arguments.customer, {}), "secret": made.secret})
    else:
        print(f"{made.subscription.id} is told of {', '.join(made.subscription.events)}")
        print(f"  its messages are signed with this secret, which is not shown again: {made.secret}")
        print(f"  try it: sitewarden webhook test {made.subscription.id}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(stored.every)
        counts = db.read_now(stored.counts)
        names = {one.id: db.read_now(webhooks.customer_named, one) for one in found}
    rows = [_row(one, names[one.id], counts) for one in found]
    if arguments.json:
        _common.print_json(rows)
        return 0
    headers = ("ID", "URL", "EVENTS", "CUSTOMER", "STATE", "WAITING", "PARKED", "ABOUT")
    cells = [
        (
            row["id"],
            row["url"],
            " ".join(row["events"]),
            row["customer"] or "all",
            "on" if row["active"] else f"off: {row['why_off']}",
            row["waiting"],
            row["parked"],
            row["about"],
        )
        for row in rows
    ]
    _common.print_table(headers, cells, empty="no program is told; add one with `sitewarden webhook add URL`")
    return 0


def _events(arguments: argparse.Namespace) -> int:
    found = webhook_events.every()
    if arguments.json:
        _common.print_json([{"event": name, "about": about} for name, about in found.items()])
    else:
        _common.print_table(("EVENT", "SAYS"), found.items())
    return 0


def _secret(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        key = pki.secret_key(config.data_path, create=True)
        made = db.write_now(webhooks.rotate, key, arguments.id, now_ns=time.time_ns())
    until = iso(made.subscription.old_until_ns)
    if arguments.json:
        _common.print_json({"id": arguments.id, "secret": made.secret, "old_until": until})
    else:
        print(f"messages are signed with this secret, which is not shown again: {made.secret}")
        print(f"  and with the one before until {until}")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        message = db.write_now(webhooks.test, arguments.id, by=getpass.getuser(), now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"webhook": arguments.id, "message": message})
    else:
        print(f"{message} goes out within seconds while `sitewarden serve` runs")
        print(f"  see what became of it: sitewarden webhook deliveries --webhook {arguments.id}")
    return 0


def _deliveries(arguments: argparse.Namespace) -> int:
    states = (arguments.state,) if arguments.state else ()
    window = Window(max(1, arguments.limit))
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(stored.page, window, subscription_id=arguments.webhook, states=states)
    rows = [_delivery(one) for one in found[: window.limit]]
    if arguments.json:
        _common.print_json(rows)
        return 0
    headers = ("NUMBER", "EVENT", "ABOUT", "STATE", "ATTEMPTS", "ANSWER", "CREATED", "NEXT", "ERROR")
    names = ("number", "event", "ref", "state", "attempts", "status", "created", "next_attempt", "error")
    _common.print_table(headers, [[row[name] for name in names] for row in rows], empty="no messages")
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        again = db.write_now(webhooks.retry, arguments.message, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json(_delivery(again))
    else:
        print(f"message {again.id} is sent again")
    return 0


def _switch(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        changed = db.write_now(webhooks.switch, arguments.id, active=arguments.active, by=getpass.getuser())
    if arguments.json:
        _common.print_json(_row(changed, "", {}))
    else:
        print(f"{changed.id} is {'on' if changed.active else 'off'}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(webhooks.remove, arguments.id)
    if arguments.json:
        _common.print_json({"removed": arguments.id})
    else:
        print(f"{arguments.id} is told nothing any more")
    return 0


def _row(one: Subscription, customer: str, counts: dict[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "customer": customer,
        "about": one.about,
        "active": one.active,
        "why_off": one.why_off,
        "waiting": counts.get((one.id, "pending"), 0) + counts.get((one.id, "sending"), 0),
        "parked": counts.get((one.id, "parked"), 0),
        "created": iso(one.created_ns),
        "created_by": one.created_by,
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "number": one.id,
        "message": one.message_id,
        "webhook": one.subscription_id,
        "event": one.event,
        "ref": one.ref,
        "state": one.state,
        "attempts": one.attempts,
        "status": one.status,
        "error": one.last_error,
        "created": iso(one.created_ns),
        "next_attempt": iso(one.next_attempt_ns) if one.state == "pending" else "",
        "delivered": iso(one.delivered_ns),
    }
