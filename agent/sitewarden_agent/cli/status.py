"""`status`: what this agent sees, sent, holds and dropped and why, from the spool and the notes of its processes.

Reads only; it works while the agent runs and after it stopped. A process that left no fresh note is said to be silent.
In the language of the environment, or of --lang; --json is the same in every language. `--outbox` shows the records.
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
from sitewarden_agent.cli._words import LANGUAGES, Speaker, language
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Config
from sitewarden_agent.errors import ConfigError
from sitewarden_alerting.reading import plain

FRESH_NS = 150_000_000_000
"""A process that runs leaves a note more often than this."""
FILES_SHOWN = 20
PAGE = 50
_DROPPED = ("shed", "refused", "gap", "repeated")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "status",
        help="show what the agent sees, sent, holds and dropped",
        description="Show the state of this agent: connection, what was sent, what waits, what was dropped and why.",
    )
    default = configuration.DEFAULT_PATH
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {default})")
    parser.add_argument("--json", action="store_true", help="print one JSON object; with --outbox one a line")
    parser.add_argument("--lang", choices=LANGUAGES, help="language (default: as the environment says)")
    parser.add_argument("--outbox", action="store_true", help="show the very records that wait or were sent")
    parser.add_argument("--limit", type=int, default=PAGE, metavar="N", help=f"so many records (default {PAGE})")
    parser.add_argument("--after", default="", metavar="PLACE", help="go on where the page before ended")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    say = Speaker(language(arguments.lang))
    if arguments.outbox:
        return _outbox(config, arguments, say)
    known: dict[str, Any] = {"spool": {}, "notes": {}, "tallies": []}  # looking must not make anything
    if app.spool_path(config).exists():
        with app.opened_spool(config, SystemClock()) as spool:
            tallies = [asdict(each) for each in spool.tallies()]
            known = {"spool": asdict(spool.state()), "notes": spool.notes(), "tallies": tallies}
    now_ns = time.time_ns()
    state = summary(known, now_ns=now_ns)
    if arguments.json:
        print(json.dumps(state, ensure_ascii=False, default=str))
    else:
        print("\n".join(map(plain.line, _lines(state, say, now_ns=now_ns))))
    return 0


def _outbox(config: Config, arguments: argparse.Namespace, say: Speaker) -> int:
    from sitewarden_agent.cli import _outbox as shown

    records = []
    if app.spool_path(config).exists():
        with app.opened_spool(config, SystemClock()) as spool:
            try:
                records = spool.outbox(max(1, arguments.limit) + 1, cursor=arguments.after)
            except ValueError as error:
                raise ConfigError(str(error)) from None
    page = records[: max(1, arguments.limit)]
    for record in page:
        if arguments.json:
            print(shown.as_json(record))
            continue
        at = "" if record.observation is None else _time(record.observation.wall_ns)
        print("\n".join(map(plain.line, shown.as_lines(record, say, at))))
    if not arguments.json:
        if not page:
            print(say("outbox_empty"))
        elif len(records) > len(page):
            print(say("outbox_next", cursor=page[-1].cursor))
    return 0


def summary(known: dict[str, Any], *, now_ns: int) -> dict[str, Any]:
    """What `--json` prints: observe, link, spool, tallies, confinement, clock, renew_due."""
    notes = known["notes"]
    link, observe = dict(notes.get("link", {})), dict(notes.get("observe", {}))
    observe["running"] = observe.get("state") == "observing" and now_ns - observe.get("at_ns", 0) < FRESH_NS
    return {
        "observe": observe,
        "link": link,
        "spool": known["spool"],
        "tallies": known["tallies"],
        "confinement": {name: notes.get(f"confinement_{name}", {}) for name in ("observe", "link")},
        "clock": notes.get("clock", {}),
        "renew_due": notes.get("renew_due", {}),
    }


def _lines(state: dict[str, Any], say: Speaker, *, now_ns: int) -> Iterator[str]:
    yield from _headquarters(state, say, now_ns=now_ns)
    yield from _observing(state["observe"], say)
    if spool := state["spool"]:
        yield from _traffic(spool, state["tallies"], say, now_ns=now_ns)
    for name, confinement in state["confinement"].items():
        if confinement:
            word = say.name("confined", confinement["state"])
            yield say("confinement", name=name, state=word, detail=confinement["detail"])
    if spool:
        yield say("outbox_hint")


def _headquarters(state: dict[str, Any], say: Speaker, *, now_ns: int) -> Iterator[str]:
    link, spool = state["link"], state["spool"]
    word = say.name("link", link.get("state", "never started"))
    endpoint = link.get("endpoint")
    yield say("headquarters_to", state=word, endpoint=endpoint) if endpoint else say("headquarters", state=word)
    if link.get("site_name"):
        yield "  " + say("site", site=link["site_name"], agent=link.get("agent_id"))
    if link.get("certificate_expires_ns"):
        yield "  " + say("certificate", time=_time(link["certificate_expires_ns"]))
    if state["renew_due"].get("due"):
        yield "  " + say("renewal_due")
    if spool:
        acked_ns = spool["acked_ns"]
        ago = say.span((now_ns - acked_ns) / 1e9)
        yield "  " + (say("contact", ago=ago, time=_time(acked_ns)) if acked_ns else say("no_contact"))
    if link.get("last_error"):
        yield f"  {link.get('reason', 'error')}: {link['last_error']}"
    if link.get("advice"):
        yield f"  {link['advice']}"
    offset_ns = state["clock"].get("offset_ns")
    if isinstance(offset_ns, int) and abs(offset_ns) > 1_000_000_000:
        yield "  " + say("clock", seconds=f"{offset_ns / 1e9:.1f}")


def _observing(observe: dict[str, Any], say: Speaker) -> Iterator[str]:
    if observe.get("running"):
        said = say.name("observe", observe["state"])
    elif "state" in observe:
        state = say.name("observe", observe["state"])
        said = say("silent", time=_time(observe.get("at_ns", 0)), state=state)
    else:
        said = say("never")
    yield say("observing", state=said)
    files = sorted(observe.get("files", ()), key=lambda file: file["offset"] - file["size"])
    for file in files[:FILES_SHOWN]:
        behind = max(0, file["size"] - file["offset"])
        yield "  " + say("file", log=file["log"], path=file["path"], bytes=behind)
    if len(files) > FILES_SHOWN:
        yield "  " + say("more", count=len(files) - FILES_SHOWN)
    for probe in observe.get("probes", ()):
        word = say({True: "good", False: "bad", None: "unknown"}[probe["ok"]])
        yield "  " + say("probe", name=probe["name"], state=word, detail=probe["detail"])
    for part in observe.get("components", ()):
        known = say("component", name=part["name"], version=part["version"])
        yield "  " + (known if part["version"] else say("no_version", name=part["name"], why=part["trouble"]))
    if remote := observe.get("remote_config"):
        trial = " " + say("on_trial") if remote["on_trial"] else ""
        yield "  " + say("remote", version=remote["version"]) + trial
    if observe.get("waiting_for_room"):
        yield "  " + say("waits_for_room")
    for complaint in observe.get("complaints", ()):
        yield f"  ! {complaint}"
    if limits := observe.get("limits"):
        yield "  " + say(
            "limits",
            memory=limits["memory_mb"],
            memory_max=limits["memory_mb_max"],
            cpu=limits["cpu_percent"],
            cpu_max=f"{limits['cpu_percent_max']:g}",
            disk=limits["disk_mb"],
            disk_max=limits["disk_mb_max"],
        )
        if limits["step"] != "ok":
            yield "  ! " + say(f"step_{limits['step']}", because=say.name("because", limits["because"]))


def _traffic(spool: dict[str, Any], tallies: list[dict[str, Any]], say: Speaker, *, now_ns: int) -> Iterator[str]:
    def counted(what: str, *, group: str = "kind", key: str = "") -> Iterator[str]:
        for each in tallies:
            if each["what"] == what:
                name = say.name(group, each["kind"])
                yield f"  {say(key, kind=name) if key else name}: {each['today']} / {each['total']}"

    yield say("sent")
    yield from counted("sent")
    if spool["held"] and spool["oldest_ns"]:
        yield say("held_since", count=spool["held"], ago=say.span((now_ns - spool["oldest_ns"]) / 1e9))
    else:
        yield say("held", count=spool["held"])
    yield "  " + say("spool", used=_mb(spool["bytes"]), most=_mb(spool["bytes_max"]), level=spool["level"])
    dropped = [line for what in _DROPPED for line in counted(what, group="gap" if what == "gap" else "kind", key=what)]
    yield from [say("dropped"), *dropped] if dropped else [say("nothing_dropped")]
    redacted = list(counted("redacted"))
    yield from [say("redacted"), *redacted] if redacted else [say("nothing_redacted")]
    yield "  " + say("stays")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
