"""`sitewarden risk list`: what has not happened yet, the worst first."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.store import risks
from sitewarden_collector.store.risks import Listed


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("risk", help="the risk register")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="active risks, the worst first")
    listing.add_argument("--all", action="store_true", help="also those that were taken back")
    listing.add_argument("--site", default="", metavar="NAME", help="only those of this site")
    listing.add_argument("--limit", type=int, default=200, metavar="N", help="at most so many (default: 200)")
    listing.set_defaults(run=_list)
    _common.add_config_option(listing)
    _common.add_json_option(listing)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(risks.listing, lowered=arguments.all, site=arguments.site, limit=arguments.limit)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    headers = ("NUMBER", "SCORE", "SITE", "STATE", "DUE", "WHAT", "TO DO")
    rows = [
        (
            r.number,
            f"{r.score} ({r.likelihood} x {r.impact})",
            one.site,
            r.state.value,
            iso(r.due_ns),
            r.text,
            r.response,
        )
        for one in found
        for r in (one.risk,)
    ]
    _common.print_table(headers, rows, empty="no active risks")
    return 0


def _row(one: Listed) -> dict[str, Any]:
    risk = one.risk
    return {
        "number": risk.number,
        "state": risk.state.value,
        "score": risk.score,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "site": one.site,
        "customer": one.customer,
        "kind": risk.kind,
        "title": risk.title,
        "text": risk.text,
        "factors": [{"name": factor.name, "text": factor.text, "weight": factor.weight} for factor in risk.factors],
        "response": risk.response,
        "due": iso(risk.due_ns),
        "expected": iso(risk.expected_ns),
        "earliest": iso(risk.early_ns),
        "latest": iso(risk.late_ns),
        "raised": iso(risk.raised_ns),
        "assessed": iso(risk.assessed_ns),
        "id": risk.id,
    }
