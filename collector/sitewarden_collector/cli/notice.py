"""`sitewarden notice send | list | retry`: tell a site something; see what became of every notice."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from dataclasses import asdict

from sitewarden_collector.cli._common import (
    add_config_option,
    add_json_option,
    iso,
    load_config,
    open_database,
    print_json,
    print_table,
)
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import actions
from sitewarden_collector.store import notices, sites
from sitewarden_collector.store.notices import STATES, StoredNotice


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("notice", help="send notices to sites, and see what became of those to people")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    send = commands.add_parser("send", help="send a notice to every agent of a site")
    send.add_argument("--site", required=True, metavar="NAME", help="the site, as `sitewarden site list` shows it")
    send.add_argument("--subject", required=True, help="one line")
    send.add_argument("--body", default="", metavar="TEXT", help="the text; - reads it from standard input")
    send.add_argument("--category", choices=actions.CATEGORIES, default="information")
    send.add_argument("--reference", default="", metavar="R", help="the release, ticket or article it speaks of")
    add_config_option(send)
    add_json_option(send)
    send.set_defaults(run=_send)

    listing = commands.add_parser("list", help="notices to people, newest first")
    listing.add_argument("--state", choices=STATES, help="only those in this state")
    listing.add_argument("--limit", type=int, default=200, metavar="N", help="at most so many (default: 200)")
    add_config_option(listing)
    add_json_option(listing)
    listing.set_defaults(run=_list)

    retry = commands.add_parser("retry", help="try a parked or failed notice again from the start")
    retry.add_argument("id", metavar="ID", help="as `sitewarden notice list` shows it")
    add_config_option(retry)
    retry.set_defaults(run=_retry)


def _send(arguments: argparse.Namespace) -> int:
    body = sys.stdin.read() if arguments.body == "-" else arguments.body
    with closing(open_database(load_config(arguments))) as db:
        site = db.read_now(sites.by_name, arguments.site)
        made = db.write_now(
            actions.send_notice,
            site.id,
            subject=arguments.subject,
            body=body,
            category=arguments.category,
            reference=arguments.reference,
            now_ns=time.time_ns(),
        )
    if arguments.json:
        print_json({"site": site.name, "subject": arguments.subject, "actions": made})
    else:
        agents = f"{len(made)} agent{'s' if len(made) > 1 else ''}"
        print(f"queued for {agents} of {site.name}: shown there by `sitewarden-agent notices`")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    if arguments.limit < 1:
        raise ConfigError("--limit must be 1 or more")
    with closing(open_database(load_config(arguments))) as db:
        found = db.read_now(notices.listing, state=arguments.state, limit=arguments.limit)
    if arguments.json:
        print_json(_row(notice) for notice in found)
        return 0
    headers = ("id", "created", "kind", "person", "channel", "state", "attempts", "subject", "last error")
    print_table(
        headers,
        (
            (n.id, iso(n.created_ns), n.kind, n.person, n.channel, n.state, n.attempts, n.subject, n.last_error)
            for n in found
        ),
        empty="no notices",
    )
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    with closing(open_database(load_config(arguments))) as db:
        notice = db.write_now(notices.retry, arguments.id, now_ns=time.time_ns())
    print(
        f"notice {notice.id} to {notice.person} by {notice.channel} is tried again as soon as `sitewarden serve` runs"
    )
    return 0


def _row(notice: StoredNotice) -> dict[str, object]:
    row = asdict(notice)
    for key in ("next_attempt_ns", "claimed_ns", "sent_ns", "created_ns"):
        row[key.removesuffix("_ns") + "_at"] = iso(row.pop(key)) or None
    return row
