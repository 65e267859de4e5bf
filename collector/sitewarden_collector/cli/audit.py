"""`sitewarden audit list | verify | head | export`: who saw and did what, and the proof that nothing was taken out."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import audit
from sitewarden_collector.store import audit as log
from sitewarden_collector.store import sites
from sitewarden_collector.store.audit import Row


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("audit", help="who saw and did what")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest rows, the newest first")
    listing.add_argument("--who", metavar="NAME", default="")
    listing.add_argument("--action", metavar="WORD", default="", help="as sign_in, request, see, erase_customer")
    listing.add_argument("--what", metavar="TEXT", default="", help="any part of what it was about, as INC-1001")
    listing.add_argument("--customer", metavar="NAME", default="")
    listing.add_argument("--last", metavar="DURATION", default="", help="not older than this, as 24h, 7d")
    listing.add_argument("--limit", type=int, default=100)
    listing.set_defaults(run=run_list)
    verify = actions.add_parser("verify", help="find rows that were changed, removed, moved or cut off")
    verify.add_argument("--head", metavar="FILE", type=Path, action="append", default=[], help="from `audit head`")
    verify.set_defaults(run=run_verify)
    head = actions.add_parser("head", help="where the log ends now; keep it elsewhere, for --head")
    head.set_defaults(run=run_head)
    export = actions.add_parser("export", help="the whole log, one JSON object a line")
    export.set_defaults(run=run_export)
    for one in (listing, verify, head, export):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_list(arguments: argparse.Namespace) -> int:
    def some(tx: Connection) -> list[Row]:
        customer_id = sites.customer_id_of(tx, arguments.customer) if arguments.customer else ""
        since_ns = time.time_ns() - _common.duration_s(arguments.last) * 1_000_000_000 if arguments.last else 0
        return log.some(
            tx,
            who=arguments.who,
            action=arguments.action,
            what=arguments.what,
            customer_id=customer_id,
            since_ns=since_ns,
            limit=max(1, arguments.limit),
        )

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = [_shown(row) for row in db.read_now(some)]
    if arguments.json:
        _common.print_json(rows)
    else:
        cells = [[row["seq"], row["at"], row["who"], row["action"], row["what"], _words(row["data"])] for row in rows]
        _common.print_table(("ROW", "AT", "WHO", "ACTION", "WHAT", "MORE"), cells)
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    anchors = []
    for path in arguments.head:
        found = audit.read_anchor(path)
        if found is None:
            raise Invalid(f"{path} holds no end of a log; `sitewarden audit head` writes one")
        anchors.append(found)
    kept = audit.read_anchor(config.data_path / audit.ANCHOR_FILE)
    with closing(_common.open_database(config)) as db:
        verdict = db.read_now(audit.verify, [*anchors, kept] if kept else anchors)
    if arguments.json:
        head = {"seq": verdict.head.seq, "sha256": verdict.head.sha256}
        _common.print_json({"rows": verdict.rows, "erased": verdict.erased, "head": head, "faults": verdict.faults})
    elif verdict.faults:
        print("\n".join(verdict.faults))
    else:
        more = f", of which {verdict.erased} lost their words to an erasure" if verdict.erased else ""
        print(f"The log is whole: {verdict.rows} rows{more}. It ends at {verdict.head.seq} {verdict.head.sha256}.")
    return 1 if verdict.faults else 0


def run_head(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        head = db.read_now(audit.head)
    if arguments.json:
        _common.print_json({"seq": head.seq, "sha256": head.sha256})
    else:
        print(f"{head.seq} {head.sha256}")
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    def export(tx: Connection) -> None:
        for row in log.walk(tx):
            hashes = {"salt": row.salt, "words_sha256": row.words_sha256, "before_sha256": row.before_sha256}
            _common.print_json(_shown(row) | {"at_ns": row.at_ns} | hashes)

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.read_now(export)
    return 0


def _shown(row: Row) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "at": _common.iso(row.at_ns),
        "who": row.who,
        "action": row.action,
        "what": row.what,
        "customer_id": row.customer_id,
        "data": json.loads(row.data),
        "sha256": row.sha256,
    }


def _words(data: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in data.items())
