"""Wires the agent: configuration to spool to one of the two processes. Nothing else knows how things are built."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from sitewarden_agent import confine, lean
from sitewarden_agent.clock import Clock, SystemClock
from sitewarden_agent.config import Config
from sitewarden_agent.errors import ConfigError, Transient
from sitewarden_agent.spool import Spool, SpoolLimits

SPOOL = "spool.db"
LOCK_WAIT_S = 10.0
SETTLE_S = 8.0
"""After this long a process has loaded what it needs."""
SETTLE_AGAIN_S = 900.0
OPEN_FILES = 8_192
"""Each followed log file is held open."""

Process = Callable[[Config, Spool, Clock, asyncio.Event], Awaitable[None]]


@contextlib.contextmanager
def opened_spool(config: Config, clock: Clock) -> Iterator[Spool]:
    """The spool of that state folder, made when there is none. Raises ConfigError, SpoolDamaged."""
    state_dir(config)
    spool = Spool.open(spool_path(config), clock=clock, limits=limits(config))
    try:
        yield spool
    finally:
        spool.close()


def spool_path(config: Config) -> Path:
    return config.state_dir / SPOOL


def state_dir(config: Config) -> Path:
    """The state folder, made when there is none. Raises ConfigError when it cannot be written."""
    folder = config.state_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"state_dir {folder} cannot be made ({error.strerror}); make it for the agent's user"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"state_dir {folder} cannot be written by this user; run as the agent's user, or change its owner"
        )
    return folder


def limits(config: Config) -> SpoolLimits:
    settings = config.spool
    return SpoolLimits(
        max_bytes=settings.max_bytes,
        max_age_s=settings.max_age_h * 3_600,
        max_disk_share=settings.max_disk_share,
        acked_keep_s=settings.acked_keep_h * 3_600,
        parked_max=settings.parked_max,
    )


def observe(config: Config) -> int:
    """Be the observing process until told to stop."""
    from sitewarden_agent.observe import process

    with contextlib.suppress(OSError, ValueError):  # a service's sandbox may forbid it, and sets its own
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    rules = confine.for_observe(config)
    if rules.execute:
        from sitewarden_agent.observe import commands

        commands.end_leftovers()  # confined, it could not see them any more
    return _serve("observe", config, process.run, rules)


def link(config: Config) -> int:
    """Be the process that speaks to headquarters until told to stop."""
    from sitewarden_agent.link import process

    return _serve("link", config, process.run, confine.for_link(config))


def _serve(name: str, config: Config, process: Process, rules: confine.Rules) -> int:
    logging.basicConfig(level=logging.INFO, format=f"{name}: %(levelname)s %(message)s")
    folder = state_dir(config)
    with _alone(name, folder):
        os.environ["SQLITE_TMPDIR"] = str(folder)  # the only place that stays writable
        confinement = confine.enter(rules)
        clock = SystemClock()
        with opened_spool(config, clock) as spool:
            confined = {"state": confinement.state, "detail": confinement.detail}
            with contextlib.suppress(Transient):
                spool.note(f"confinement_{name}", {**confined, "pid": os.getpid(), "started": _started()})
            asyncio.run(_until_told(config, spool, clock, process))
    return 0


@contextlib.contextmanager
def _alone(name: str, folder: Path) -> Iterator[None]:
    """One process of each kind a state folder. One that is just ending is waited for. Raises ConfigError."""
    # Not through a link: the other process may write in this folder, and must not choose what is opened here.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(folder / f"{name}.lock", flags, 0o600)
    except OSError as error:
        raise ConfigError(f"{folder / f'{name}.lock'} cannot be opened ({error.strerror}); remove it") from None
    with os.fdopen(descriptor, "r+") as lock:
        deadline_s = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline_s:
                    message = f"another agent runs `{name}` with state_dir {folder}; stop it, or use another state_dir"
                    raise ConfigError(message) from None
                time.sleep(0.05)
        yield


def _started() -> int:
    """When this process began, in the kernel's ticks: with its id it names it for ever. 0 where that is not told."""
    try:
        text = Path("/proc/self/stat").read_text(errors="replace")
        return int(text[text.rindex(")") + 2 :].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


async def _until_told(config: Config, spool: Spool, clock: Clock, process: Process) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settling = asyncio.create_task(_settle())
    try:
        await process(config, spool, clock, stop)
    finally:
        settling.cancel()


async def _settle() -> None:
    await asyncio.sleep(SETTLE_S)
    lean.settle()
    while True:
        await asyncio.sleep(SETTLE_AGAIN_S)
        lean.settle_again()
