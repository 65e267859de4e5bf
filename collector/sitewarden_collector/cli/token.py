"""`sitewarden token create | list | revoke`: what a host needs to enrol."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.config import Config, split_address
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import enrolment
from sitewarden_collector.services.enrolment import IssuedToken
from sitewarden_collector.store import settings, tokens


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("token", help="one-time tokens with which hosts enrol")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token for one host of a site; makes the site when it is new")
    create.add_argument("--site", required=True, metavar="NAME")
    create.add_argument("--customer", metavar="NAME", help="whose site it is (default: a customer of the site's name)")
    create.add_argument("--expires", default="24h", metavar="DURATION", help="as 30m, 24h, 7d (default: 24h)")
    create.set_defaults(run=run_create)
    listing = actions.add_parser("list", help="the tokens and what became of them")
    listing.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="make an open token useless")
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(run=run_revoke)
    for one in (create, listing, revoke):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_create(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    lifetime_s = _common.duration_s(arguments.expires)
    with closing(_common.open_database(config)) as db:
        made = db.write_now(
            _create,
            config,
            site=arguments.site,
            customer=arguments.customer,
            lifetime_s=lifetime_s,
            now_ns=time.time_ns(),
        )
    if arguments.json:
        row = {"id": made.id, "site": made.site_name, "expires": _common.iso(made.expires_ns), "token": made.text}
        _common.print_json(row)
        return 0
    print(f"Token {made.id} for one host of {made.site_name}, good until {_common.iso(made.expires_ns)}.")
    print(f"It is shown only this once:\n\n  {made.text}\n")
    print("On that host; the first asks for the token, so that it stands in no list of processes:\n")
    print("  sitewarden-agent enroll")
    print("  sitewarden-agent run")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        rows = [_row(token, now_ns=now_ns) for token in db.read_now(tokens.every)]
    if arguments.json:
        _common.print_json(rows)
    else:
        _common.print_table(("ID", "SITE", "STATE", "CREATED", "EXPIRES", "AGENT"), [row.values() for row in rows])
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(tokens.revoke, arguments.id, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"id": arguments.id, "state": "revoked"})
    else:
        print(f"Token {arguments.id} is revoked.")
    return 0


def _create(
    tx: Connection, config: Config, *, site: str, customer: str | None, lifetime_s: int, now_ns: int
) -> IssuedToken:
    authority = enrolment.ensure_authority(tx, config.data_path, now_ns=now_ns)
    return enrolment.create_token(
        tx,
        authority,
        site_name=site,
        customer_name=customer,
        endpoints=_endpoints(tx, config),
        lifetime_s=lifetime_s,
        now_ns=now_ns,
    )


def _endpoints(tx: Connection, config: Config) -> list[str]:
    """Where a host enrols: as configured, or, with a free port, as the running collector noted it."""
    _host, port = split_address(config.listen.enrolment, "listen.enrolment")
    port = config.advertise.enrolment_port or port
    if port:
        return [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in config.advertise.names]
    noted = settings.get(tx, "endpoints")
    if noted is None:
        raise ConfigError("the enrolment port is not known yet (listen.enrolment has port 0): run `sitewarden serve`")
    return list(noted["enrolment"])


def _row(token: tokens.Token, *, now_ns: int) -> dict[str, Any]:
    return {
        "id": token.id,
        "site": token.site_name,
        "state": token.state(now_ns=now_ns),
        "created": _common.iso(token.created_ns),
        "expires": _common.iso(token.expires_ns),
        "agent": token.agent_id,
    }
