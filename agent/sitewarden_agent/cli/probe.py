"""`probe`: the dry run of probes. Looks through them once and prints what would be sent, and sends nothing.

Promises: the agent's whole path less the spool, redaction and the kernel's confinement among it, so that a probe that
works here works in the agent, as far as both run as the same user. The exit code is 1 when one of them is bad.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from sitewarden_agent import config as configuration
from sitewarden_agent import confine
from sitewarden_agent.cli import _probe_hints
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Config, Probe
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe import redaction, sitekey
from sitewarden_agent.observe.probe_state import REPEAT_NS, ProbeState
from sitewarden_agent.observe.probes import Redact, look, looker

_WORDS = {True: "good", False: "BAD"}
_SERIES_SHOWN_MAX = 20


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "probe",
        help="look through the probes once and show what would be sent; sends nothing",
        description="Look once through every probe, or those named, and show what would be sent. Nothing is sent.",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"configuration file (default {configuration.DEFAULT_PATH})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of probes (default: all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    probes = _named(config, arguments.names)
    redact = redaction.redactor(config.redact, key=sitekey.read(config.state_dir) or b"").redact
    hints = _probe_hints.hints(config)
    confinement = confine.enter(confine.for_observe(config))
    told = asyncio.run(_look_through(probes, redact))
    if arguments.json:
        print(json.dumps({"confinement": msgspec.to_builtins(confinement), "hints": hints, "probes": told}))
    else:
        for one in told:
            _show(one)
        for hint in hints:
            print(f"Note: {hint}", file=sys.stderr)
        if confinement.state != "confined":
            print(f"Note: {confinement.state}: {confinement.detail}", file=sys.stderr)
        if not told:
            print("There are no [[probes]] in the configuration.")
    return 0 if all(one["ok"] for one in told) else 1


def _named(config: Config, names: list[str]) -> list[Probe]:
    known = {probe.name: probe for probe in config.probes}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no probe {name!r}; known are: {', '.join(known) or 'none'}")
    return [known[name] for name in names] if names else list(known.values())


async def _look_through(probes: list[Probe], redact: Redact) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(_once(probe, redact) for probe in probes)))


async def _once(probe: Probe, redact: Redact) -> dict[str, Any]:
    clock = SystemClock()
    state = ProbeState(msgspec.structs.replace(probe, failures_needed=1), redact)
    result = state.seen(await look(probe, clock, looker(probe, clock, redact)), REPEAT_NS)
    assert result is not None
    samples = [
        {"name": series.name, "labels": dict(series.labels), "unit": series.unit, "value": value}
        for series, value in sorted(state.samples().items(), key=lambda pair: (pair[0].name, pair[0].labels))
    ]
    return {
        **{name: value for name, value in msgspec.to_builtins(result).items() if name != "type"},
        "samples": samples,
    }


def _show(one: dict[str, Any]) -> None:
    level = f", {one['level']}" if one["level"] else ""
    print(f"{one['probe']}: {_WORDS[one['ok']]}{level}, {one['detail']} ({one['latency_us'] / 1_000:.1f} ms)")
    print(f"  {one['kind']} {one['target']}")
    for sample in one["samples"][:_SERIES_SHOWN_MAX]:
        labels = ", ".join(f"{key}={value!r}" for key, value in sample["labels"].items() if key != "probe")
        print(f"  {sample['name']}{f' {{{labels}}}' if labels else ''} {sample['value']:g}")
    if len(one["samples"]) > _SERIES_SHOWN_MAX:
        print(f"  and {len(one['samples']) - _SERIES_SHOWN_MAX} more series; --json shows them all")
