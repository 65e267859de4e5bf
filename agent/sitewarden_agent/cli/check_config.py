"""`check-config`: whether the configuration can be used, and what it means on this host. Changes nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sitewarden_agent import config as configuration
from sitewarden_agent import programs
from sitewarden_agent.cli import _probe_hints
from sitewarden_agent.config import Config
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe import discovery, redaction


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "check-config",
        help="check the configuration file",
        description="Read the configuration, complain with file, line and key, and show which files it names.",
    )
    default = configuration.DEFAULT_PATH
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {default})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = arguments.config or configuration.DEFAULT_PATH
    try:
        config = configuration.load(path)
        redaction.redactor(config.redact, key=b"")
    except ConfigError as error:
        if not arguments.json:
            raise
        print(json.dumps({"config": str(path), "ok": False, "error": str(error), "logs": [], "hints": []}))
        return error.exit_code
    logs, hints = _logs(config)
    hints += _probe_hints.hints(config)
    if arguments.json:
        print(json.dumps({"config": str(path), "ok": True, "error": None, "logs": logs, "hints": hints}))
        return 0
    print(f"{path} is good: {len(config.logs)} logs, {len(config.probes)} probes, state in {config.state_dir}.")
    for log in logs:
        what = "the journal" if log["journal"] else f"{len(log['files'])} files"
        print(f"  {log['name']}: {what}, from {log['min_severity']} up")
        for file in log["files"]:
            print(f"    {file}")
    for hint in hints:
        print(f"  Note: {hint}")
    return 0


def _logs(config: Config) -> tuple[list[dict[str, Any]], list[str]]:
    logs, hints = [], []
    for log in config.logs:
        found, complaints = discovery.files(log)
        files = sorted(seen.path for seen in found.values())
        logs.append({"name": log.name, "min_severity": log.min_severity, "files": files, "journal": log.journal})
        hints += complaints
        if log.journal and programs.find("journalctl") is None:
            hints.append(f"log {log.name!r} reads the systemd journal, and this host has no journalctl")
        if not files and not log.journal:
            hints.append(f"log {log.name!r} names no file yet: {', '.join(log.paths)}")
    if not config.logs and not config.probes:
        hints.append("no [[logs]] and no [[probes]]: only the health of this host is watched")
    return logs, hints
