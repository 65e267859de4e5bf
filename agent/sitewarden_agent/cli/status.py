"""`status`: what this agent sees, sends, holds and cannot do, from the notes that its processes leave in the spool.

Reads only; it works while the agent runs and after it stopped. A process that left no fresh note is said to be silent.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sitewarden_agent import app
from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_alerting.reading import plain

FRESH_NS = 150_000_000_000
"""A process that runs leaves a note more often than this."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "status",
        help="show what the agent sees, sends and holds",
        description="Show the state of this agent: connection, what is waiting, what was given up, what is wrong.",
    )
    default = configuration.DEFAULT_PATH
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {default})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    if not app.spool_path(config).exists():
        known: dict[str, Any] = {"spool": {}, "notes": {}}  # looking must not make anything
    else:
        with app.opened_spool(config, SystemClock()) as spool:
            known = {"spool": asdict(spool.state()), "notes": spool.notes()}
    state = summary(known, now_ns=time.time_ns())
    if arguments.json:
        print(json.dumps(state, ensure_ascii=False, default=str))
    else:
        print("\n".join(map(plain.line, _lines(state))))
    return 0


def summary(known: dict[str, Any], *, now_ns: int) -> dict[str, Any]:
    """What `--json` prints: observe, link, spool, confinement, clock, renew_due."""
    notes = known["notes"]
    link, observe = dict(notes.get("link", {})), dict(notes.get("observe", {}))
    observe["running"] = observe.get("state") == "observing" and now_ns - observe.get("at_ns", 0) < FRESH_NS
    return {
        "observe": observe,
        "link": link,
        "spool": known["spool"],
        "confinement": {name: notes.get(f"confinement_{name}", {}) for name in ("observe", "link")},
        "clock": notes.get("clock", {}),
        "renew_due": notes.get("renew_due", {}),
    }


def _lines(state: dict[str, Any]) -> Iterator[str]:
    link, observe, spool = state["link"], state["observe"], state["spool"]
    yield f"Headquarters: {link.get('state', 'never started')}" + _maybe(" to ", link.get("endpoint"))
    if link.get("site_name"):
        yield f"  site {link['site_name']}, agent {link.get('agent_id')}"
    if link.get("certificate_expires_ns"):
        yield f"  the certificate is good until {_time(link['certificate_expires_ns'])}"
    if link.get("last_error"):
        yield f"  {link.get('reason', 'error')}: {link['last_error']}"
    if link.get("advice"):
        yield f"  {link['advice']}"
    offset_ns = state["clock"].get("offset_ns")
    if isinstance(offset_ns, int) and abs(offset_ns) > 1_000_000_000:
        yield f"  this host's clock differs from headquarters' by {offset_ns / 1e9:.1f} s"
    yield f"Observing: {observe['state'] if observe.get('running') else _silent(observe)}"
    for file in observe.get("files", ()):
        behind = max(0, file["size"] - file["offset"])
        yield f"  {file['log']}: {file['path']}, {behind} bytes to read"
    for probe in observe.get("probes", ()):
        word = {True: "good", False: "BAD", None: "unknown"}[probe["ok"]]
        yield f"  probe {probe['name']}: {word} ({probe['detail']})"
    if observe.get("waiting_for_room"):
        yield "  reading waits for room in the spool; nothing is lost, the log files hold what is to come"
    for complaint in observe.get("complaints", ()):
        yield f"  ! {complaint}"
    if spool:
        used = f"{spool['bytes']} of {spool['bytes_max']} bytes ({spool['level']})"
        yield f"Spool: {spool['held']} observations wait; {used}"
        yield f"  given up for want of room or for age: {spool['shed']}; batches refused for good: {spool['parked']}"
    for name, confinement in state["confinement"].items():
        if confinement:
            yield f"Confinement of {name}: {confinement['state']} ({confinement['detail']})"


def _silent(observe: dict[str, Any]) -> str:
    if not observe:
        return "never started; start the agent with `sitewarden-agent run`"
    return f"not running; last heard of {_time(observe.get('at_ns', 0))}, {observe.get('state')}"


def _maybe(before: str, value: Any) -> str:
    return f"{before}{value}" if value else ""


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
