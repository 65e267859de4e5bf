"""`sitewarden site growth`: what grew most over all sites within some days."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sitewarden_collector.cli import _common

if TYPE_CHECKING:
    from sitewarden_collector.services.growth import Growth


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = actions.add_parser("growth", help="what grew most over all sites within some days")
    parser.add_argument("series", metavar="SERIES", nargs="?", default="filesystem_used_ratio")
    parser.add_argument("--days", type=int, default=7, metavar="N")
    parser.add_argument("--limit", type=int, default=20, metavar="N")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from sitewarden_collector.services import growth  # NumPy: looking at sites need not wait for it

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(
            growth.top, arguments.series, days=arguments.days, count=arguments.limit, now_ns=time.time_ns()
        )
    rows = [_row(one) for one in found]
    if arguments.json:
        _common.print_json(rows)
        return 0
    headers = ("SITE", "HOST", "OF", "BEFORE", "NOW", "BY")
    empty = (
        f"nothing is known of {arguments.series} {arguments.days} days ago; days are summed up an hour after they end, "
        "and `sitewarden site show` lists what a site sends"
    )
    table = [
        (row["site"], row["host"], row["of"], f"{row['before']:g}", f"{row['now']:g}", f"{row['by']:+g}")
        for row in rows
    ]
    _common.print_table(headers, table, empty=empty)
    return 0


def _row(one: Growth) -> dict[str, Any]:
    return {
        "site": one.site,
        "host": one.hostname,
        "of": " ".join(value for _, value in one.series.labels),
        "unit": one.series.unit,
        "before": one.before,
        "now": one.now,
        "by": one.by,
        "share": one.share,
    }
