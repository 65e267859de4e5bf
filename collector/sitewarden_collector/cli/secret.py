"""`sitewarden secret rotate`: change the key that secrets in the database and attachments rest under."""

from __future__ import annotations

import argparse
import time
from contextlib import closing

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.services import audit, secrets


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("secret", help="the key that secrets in the database rest under")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    rotate = actions.add_parser("rotate", help="encrypt everything anew under a new key; restart the collectors then")
    rotate.add_argument("--drop-old", action="store_true", help="take the old keys out of the file afterwards")
    rotate.set_defaults(run=run_rotate)
    _common.add_config_option(rotate)
    _common.add_json_option(rotate)


def run_rotate(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        key = pki.new_secret_key(config.data_path)
        count = db.write_now(secrets.rotate, key)
        files = secrets.rotate_files(config.data_path / "attachments", key)
        data = {"secrets": count, "files": files, "dropped": arguments.drop_old}
        db.write_now(audit.note, "command line", "rotate_secret", data=data, now_ns=time.time_ns())
    if arguments.drop_old:
        pki.drop_old_secret_keys(config.data_path)
    if arguments.json:
        _common.print_json({"secrets": count, "files": files})
        return 0
    print(f"{count} secrets and {files} files rest under the new key. Restart every collector now.")
    if not arguments.drop_old:
        print(
            "The old key is still in the file, for those that run: `sitewarden secret rotate --drop-old` takes it out."
        )
    return 0
