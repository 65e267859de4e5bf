"""`sitewarden site inventory NAME`: what the hosts of a site are, and what they were before."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import msgspec
from sqlalchemy import Connection

from sitewarden_alerting.wording import size
from sitewarden_collector.cli import _common
from sitewarden_collector.services.inventories import course
from sitewarden_collector.store import agents, inventories, sites
from sitewarden_collector.store.inventories import Kept


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser("inventory", help="what its hosts are, and were")
    parser.add_argument("name", metavar="NAME")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        hosts = db.read_now(_hosts, arguments.name)
    if arguments.json:
        _common.print_json(hosts)
        return 0
    if not hosts:
        print("No host of this site has told what it is yet; its agents do at their start.")
    for host in hosts:
        print("\n".join(lines(host["host"], host["inventory"])))
        for change in host["changes"]:
            before = f"{change['before']} -> " if change["before"] else ""
            print(f"  {change['at']}  {change['subject']}: {before}{change['after'] or 'none'}")
        print()
    return 0


def newest(tx: Connection, agent_id: str) -> dict[str, Any]:
    """What a host told last; empty where it told nothing."""
    found = inventories.of_agent(tx, agent_id, limit=1)
    return _shape(found[0]) if found else {}


def lines(host: str, told: Mapping[str, Any]) -> Iterator[str]:
    """An inventory in a few lines."""
    yield f"{host}, as told {told['told']}"
    kind = [told["kernel"], told["architecture"], told["virtualisation"], told["container"]]
    yield f"  system      {told['distribution'] or 'unknown'} ({', '.join(word for word in kind if word)})"
    yield f"  processors  {told['cpus']} {told['cpu_model']}".rstrip()
    swap = f", {size(told['swap_bytes'])} swap" if told["swap_bytes"] else ""
    yield f"  memory      {size(told['memory_bytes'])}{swap}"
    for disk in told["disks"]:
        of = " ".join(word for word in (disk["file_system"], disk["device"]) if word)
        yield f"  disk        {disk['mountpoint']} {size(disk['size_bytes'])} {of}".rstrip()
    for card in told["cards"]:
        speed = f" {card['speed_mbit']} Mbit/s" if card["speed_mbit"] else ""
        yield f"  network     {card['name']}{speed} {' '.join(card['addresses'])}".rstrip()
    for part in told["components"]:
        yield f"  component   {part['name']} {part['version'] or 'version unknown: ' + part['trouble']}"
    yield f"  agent       {told['agent_version']} on Python {told['python_version']}"
    yield f"  time zone   {told['time_zone'] or 'unknown'}"


def _hosts(tx: Connection, name: str) -> list[dict[str, Any]]:
    found = []
    for agent in agents.of_site(tx, sites.by_name(tx, name).id):
        kept = inventories.of_agent(tx, agent.id)
        if kept:
            found.append(
                {
                    "agent": agent.id,
                    "host": agent.hostname or agent.id,
                    "inventory": _shape(kept[0]),
                    "changes": [
                        {"at": _common.iso(at_ns), "subject": one.subject, "before": one.before, "after": one.after}
                        for at_ns, one in course(kept)
                    ],
                }
            )
    return found


def _shape(kept: Kept) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(kept.inventory)
    return {"since": _common.iso(kept.since_ns), "told": _common.iso(kept.last_ns), **told}
