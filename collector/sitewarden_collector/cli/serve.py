"""`sitewarden serve`: run the collector until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sitewarden_collector.cli import _common, _filling, _processes
from sitewarden_collector.cli._processes import PROCESSES_MAX, Place
from sitewarden_collector.config import Advertise, Config, split_address
from sitewarden_collector.errors import ConfigError

if TYPE_CHECKING:
    from sitewarden_collector.app import Collector

OPEN_HOSTS = ("0.0.0.0", "::", "127.0.0.1", "::1")  # noqa: S104  compared with, not listened on

GARBAGE = (10_000, 10, 10)  # new objects before the youngest are looked at, and how often before the next older ones


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the collector",
        description="Run the collector. Without a configuration it keeps its data in ./sitewarden-data.",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="that share the ports, on PostgreSQL (default: as configured)"
    )
    _common.add_config_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    if arguments.processes is not None:
        config = msgspec.structs.replace(config, processes=arguments.processes)
    if not 1 <= config.processes <= PROCESSES_MAX:
        raise ConfigError(f"{config.processes} processes make no sense; use 1 to {PROCESSES_MAX}, about one a core")
    gc.set_threshold(*GARBAGE)  # also while everything is imported, which leaves nothing behind
    from sitewarden_collector import telemetry

    telemetry.log_to(sys.stderr)
    if config.processes > 1:
        return _processes.run(config, _one_of_several, load=_load)
    _filling.fill(config)
    asyncio.run(_serve(config, ready=_say))
    return 0


def _load() -> None:
    """Import what every process needs, once: each begins with it, and one that is started again is there at once."""
    from sitewarden_collector import app  # noqa: F401


def _one_of_several(config: Config, place: Place) -> int:
    """What each of several processes does."""
    from sitewarden_collector import telemetry

    telemetry.log_as(place.number)

    def ready(collector: Collector) -> None:
        if place.says:
            _say(collector)
        os.write(place.ready_fd, b"r")

    asyncio.run(_serve(config, ready=ready, place=place))
    return 0


async def _serve(config: Config, *, ready: Callable[[Collector], None], place: Place | None = None) -> None:
    from sitewarden_collector import app  # the other commands need not wait for servers to be imported

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if place is not None:
        parent_fd = place.parent_fd

        def orphaned() -> None:
            loop.remove_reader(parent_fd)
            stop.set()

        loop.add_reader(parent_fd, orphaned)

    def up(collector: Collector) -> None:
        _settle()
        ready(collector)

    await app.run(config, ready=up, stop=stop, number=0 if place is None else place.number)


def _settle() -> None:
    """Leave what is there for the life of the process out of every later look for garbage: with it a look takes the
    event loop a tenth of a second, and a fifth of all processor time. What streams and batches leave is mostly freed
    without one, so looks may be rare."""
    gc.collect()
    gc.freeze()


def _say(collector: Collector) -> None:
    front = collector.front
    print(f"Sitewarden serves agents on {', '.join(front.streams_endpoints)}", flush=True)
    print(f"  enrolment on {', '.join(front.enrolment_endpoints)}", flush=True)
    console = collector.config.console
    scheme = "https" if console.certificate_file else "http"
    host = split_address(collector.config.listen.http, "listen.http")[0]
    address = console.public_url or f"{scheme}://{'localhost' if host in OPEN_HOSTS else host}:{collector.http_port}/"
    print(f"  console   on {address} (the first account: sitewarden account add --role admin NAME)", flush=True)
    several = collector.config.processes
    first = collector.http_port
    ports = f"s {first + 1} to {first + several}" if several > 1 else f" {first}"
    print(f"  health    on port{ports}: /healthz, /metrics", flush=True)
    if collector.config.advertise == Advertise():
        print("  only for this host: set [advertise] names, by which agents elsewhere reach it", flush=True)
    print("  next: sitewarden token create --site NAME", flush=True)
