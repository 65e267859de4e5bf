"""`sitewarden config set | show | history | rollback | clear | status`: configure agents within what sites allow."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._audited import who
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import site_configs as configuring
from sitewarden_collector.services.site_configs import Scope, Standing
from sitewarden_collector.store import site_configs as stored
from sitewarden_collector.store import sites
from sitewarden_collector.store.site_configs import SiteConfig


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("config", help="configure agents from here, within what their sites allow")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    setting = actions.add_parser("set", help="a new version, for a customer, a site or an agent")
    setting.add_argument(
        "file", metavar="FILE", help="TOML in the shape of the agent's own file; - reads standard input"
    )
    setting.set_defaults(run=_set)
    show = actions.add_parser("show", help="the newest version, or another")
    show.add_argument("--version", type=int, metavar="N", help="this one")
    show.set_defaults(run=_show)
    history = actions.add_parser("history", help="every version, and what each changed")
    history.set_defaults(run=_history)
    rollback = actions.add_parser("rollback", help="a new version that says what an earlier one said")
    rollback.add_argument("version", type=int, metavar="N", help="as `config history` lists it")
    rollback.set_defaults(run=_roll_back)
    clear = actions.add_parser("clear", help="say nothing any more: what is said more widely counts again")
    clear.set_defaults(run=_clear)
    status = actions.add_parser("status", help="what became of it at every agent")
    status.add_argument("--site", metavar="NAME", help="only at this site")
    status.set_defaults(run=_status)
    for one in (setting, show, history, rollback, clear):
        whose = one.add_mutually_exclusive_group(required=True)
        whose.add_argument("--customer", default="", metavar="NAME", help="for all sites of a customer")
        whose.add_argument("--site", default="", metavar="NAME", help="for all agents of a site")
        whose.add_argument("--agent", default="", metavar="ID", help="for one agent, as `site show` prints it")
    for one in (setting, rollback, clear):
        one.add_argument("--note", default="", metavar="TEXT", help="why, for the history")
    for one in (setting, show, history, rollback, clear, status):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _set(arguments: argparse.Namespace) -> int:
    return _write(arguments, configuring.configure, _document(arguments.file))


def _roll_back(arguments: argparse.Namespace) -> int:
    return _write(arguments, configuring.roll_back, arguments.version)


def _clear(arguments: argparse.Namespace) -> int:
    return _write(arguments, configuring.clear)


def _write(arguments: argparse.Namespace, service: Any, *given: Any) -> int:
    by = who()

    def done(tx: Connection) -> tuple[Scope, str, SiteConfig]:
        what = _scope(tx, arguments)
        before = stored.newest(tx, (what.id,)).get(what.id)
        made = service(tx, what, *given, author=by, note=arguments.note, now_ns=time.time_ns())
        return what, "" if before is None else before.document, made

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        what, before, made = db.write_now(done)
    if arguments.json:
        _common.print_json(_row(made, what))
        return 0
    print(f"version {made.version} for {what.kind} {what.name} is on its way; `sitewarden config status` shows how far")
    if changed := configuring.diff(before, made.document):
        print(changed)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        what, versions = db.read_now(_versions, arguments)
    found = [one for one in versions if arguments.version in (None, one.version)]
    if not found:
        raise ConfigError(f"{what.name} has no such version; `sitewarden config history` lists them")
    if arguments.json:
        _common.print_json(_row(found[0], what) | {"document": found[0].document})
    else:
        sys.stdout.write(found[0].document)
    return 0


def _history(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        what, versions = db.read_now(_versions, arguments)
    rows = []
    for place, one in enumerate(versions):
        before = versions[place + 1].document if place + 1 < len(versions) else ""
        rows.append(_row(one, what) | {"diff": configuring.diff(before, one.document)})
    if arguments.json:
        _common.print_json(rows)
        return 0
    if not rows:
        print(f"nothing was ever configured for {what.name}")
    for row in rows:
        print(f"version {row['version']}  {row['created']}  {row['author']}  {row['note']}".rstrip())
        for line in row["diff"].splitlines() or ["(says nothing)" if row["inherits"] else "(as before)"]:
            print(f"    {line}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = db.read_now(_standings, arguments.site)
    if arguments.json:
        _common.print_json(rows)
        return 0
    headers = ("SITE", "HOST", "AGENT", "VERSION", "FOR", "STATE", "SINCE")
    keys = ("site", "host", "agent", "version", "for", "state", "since")
    _common.print_table(headers, [[row[key] for key in keys] for row in rows], empty="no agents yet")
    for row in rows:
        if row["detail"]:
            print(f"\n{row['host']} {row['state']}:\n{row['detail']}")
    return 0


def _scope(tx: Connection, arguments: argparse.Namespace) -> Scope:
    return configuring.scope(tx, customer=arguments.customer, site=arguments.site, agent=arguments.agent)


def _versions(tx: Connection, arguments: argparse.Namespace) -> tuple[Scope, list[SiteConfig]]:
    what = _scope(tx, arguments)
    return what, stored.history(tx, what.id)


def _standings(tx: Connection, site: str | None) -> list[dict[str, Any]]:
    chosen = sites.every(tx) if site is None else [sites.by_name(tx, site)]
    return [row for one in chosen for row in _rows(one.name, configuring.standing(tx, one.id))]


def _rows(site: str, standings: list[Standing]) -> Iterator[dict[str, Any]]:
    for one in standings:
        wanted = one.wanted
        yield {
            "site": site,
            "host": one.agent.hostname,
            "agent": one.agent.id,
            "version": None if wanted is None else wanted.version,
            "for": None if wanted is None else wanted.scope,
            "state": one.state,
            "since": _common.iso(one.changed_ns),
            "detail": one.detail,
        }


def _document(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{name} cannot be read ({reason}); name a TOML file, or - for standard input") from None


def _row(one: SiteConfig, what: Scope) -> dict[str, Any]:
    return {
        "for": what.kind,
        "name": what.name,
        "version": one.version,
        "author": one.author,
        "note": one.note,
        "created": _common.iso(one.created_ns),
        "inherits": one.inherits,
    }
