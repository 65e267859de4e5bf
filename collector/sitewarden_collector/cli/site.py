"""`sitewarden site list | show | inventory | growth | revoke`: the sites, their agents and hosts, shutting one out."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common, _site_growth, _site_inventory
from sitewarden_collector.store import agents, certificates, sites
from sitewarden_collector.store.agents import Agent


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("site", help="sites and their agents")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every site")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="one site and its agents")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(run=run_show)
    revoke = actions.add_parser("revoke", help="shut an agent out for good; a running one within a minute")
    revoke.add_argument("agent", metavar="AGENT", help="its id, as `site show` prints it")
    revoke.add_argument("--why", default="revoked by an operator", metavar="TEXT")
    revoke.set_defaults(run=run_revoke)
    for one in (listing, show, revoke, _site_growth.register(actions), _site_inventory.register(actions)):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = db.read_now(_sites)
    if arguments.json:
        _common.print_json(rows)
    else:
        headers = ("SITE", "CUSTOMER", "AGENTS", "LAST SEEN", "CREATED")
        empty = "no sites yet; make one with `sitewarden token create --site NAME`"
        _common.print_table(headers, [row.values() for row in rows], empty=empty)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        shown = db.read_now(_site, arguments.name)
    if arguments.json:
        _common.print_json(shown)
        return 0
    print(f"Site {shown['site']} of {shown['customer']}, since {shown['created']}\n")
    headers = ("AGENT", "HOST", "STATE", "VERSION", "LAST SEEN", "CERTIFICATE ENDS", "HELD", "CLOCK OFF")
    rows = [
        (
            agent["agent"],
            agent["host"],
            agent["state"],
            agent["version"],
            agent["last_seen"],
            agent["certificate_ends"],
            agent["spool"].get("held", ""),
            f"{agent['clock_offset_s']:+.0f} s" if agent["clock_offset_s"] else "",
        )
        for agent in shown["agents"]
    ]
    _common.print_table(headers, rows, empty="no agent has enrolled yet")
    for agent in shown["agents"]:
        if agent["state_why"]:
            print(f"\n{agent['agent']} is {agent['state']}: {agent['state_why']}")
    for agent in shown["agents"]:
        if agent["inventory"]:
            print("\n" + "\n".join(_site_inventory.lines(agent["host"] or agent["agent"], agent["inventory"])))
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    from sitewarden_collector.services import enrolment  # looking at sites need not wait for keys and certificates

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(enrolment.revoke, arguments.agent, why=arguments.why, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"agent": arguments.agent, "state": "revoked"})
    else:
        print(f"Agent {arguments.agent} is revoked; if it is connected, it is sent away within a minute.")
    return 0


def _sites(tx: Connection) -> list[dict[str, Any]]:
    rows = []
    for site in sites.every(tx):
        mine = [agent for agent in agents.of_site(tx, site.id) if agent.state == "active"]
        row = {"site": site.name, "customer": site.customer_name, "agents": len(mine)}
        row["last_seen"] = _common.iso(max((agent.last_seen_ns for agent in mine), default=0))
        rows.append(row | {"created": _common.iso(site.created_ns)})
    return rows


def _site(tx: Connection, name: str) -> dict[str, Any]:
    site = sites.by_name(tx, name)
    return {
        "site": site.name,
        "id": site.id,
        "customer": site.customer_name,
        "created": _common.iso(site.created_ns),
        "agents": [_agent(tx, agent) for agent in agents.of_site(tx, site.id)],
    }


def _agent(tx: Connection, agent: Agent) -> dict[str, Any]:
    ends_ns = next((one.not_after_ns for one in certificates.of_agent(tx, agent.id) if one.revoked_ns is None), None)
    return {
        "agent": agent.id,
        "host": agent.hostname,
        "state": agent.state,
        "state_why": agent.state_why,
        "version": agent.version,
        "enrolled": _common.iso(agent.enrolled_ns),
        "last_seen": _common.iso(agent.last_seen_ns),
        "certificate_ends": _common.iso(ends_ns),
        "clock_offset_s": agent.clock_offset_ns / 1_000_000_000,
        "spool": json.loads(agent.spool) if agent.spool else {},
        "inventory": _site_inventory.newest(tx, agent.id),
    }
