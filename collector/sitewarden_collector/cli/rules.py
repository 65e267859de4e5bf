"""`sitewarden rules test | list | parked`: try a file of rules, see those in force and what could not be evaluated.

`rules test FILE --against RECORDED.jsonl` shows the signals that the rules of FILE would have given; the format of
recorded observations is described in `sitewarden_alerting/recorded.py` and by `rules test --help`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sitewarden_alerting import recorded
from sitewarden_alerting.model import Signal
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.recorded import BadRecording
from sitewarden_alerting.rehearse import rehearse
from sitewarden_alerting.rulefile import KIND_NAMES, Complaints, combine, parse
from sitewarden_alerting.rules import AnyRule, Rulebook, RuleFailure
from sitewarden_alerting.wording import severity_word
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import rulepacks
from sitewarden_collector.store import evaluations


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("rules", help="try rules, and see those in force")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    test = commands.add_parser(
        "test",
        help="check a file of rules, and try it on recorded observations",
        description=recorded.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    test.add_argument("file", type=Path, metavar="FILE", help="rules, TOML")
    test.add_argument(
        "--against", type=Path, metavar="RECORDED.jsonl", help="recorded observations, as described above"
    )
    test.set_defaults(run=_test)

    listing = commands.add_parser("list", help="the rules in force")
    listing.set_defaults(run=_list)

    parked = commands.add_parser("parked", help="batches and rules that could not be evaluated")
    parked.set_defaults(run=_parked)

    for one in (listing, parked):
        _common.add_config_option(one)
    for one in (test, listing, parked):
        _common.add_json_option(one)


def _test(arguments: argparse.Namespace) -> int:
    book = _read(arguments.file)
    if arguments.against is None:
        _print_rules(book, as_json=arguments.json)
        return 0
    found = list(_rehearsed(book, arguments.against))
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    headers = ("AT", "STATE", "SEVERITY", "RULE", "TITLE", "REASON")
    rows = [[row[name] for name in ("at", "state", "severity", "rule", "title", "reason")] for row in map(_row, found)]
    _common.print_table(headers, rows, empty="no signal: these observations would open no ticket")
    return 0


def _read(path: Path) -> Rulebook:
    try:
        return combine([parse(path.read_text(encoding="utf-8"), str(path))])
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a readable file of rules") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except Complaints as error:
        raise ConfigError(f"{path} has {len(error.complaints)} mistakes:\n{error}") from error


def _rehearsed(book: Rulebook, path: Path) -> Iterator[Signal | RuleFailure]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from rehearse(book, recorded.read(lines, str(path)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a file of recorded observations") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; recorded observations are JSON lines in UTF-8") from error
    except BadRecording as error:
        raise ConfigError(f"{error}; `sitewarden rules test --help` describes the format") from error


def _row(one: Signal | RuleFailure) -> dict[str, Any]:
    if isinstance(one, RuleFailure):
        row = {"at": "", "state": "failed", "severity": "", "rule": one.rule, "title": "this rule failed"}
        return row | {"reason": one.error, "site": "", "fault": "", "count": 0}
    return {
        "at": iso(one.at_ns),
        "state": one.state.value,
        "severity": severity_word(one.severity).lower(),
        "rule": one.rule,
        "title": one.title,
        "reason": one.reason,
        "site": one.site_id,
        "fault": one.fault,
        "count": one.count,
    }


def _list(arguments: argparse.Namespace) -> int:
    _print_rules(rulepacks.load(_common.load_config(arguments).rules), as_json=arguments.json)
    return 0


def _print_rules(book: Rulebook, *, as_json: bool) -> None:
    rows = [_rule(rule) for rule in book.rules]
    if as_json:
        _common.print_json(rows)
    else:
        _common.print_table(
            ("RULE", "KIND", "SEVERITY", "PAGES", "TITLE"), [row.values() for row in rows], empty="no rules"
        )


def _rule(rule: AnyRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "kind": KIND_NAMES[type(rule)],
        "severity": Severity(rule.severity).name.lower(),
        "page": rule.page,
        "title": rule.title,
    }


def _parked(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(evaluations.parked_listing)
    rows = [
        {
            "last": iso(one.last_ns),
            "times": one.times,
            "rule": one.rule,
            "agent": one.agent_id,
            "epoch": one.epoch,
            "seq": one.seq,
            "error": one.error,
        }
        for one in found
    ]
    if arguments.json:
        _common.print_json(rows)
    else:
        headers = ("LAST", "TIMES", "RULE", "AGENT", "EPOCH", "SEQ", "ERROR")
        _common.print_table(headers, [row.values() for row in rows], empty="nothing is parked")
    return 0
