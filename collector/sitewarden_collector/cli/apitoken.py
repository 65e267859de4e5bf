"""`sitewarden apitoken create | list | revoke`: what programs sign in to the API with."""

from __future__ import annotations

import argparse
import time
from contextlib import closing

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.services import audit, tokens_api
from sitewarden_collector.services.access import Permission
from sitewarden_collector.services.tokens_api import Made
from sitewarden_collector.store import accounts, api_tokens

BY = "command line"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("apitoken", help="tokens with which programs use the API")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token that acts as an account; it is shown once")
    create.add_argument("name", metavar="NAME", help="what uses it")
    create.add_argument("--account", required=True, metavar="NAME")
    known = ", ".join(permission.value for permission in Permission)
    create.add_argument("--scope", action="append", default=[], metavar="SCOPE", help=f"again for more; {known}")
    create.add_argument("--expires", default="90d", metavar="DURATION", help="as 24h, 30d, 52w (default: 90d)")
    create.set_defaults(run=run_create)
    listing = actions.add_parser("list", help="the tokens, and when each was used")
    listing.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="make a token useless")
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(run=run_revoke)
    for one in (create, listing, revoke):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_create(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    days = _common.duration_s(arguments.expires) / 86_400

    def create(tx: Connection) -> Made:
        account = accounts.by_name(tx, arguments.account)
        made = tokens_api.create(tx, account, arguments.name, scopes=arguments.scope, days=days, now_ns=now_ns)
        data = {"account": account.name, "scopes": sorted(arguments.scope)}
        audit.note(tx, BY, "add_api_token", arguments.name, customer_id=account.customer_id, data=data, now_ns=now_ns)
        return made

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(create)
    if arguments.json:
        _common.print_json({"id": made.id, "expires": _common.iso(made.expires_ns), "token": made.text})
    else:
        print(
            f"Token {made.id}, good until {_common.iso(made.expires_ns)}. It is shown only this once:\n\n  {made.text}"
        )
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "account": one.account_name,
                "scopes": ",".join(one.scopes),
                "ends_in": one.hint,
                "state": one.state(now_ns=now_ns),
                "expires": _common.iso(one.expires_ns),
                "used": _common.iso(one.used_ns),
            }
            for one in db.read_now(api_tokens.every)
        ]
    if arguments.json:
        _common.print_json(rows)
    else:
        heads = ("ID", "NAME", "ACCOUNT", "SCOPES", "ENDS IN", "STATE", "EXPIRES", "USED")
        _common.print_table(heads, [row.values() for row in rows], empty="no API token yet")
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()

    def revoke(tx: Connection) -> None:
        found = api_tokens.revoke(tx, arguments.id, now_ns=now_ns)
        audit.note(tx, BY, "revoke_api_token", found.name, data={"account": found.account_name}, now_ns=now_ns)

    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(revoke)
    if arguments.json:
        _common.print_json({"id": arguments.id, "state": "revoked"})
    else:
        print(f"API token {arguments.id} is revoked.")
    return 0
