"""`sitewarden serve`: run the collector until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from sitewarden_collector.cli import _common
from sitewarden_collector.config import Advertise, Config, split_address

if TYPE_CHECKING:
    from sitewarden_collector.app import Collector

OPEN_HOSTS = ("0.0.0.0", "::", "127.0.0.1", "::1")  # noqa: S104  compared with, not listened on


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the collector",
        description="Run the collector. Without a configuration it keeps its data in ./sitewarden-data.",
    )
    _common.add_config_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    from sitewarden_collector import telemetry

    telemetry.log_to(sys.stderr)
    asyncio.run(_serve(config))
    return 0


async def _serve(config: Config) -> None:
    from sitewarden_collector import app  # the other commands need not wait for servers to be imported

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await app.run(config, ready=_say, stop=stop)


def _say(collector: Collector) -> None:
    front = collector.front
    print(f"Sitewarden serves agents on {', '.join(front.streams_endpoints)}", flush=True)
    print(f"  enrolment on {', '.join(front.enrolment_endpoints)}", flush=True)
    console = collector.config.console
    scheme = "https" if console.certificate_file else "http"
    host = split_address(collector.config.listen.http, "listen.http")[0]
    address = console.public_url or f"{scheme}://{'localhost' if host in OPEN_HOSTS else host}:{collector.http_port}/"
    print(f"  console   on {address} (the first account: sitewarden account add --role admin NAME)", flush=True)
    print(f"  health    on port {collector.http_port}: /healthz, /metrics", flush=True)
    if collector.config.advertise == Advertise():
        print("  only for this host: set [advertise] names, by which agents elsewhere reach it", flush=True)
    print("  next: sitewarden token create --site NAME", flush=True)
