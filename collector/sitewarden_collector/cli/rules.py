"""`sitewarden rules test | list | show | packs | parked | retry | suspended | resume`: try a file of rules, see those
in force and what could not be evaluated, evaluate that again, and bring back rules that were suspended.

`rules test FILE --against RECORDED.jsonl` shows the signals that the rules of FILE would have given; the format of
recorded observations is described in `sitewarden_alerting/recorded.py` and by `rules test --help`.
"""

from __future__ import annotations

import argparse
import getpass
import time
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
from sitewarden_collector.errors import ConfigError, NotFound
from sitewarden_collector.services import parked as parking
from sitewarden_collector.services import policies, rulepacks, suspending
from sitewarden_collector.store import evaluations, suspensions


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

    show = commands.add_parser("show", help="what one rule means, and what to do first")
    show.add_argument("name", metavar="RULE", help="as `sitewarden rules list` shows it")
    show.add_argument("--language", choices=("en", "zh"), default="en", help="of the words (default: en)")
    show.set_defaults(run=_show)

    packs = commands.add_parser("packs", help="the shipped packs, and which are in force")
    packs.set_defaults(run=_packs)

    parked = commands.add_parser("parked", help="batches and rules that could not be evaluated")
    parked.set_defaults(run=_parked)

    retry = commands.add_parser("retry", help="evaluate again what is parked, once its rule or the program is mended")
    which = retry.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", type=int, metavar="ID", help="as `sitewarden rules parked` shows it")
    which.add_argument("--all", action="store_true", help=f"everything, {parking.RETRY_MAX} at most")
    retry.set_defaults(run=_retry)

    suspended = commands.add_parser("suspended", help="rules that failed or took too long, and are out of force")
    suspended.set_defaults(run=_suspended)

    resume = commands.add_parser("resume", help="bring a suspended rule back into force, once it is mended")
    resume.add_argument("name", metavar="RULE", help="as `sitewarden rules suspended` shows it")
    resume.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    resume.set_defaults(run=_resume)

    for one in (listing, show, packs, parked, retry, suspended, resume):
        _common.add_config_option(one)
    for one in (test, listing, show, packs, parked, retry, suspended, resume):
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
            ("RULE", "KIND", "SEVERITY", "PAGES", "PACK", "TITLE"), [row.values() for row in rows], empty="no rules"
        )


def _rule(rule: AnyRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "kind": KIND_NAMES[type(rule)],
        "severity": Severity(rule.severity).name.lower(),
        "page": rule.page,
        "pack": rule.pack,
        "title": rule.title,
    }


def _show(arguments: argparse.Namespace) -> int:
    rule = rulepacks.load(_common.load_config(arguments).rules).named(arguments.name)
    if rule is None:
        raise NotFound(f"no rule {arguments.name!r} is in force; `sitewarden rules list` shows those that are")
    guide = rule.guide(arguments.language)
    if arguments.json:
        _common.print_json(_rule(rule) | {"title": guide.title, "impact": guide.impact, "steps": list(guide.steps)})
        return 0
    lines = [f"{rule.name}  {guide.title}", f"  pack {rule.pack}, kind {KIND_NAMES[type(rule)]}"]
    lines += [f"  {guide.impact}"] if guide.impact else []
    lines += [f"  {number}. {step}" for number, step in enumerate(guide.steps, start=1)]
    print("\n".join(lines))
    return 0


def _packs(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments).rules
    rows = [{"pack": name, "in_force": on, "rules": number} for name, on, number in rulepacks.overview(config)]
    if arguments.json:
        _common.print_json(rows)
    else:
        shown = [(row["pack"], "yes" if row["in_force"] else "no", row["rules"]) for row in rows]
        _common.print_table(("PACK", "IN FORCE", "RULES"), shown, empty="no packs")
    return 0


def _parked(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(evaluations.parked_listing)
    rows = [
        {
            "id": one.id,
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
        headers = ("ID", "LAST", "TIMES", "RULE", "AGENT", "EPOCH", "SEQ", "ERROR")
        _common.print_table(headers, [row.values() for row in rows], empty="nothing is parked")
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    book, policy = rulepacks.load(config.rules), policies.policy_of(config)
    with closing(_common.open_database(config)) as db:
        if arguments.all:
            tried = db.write_now(parking.retry_all, book, policy, now_ns=time.time_ns())
        else:
            tried = [db.write_now(parking.retry, arguments.id, book, policy, now_ns=time.time_ns())]
    if arguments.json:
        _common.print_json([{"id": one.parked.id, "done": one.done, "said": one.said} for one in tried])
    else:
        rows = [(one.parked.id, "done" if one.done else "failed again", one.said) for one in tried]
        _common.print_table(("ID", "RESULT", "SAID"), rows, empty="nothing is parked")
    return 0 if all(one.done for one in tried) else 1


def _suspended(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(suspensions.every)
        names = db.read_now(suspending.names, found)
    rows = [
        {"rule": one.rule, "site": names.get(one.site_id, ""), "since": iso(one.since_ns), "why": one.why}
        for one in found
    ]
    if arguments.json:
        _common.print_json(rows)
    else:
        shown = [(row["rule"], row["site"] or "everywhere", row["since"], row["why"]) for row in rows]
        _common.print_table(("RULE", "AT", "SINCE", "WHY"), shown, empty="every rule is in force")
    return 0


def _resume(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    who = arguments.by or getpass.getuser()
    with closing(_common.open_database(config)) as db:
        policy = policies.policy_of(config)
        gone = db.write_now(suspending.resume, arguments.name, policy, now_ns=time.time_ns(), by=who)
        names = db.read_now(suspending.names, gone)
    if arguments.json:
        _common.print_json([{"rule": one.rule, "site": names.get(one.site_id, "")} for one in gone])
    else:
        print(f"{arguments.name} is in force again; what it failed on: `sitewarden rules retry --all`")
    return 0
