"""`sitewarden db upgrade | show`: the version of the database's schema."""

from __future__ import annotations

import argparse
from contextlib import closing

from sitewarden_collector.cli import _common
from sitewarden_collector.store import lock, migrate


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("db", help="the database's schema")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    upgrade = actions.add_parser("upgrade", help="bring the schema to this program's version; stop the collector first")
    upgrade.set_defaults(run=run_upgrade)
    show = actions.add_parser("show", help="the version in the database and the one that this program needs")
    show.set_defaults(run=run_show)
    for one in (upgrade, show):
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
