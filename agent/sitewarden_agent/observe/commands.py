"""Runs a command that the local file names, under limits.

Promises: its words as they stand, never a shell; an environment of four variables; none of this process's descriptors;
last in line for processor and disk, so that the product goes first; at most `AT_ONCE_MAX` side by side, the others
wait. When it takes too long, writes too much, or the caller is cancelled, it is killed with all that it started, also
what made itself a session of its own; what it leaves running when it ends is killed as well. Nothing is raised but
cancellation: what went wrong is in the answer. Not here: what its output means (`probe_command`), and which programs
the kernel lets this process execute (`confine`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import platform
import resource
import signal
import subprocess
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sitewarden_agent.programs import PATH

AT_ONCE_MAX = 2
OUTPUT_MAX_BYTES = 64 * 1024
NICE = 10
STUCK_MAX = 4
"""Commands that not even a kill ends, as where a file system is gone: with so many no other is started."""
GRACE_S = 0.5
"""Between the request to end and the kill, and how long a kill may take."""
_FLOOD_BYTES = 4 * 1024 * 1024
"""Output beyond the bound is thrown away; who writes that much of it is ended."""
_LINGER_S = 0.25
_CHUNK_BYTES = 64 * 1024
_MARK = "SITEWARDEN_COMMAND"
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_GROUP, _IOPRIO_LAST = 2, (2 << 13) | 7


@dataclass(frozen=True, slots=True)
class Ran:
    """How it went. `trouble` is empty when the command ran to its end by itself; then `exit_code` says how that was."""

    exit_code: int | None
    """None when it did not run; negative: the signal that ended it."""
    stdout: bytes
    stderr: bytes
    trouble: str
    truncated: bool
    duration_ns: int


async def run_command(
    argv: Sequence[str],
    *,
    timeout_s: float,
    output_max_bytes: int = OUTPUT_MAX_BYTES,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run `argv` in /; the time counts from its start, not from the call. `stdin` is at most 4 KiB, as a pipe holds."""
    async with _turns():
        began_ns = time.monotonic_ns()
        _stuck[:] = [child for child in _stuck if child.poll() is None]
        if len(_stuck) >= STUCK_MAX:
            return Ran(
                None, b"", b"", f"{len(_stuck)} commands before it cannot be ended; look for a dead disk", False, 0
            )
        mark = f"{os.getpid()}.{uuid.uuid4().hex}"
        known = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/", **(environment or {}), _MARK: mark}
        try:
            child = subprocess.Popen(  # noqa: ASYNC220 - comes back when the program is loaded
                list(argv),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=known,
                close_fds=True,
                start_new_session=True,
                umask=0o077,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            return Ran(None, b"", b"", _why_not(argv, error), False, time.monotonic_ns() - began_ns)
        return await _Running(child, mark, output_max_bytes).to_the_end(stdin, timeout_s, began_ns)


_stuck: list[subprocess.Popen[bytes]] = []
_turns_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _turns() -> asyncio.Semaphore:
    return _turns_by_loop.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE_MAX))


class _Running:
    """One command from its start to the end of the last process of it."""

    def __init__(self, child: subprocess.Popen[bytes], mark: str, output_max_bytes: int) -> None:
        assert child.stdout is not None
        assert child.stderr is not None
        self._child = child
        self._mark = mark
        self._flooded = asyncio.Event()
        self._pipes = [_Pipe(pipe.fileno(), output_max_bytes, self._flooded) for pipe in (child.stdout, child.stderr)]

    async def to_the_end(self, stdin: bytes, timeout_s: float, began_ns: int) -> Ran:
        _put_last(self._child.pid)
        ended = asyncio.ensure_future(_ended(self._child.pid))
        flooded = asyncio.ensure_future(self._flooded.wait())
        trouble, escaped = "", True
        try:
            self._say(stdin)
            await asyncio.wait({ended, flooded}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                trouble = "it wrote too much and was ended" if flooded.done() else f"no answer within {timeout_s:g} s"
                self._signal(signal.SIGTERM)
                await asyncio.wait({ended}, timeout=GRACE_S)
            duration_ns = time.monotonic_ns() - began_ns
            # The leader is not waited for yet, so the group's number is nobody else's.
            self._signal(signal.SIGKILL)
            closed = {asyncio.ensure_future(pipe.closed.wait()) for pipe in self._pipes}
            _, open_still = await asyncio.wait(closed, timeout=_LINGER_S)
            for waiting in open_still:
                waiting.cancel()
            escaped = bool(trouble or open_still)
        finally:
            self._signal(signal.SIGKILL)
            if escaped:
                _kill_marked(self._mark)
            flooded.cancel()
            await asyncio.wait({ended}, timeout=GRACE_S)
            ended.cancel()
            exit_code = self._child.poll()
            if exit_code is None:
                _stuck.append(self._child)
            for pipe in self._pipes:
                pipe.close()
            for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        stdout, stderr = (bytes(pipe.kept) for pipe in self._pipes)
        truncated = any(pipe.thrown_away_bytes for pipe in self._pipes)
        return Ran(exit_code, stdout, stderr, trouble, truncated, duration_ns)

    def _say(self, stdin: bytes) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):  # it may have ended already
                os.set_blocking(self._child.stdin.fileno(), False)
                self._child.stdin.write(stdin)
            self._child.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._child.returncode is None:
                os.killpg(self._child.pid, number)


class _Pipe:
    """Reads one stream of the command; keeps the beginning."""

    def __init__(self, descriptor: int, limit_bytes: int, flooded: asyncio.Event) -> None:
        self.kept = bytearray()
        self.thrown_away_bytes = 0
        self.closed = asyncio.Event()
        self._descriptor = descriptor
        self._limit_bytes = limit_bytes
        self._flooded = flooded
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        kept = chunk[: self._limit_bytes - len(self.kept)]
        self.kept += kept
        self.thrown_away_bytes += len(chunk) - len(kept)
        if self.thrown_away_bytes > _FLOOD_BYTES:
            self._flooded.set()

    def close(self) -> None:
        if not self.closed.is_set():
            self._loop.remove_reader(self._descriptor)
            self.closed.set()


async def _ended(pid: int) -> None:
    """Return when that child ended; it is not waited for, so that its number stays its own."""
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError):  # Linux before 5.3
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:  # noqa: ASYNC110, ASYNC222
            await asyncio.sleep(0.05)
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _put_last(pid: int) -> None:
    """Low priority for the command's whole group, and no core dumps."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, pid, NICE)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        ctypes.CDLL(None).syscall(number, _IOPRIO_GROUP, pid, _IOPRIO_LAST)


def _kill_marked(mark: str) -> None:
    """Kill what carries this command's mark, wherever it went: sessions of its own, daemons."""
    wanted = f"{_MARK}={mark}".encode()
    for _ in range(8):  # one may start another while it is looked for
        found = False
        for name in os.listdir("/proc"):
            if name.isdigit() and wanted in _environment_of(name):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(name), signal.SIGKILL)
                    found = True
        if not found:
            return


def end_leftovers() -> int:
    """Kill what the commands of observing processes that are no more left running, and say how much that was. For the
    start, before confinement: afterwards the kernel shows this process nobody else's environment."""
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        _, found, mark = _environment_of(name).partition(f"{_MARK}=".encode())
        observer = mark.partition(b".")[0]
        if found and observer.isdigit() and not os.path.exists(f"/proc/{int(observer)}"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(name), signal.SIGKILL)
                count += 1
    return count


def _environment_of(pid: str) -> bytes:
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _why_not(argv: Sequence[str], error: Exception) -> str:
    program = argv[0] if argv else ""
    match error:
        case FileNotFoundError():
            return f"{program} is not there; correct its path, or that of the interpreter in its first line"
        case PermissionError():
            return (
                f"{program} may not be executed by this agent; check its mode and owner, and what `may_execute` names"
            )
        case OSError():
            return f"{program} could not be started ({error.strerror})"
    return f"{program} could not be started ({error})"
