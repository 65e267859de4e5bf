"""`sitewarden db upgrade | show | move`: the schema's version, and the way from SQLite to PostgreSQL."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from sqlalchemy import make_url

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.errors import Conflict, DatabaseUnusable
from sitewarden_collector.services import audit
from sitewarden_collector.store import lock, migrate, moving


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("db", help="the database's schema, and moving to PostgreSQL")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    upgrade = actions.add_parser("upgrade", help="bring the schema to this program's version; stop the collector first")
    upgrade.set_defaults(run=run_upgrade)
    show = actions.add_parser("show", help="the version in the database and the one that this program needs")
    show.set_defaults(run=run_show)
    move = actions.add_parser("move", help="from SQLite to PostgreSQL, with proof; stop the collector first")
    move.add_argument("--to", required=True, metavar="URL", help="an empty database: postgresql://USER@HOST/DATABASE")
    move.add_argument("--again", action="store_true", help="wipe a target whose move did not finish, and begin anew")
    move.set_defaults(run=run_move)
    for one in (upgrade, show, move):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_upgrade(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    config.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = config.database_url
    with lock.only_collector(url), closing(migrate.open_checked(url)) as db:
        before = migrate.revision(db)
        migrate.refuse_newer(db)
        now = migrate.upgrade(db)
    if arguments.json:
        _common.print_json({"before": before, "now": now})
    else:
        print(f"The schema is {now}" + (", as it was." if before == now else f"; it was {before or 'empty'}."))
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    with closing(migrate.open_checked(_common.load_config(arguments).database_url)) as db:
        found = migrate.revision(db)
    if arguments.json:
        _common.print_json({"database": found, "program": migrate.head()})
    else:
        print(f"database: {found or 'empty'}\nprogram:  {migrate.head()}")
    return 0


def run_move(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    if migrate.sqlite_path(config.database_url) is None:
        raise Conflict("this configuration's database is PostgreSQL already; a move begins at SQLite")

    def progress(what: str, table: str, rows: int) -> None:
        if rows:
            print(f"{what} {table}: {rows} rows", file=sys.stderr, flush=True)

    with (
        lock.only_collector(config.database_url),
        closing(migrate.open_checked(config.database_url, thorough=True)) as source,
    ):
        migrate.prepare(source)
        moved = moving.move(source, arguments.to, again=arguments.again, progress=progress)
    with closing(migrate.open_checked(arguments.to)) as target:
        kept = audit.read_anchor(config.data_path / audit.ANCHOR_FILE)
        faults = target.read_now(audit.verify, [kept] if kept else []).faults
    if faults:
        raise DatabaseUnusable(
            f"everything was moved, but the audit log is not whole ({'; '.join(faults)}); see with `sitewarden audit "
            "verify` whether it was in the source"
        )
    if arguments.json:
        columns = ("table", "rows", "digest", "mended")
        _common.print_json({name: getattr(one, name) for name in columns} for one in moved)
        return 0
    shown = make_url(arguments.to).render_as_string(hide_password=True)
    print(f"{sum(one.rows for one in moved)} rows in {len(moved)} tables are in {shown}, proven by count and digest.")
    for one in moved:
        if one.mended:
            print(f"{one.mended} rows of {one.table} held NUL, which PostgreSQL keeps in no text: it is U+FFFD there.")
    print(f'Now write into the configuration:\n\n[database]\nurl = "{shown}"\n')
    if make_url(arguments.to).password:
        print("with the password in place of ***,")
    print(f"then start the collector. {config.data_path / pki.SECRET_FILE} belongs to the new database as well, and")
    print("every machine that serves needs it. Start no collector on the SQLite file again; keep it as a backup.")
    return 0
