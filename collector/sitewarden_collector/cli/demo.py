"""`sitewarden demo`: the main job on this machine, for real, in a private folder that goes when it ends."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from sitewarden_collector import cli
from sitewarden_collector.demo import desk, product
from sitewarden_collector.demo.desk import Furnished
from sitewarden_collector.demo.phone import Phone
from sitewarden_collector.demo.stage import Stage, StageError, free_ports
from sitewarden_collector.demo.story import FOLDER_LIMIT_BYTES, Story
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.store.engine import Database

LIMIT_S = 180.0


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("demo", help="show the main job on this machine: fault, ticket, page, risk, notice")
    parser.add_argument("--once", action="store_true", help="exit when all has been shown; fail when it has not")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and databases")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    started_s = time.monotonic()
    if find_spec("sitewarden_agent") is None or find_spec("pymysql") is None:
        raise ConfigError("the demo needs the agent too: pip install 'sitewarden[agent,collector]'")
    signal.signal(signal.SIGTERM, _as_interrupt)
    folder = Path(tempfile.mkdtemp(prefix="sitewarden-demo-"))
    phone = Phone()
    product_port = free_ports(1)[0]
    stage = Stage(
        folder,
        collector_toml=_COLLECTOR.format(phone=phone.url),
        agent_toml=_AGENT.format(product=folder / "product", port=product_port, limit=FOLDER_LIMIT_BYTES),
    )
    try:
        sys.stdout.write(f"setting the stage in {folder}\n")
        stage.start("product", [sys.executable, "-m", product.__name__, str(folder / "product"), str(product_port)])
        stage.write_configs()
        stage.start_collector()
        furnished = desk.furnish(stage, _commands(stage), now=desk.utc_now())
        stage.enrol()
        stage.start_agent()
        billing = folder / "billing"
        billing.mkdir()
        stage.open_further(desk.GLOBEX_SITE, "globex", _BILLING.format(folder=billing))
        with closing(Database(f"sqlite:///{folder / 'collector' / 'collector.db'}")) as db:
            story = Story(
                stage,
                db,
                phone,
                f"http://127.0.0.1:{product_port}",
                billing / "billing.log",
                started_s=started_s,
                limit_s=LIMIT_S,
            )
            number = story.tell()
        sys.stdout.write(f"\nall of it happened: see ticket {number}.\n")
        _invite(furnished, number)
        if not arguments.once:
            _explore(stage, number, f"http://127.0.0.1:{product_port}")
    except KeyboardInterrupt:
        sys.stdout.write("\nstopping\n")
        return 0 if not arguments.once else 130
    finally:
        stage.close()
        phone.close()
        if arguments.keep:
            sys.stdout.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _commands(stage: Stage) -> desk.Command:
    """Run commands of this stage in this process: a dozen of them would spend most of their time starting."""

    def command(words: Sequence[str], *, said: str = "") -> None:
        printed = io.StringIO()
        typed, sys.stdin = sys.stdin, io.StringIO(said)
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                code = cli.main([*words, "--config", str(stage.collector_config)])
        finally:
            sys.stdin = typed
        if code:
            raise StageError(f"sitewarden {' '.join(words)} failed: {printed.getvalue().strip()}")

    return command


def _invite(furnished: Furnished, number: str) -> None:
    """Where the desk is, and as whom to look at it."""
    people = (
        (desk.ENGINEER, "engineer, on call, English"),
        (desk.MANAGER, "manager, 中文"),
        (desk.CUSTOMER, "customer globex, 中文: sees its own site alone"),
    )
    sys.stdout.write(
        f"\nThe desk:     {furnished.address}\n"
        f"the ticket:   {furnished.address}tickets/{number}\n"
        + "".join(f"sign in as:   {name:<5} ({who})\n" for name, who in people)
        + f"password:     {furnished.password}\n"
    )


def _explore(stage: Stage, number: str, product_url: str) -> None:
    """Say how to look around, and stay until Ctrl-C."""
    here = Path(sys.executable).parent
    at_headquarters = f"SITEWARDEN_CONFIG={stage.collector_config} {here / 'sitewarden'}"
    at_site = f"{here / 'sitewarden-agent'} {{}} --config {stage.agent_config}"
    sys.stdout.write(
        "\nIt keeps running. In another terminal, at headquarters:\n"
        f"  {at_headquarters} ticket list\n"
        f"  {at_headquarters} ticket show {number}\n"
        f"  {at_headquarters} ticket ack {number} --by ada\n"
        f"  {at_headquarters} risk list\n"
        f"  {at_headquarters} site show {stage.site}\n"
        f"  {at_headquarters} notice list\n"
        "and at the site:\n"
        f"  {at_site.format('status')}\n"
        f"  {at_site.format('notices')}\n"
        f"  curl -X POST {product_url}/mend     # give the product its database back\n"
        f"Health: http://127.0.0.1:{stage.http_port}/healthz  Metrics: http://127.0.0.1:{stage.http_port}/metrics\n"
        "Ctrl-C stops everything and removes the folder.\n"
    )
    sys.stdout.flush()
    while True:
        signal.pause()


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


_COLLECTOR = """
[[on_call]]
name = "ada"
channels = ["phone"]

[channels.phone]
url = "{phone}"

[sign_in]
second_factor_roles = []
"""

_BILLING = """
[[logs]]
name = "billing"
paths = ["{folder}/*.log"]
from = "start"
"""

_AGENT = """
[[logs]]
name = "orders"
paths = ["{product}/*.log"]
from = "start"

[health]
interval_s = 1.0

[[health.folders]]
name = "orders-data"
path = "{product}/data"
limit_bytes = {limit}

[[probes]]
name = "orders-health"
kind = "http"
url = "http://127.0.0.1:{port}/health"
interval_s = 1.0
"""
