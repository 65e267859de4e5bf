"""Several collectors on one machine that share their ports, and the parent that starts them and starts again what died.

The kernel shares connections out among the processes that listen on one port (SO_REUSEPORT), so agents and browsers
need not know how many there are. The parent holds the ports without listening on them, opens no database and serves
nobody: there is little in it that could die, and if it is killed all the same, its processes end by themselves. One
that dies is started again after a growing pause; agents that it served are at another one by then.

The first process makes what is not there yet (tables, authority) before the others start. Where that one refuses to
start for a reason that a person has to mend, all end with its exit code.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from sitewarden_collector.config import Config, split_address
from sitewarden_collector.errors import CollectorError, ConfigError
from sitewarden_collector.loops import pause_s

PROCESSES_MAX = 64
AGAIN_CAP_S = 15.0  # the longest pause: what keeps one from starting is mostly a database that comes back
STEADY_S = 60.0  # whoever ran that long did not fail at its start
STOP_S = 40.0  # draining takes its time; whoever takes longer is killed
SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("sitewarden.processes")


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the processes one is. The one that `says` greets the operator. `parent_fd` ends when the parent does; a
    byte into `ready_fd` says that this one serves."""

    number: int
    says: bool
    parent_fd: int
    ready_fd: int


Serve = Callable[[Config, Place], int]
"""Runs one collector until it is told to end; its exit code."""


def run(config: Config, serve: Serve, *, load: Callable[[], None]) -> int:
    """Serve with `config.processes` processes until SIGTERM or Ctrl-C; the exit code. `load` is called before the first
    of them and starts nothing. Raises ConfigError."""
    if config.database_url.startswith("sqlite"):
        raise ConfigError(
            f"processes = {config.processes}: SQLite has one writer, so one process. For more set [database] url to "
            "PostgreSQL; `sitewarden db move --to URL` brings what is there along"
        )
    held = []
    addresses = {}
    for key in ("streams", "enrolment", "http"):
        holder, addresses[key] = _held(getattr(config.listen, key), f"listen.{key}")
        held.append(holder)
    shared = msgspec.structs.replace(config, listen=msgspec.structs.replace(config.listen, **addresses))
    load()
    gc.collect()
    gc.freeze()  # what is shared with the processes is left alone, and stays shared
    try:
        return _Parent(shared, serve).run()
    finally:
        for holder in held:
            holder.close()


def _held(address: str, key: str) -> tuple[socket.socket, str]:
    """A socket that keeps a port for our processes, and its address with the real port. Raises ConfigError."""
    host, port = split_address(address, key)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Other programs of this user could share the port as ours do, and take every other agent: nobody may be there.
        with socket.create_server((host, port), family=family) as alone:
            port = int(alone.getsockname()[1])
        holder = socket.socket(family, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((host, port))
    except OSError as error:
        raise ConfigError(
            f"{key}: cannot listen on {address} ({error.strerror}); is the port taken? Choose another"
        ) from error
    return holder, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(slots=True)
class _Child:
    pid: int
    began_s: float
    ready_fd: int


class _Parent:
    """`run` once."""

    def __init__(self, config: Config, serve: Serve) -> None:
        self._config = config
        self._serve = serve
        self._children: dict[int, _Child] = {}
        self._failures: dict[int, int] = {}
        self._due_s: dict[int, float] = {}
        self._ours_fd = self._theirs_fd = -1

    def run(self) -> int:
        # Blocked and waited for: none is lost, and none comes in the middle of anything.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._theirs_fd, self._ours_fd = os.pipe()
        try:
            self._start(1, says=True)
            refused = self._first_is_ready()
            if refused is not None:
                return refused
            for number in range(2, self._config.processes + 1):
                self._start(number)
            self._watch()
            return 0
        finally:
            self._stop()
            os.close(self._ours_fd)
            os.close(self._theirs_fd)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, number: int, *, says: bool = False) -> None:
        ready_fd, say_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(self._live(Place(number, says, self._theirs_fd, say_fd), ready_fd))
        os.close(say_fd)
        os.set_blocking(ready_fd, False)
        self._children[number] = _Child(pid, time.monotonic(), ready_fd)
        self._due_s.pop(number, None)

    def _live(self, place: Place, ready_fd: int) -> int:
        """In the child: serve, and never come back."""
        try:
            os.close(ready_fd)
            os.close(self._ours_fd)
            for child in self._children.values():
                os.close(child.ready_fd)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return self._serve(self._config, place)
        except CollectorError as error:
            print(f"sitewarden: process {place.number}: {error}", file=sys.stderr, flush=True)
            return error.exit_code
        except BaseException:  # noqa: BLE001  nothing of the parent's may go on here
            _log.exception("process %d failed", place.number)
            return 1

    def _first_is_ready(self) -> int | None:
        """Wait until the first process serves. An exit code when we have to end: it refused, or we were told to."""
        while True:
            told = signal.sigtimedwait(SIGNALS, 0.05)
            if told is not None and told.si_signo != signal.SIGCHLD:
                return 0
            for number, code in self._ended():
                if code in (2, 3):
                    return code
                self._again(number, code)
            self._start_due(says=True)
            child = self._children.get(1)
            if child is not None and _said(child.ready_fd):
                return None

    def _watch(self) -> None:
        while True:
            soonest = min(self._due_s.values(), default=time.monotonic() + 3600.0)
            told = signal.sigtimedwait(SIGNALS, max(0.0, soonest - time.monotonic()))
            if told is not None and told.si_signo != signal.SIGCHLD:
                return
            for number, code in self._ended():
                self._again(number, code)
            self._start_due()

    def _ended(self) -> list[tuple[int, int]]:
        """The processes that ended since the last look, with their exit codes; less than 0: by a signal."""
        ended = []
        for number, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                os.close(child.ready_fd)
                del self._children[number]
                if time.monotonic() - child.began_s > STEADY_S:
                    self._failures.pop(number, None)
                ended.append((number, os.waitstatus_to_exitcode(status)))
        return ended

    def _again(self, number: int, code: int) -> None:
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        wait_s = min(pause_s(failures), AGAIN_CAP_S)
        self._due_s[number] = time.monotonic() + wait_s
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        _log.error(
            "process %d ended %s; it starts again in %g s, its agents go to the others",
            number,
            how,
            wait_s,
            extra={"number": number, "failures": failures},
        )

    def _start_due(self, *, says: bool = False) -> None:
        for number, due_s in list(self._due_s.items()):
            if due_s <= time.monotonic():
                self._start(number, says=says)

    def _stop(self) -> None:
        """End all, whoever does not by force."""
        for child in self._children.values():
            os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while self._children and time.monotonic() < deadline:
            self._ended()
            signal.sigtimedwait([signal.SIGCHLD], 0.1)
        for child in self._children.values():
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _said(ready_fd: int) -> bool:
    try:
        return bool(os.read(ready_fd, 1))
    except BlockingIOError:
        return False
