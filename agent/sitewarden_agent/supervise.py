"""Keeps the agent's two processes running: starts observe and link, restarts what ends, starts renewals, stops cleanly.

Promises: it reads no log and speaks to nobody; a process that ends is started again, sooner after a long healthy run
than after a short one; SIGTERM and SIGINT reach both, and after a grace nothing of the agent is left. When the
supervisor itself is killed the kernel ends its children (`end_with_parent`). A renewal of the certificate is a short
process of its own, because link can start none: link leaves the serial of a certificate that is due in `renew.due`.

This module runs by its own path, in an interpreter without site packages (`become`): it waits for ever and should cost
next to nothing, so it imports only what every interpreter has in memory anyway. Linux.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # without the enums of `signal`, a tenth of this process
import os
import sys
import time

CHILDREN = ("observe", "link")
BACKOFF_BASE_S = 0.2
BACKOFF_CAP_S = 30.0
HEALTHY_S = 60.0
GRACE_S = 15.0
RENEW_LOOK_S = 5.0
RENEW_TIMEOUT_S = 120.0
RENEW_BACKOFF_S = (60.0, 3_600.0)
DUE = "renew.due"
"""In the state folder: the serial of the certificate to renew. Link writes it, and takes it away."""
_SERIAL_MAX = 64
_HEX = frozenset("0123456789abcdef")
_FOREVER_S = 3_600.0
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_HEARD = (*_STOPPING, signal.SIGCHLD)


class Child:
    """One process that is to run, or a pause until it is started again. Times are monotonic seconds."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.pid = 0
        self.began_s = 0.0
        self.start_at_s = 0.0
        self.wait_s = BACKOFF_BASE_S

    def start(self, now_s: float) -> None:
        self.pid, self.began_s = spawn(self.command), now_s

    def ended(self, code: int, now_s: float) -> None:
        """It ended: when to start it again. The longer it keeps ending, the later."""
        self.pid = 0
        if now_s - self.began_s >= HEALTHY_S:
            self.wait_s = BACKOFF_BASE_S
        say(f"{self.name} ended with {said(code)}; starting it again in {self.wait_s:.1f} s")
        self.start_at_s = now_s + self.wait_s
        self.wait_s = min(BACKOFF_CAP_S, self.wait_s * 2)

    def due_s(self) -> float:
        return _FOREVER_S * 24 if self.pid else self.start_at_s


class Renewal:
    """The renewal of the certificate: looked for, run for so long at most, tried again with growing pauses."""

    def __init__(self, command: list[str], due_path: str) -> None:
        self._command = command
        self._due_path = due_path
        self._serial = ""
        self._renewed = ""
        self._wait_s = RENEW_BACKOFF_S[0]
        self._number = 0
        """The signal that ends it, when it takes too long: first asked, then made."""
        self.pid = 0
        self.next_s = 0.0

    def step(self, now_s: float) -> None:
        """Start it when it is due, end it when it takes too long."""
        if now_s < self.next_s:
            return
        if self.pid:
            kill(self.pid, self._number)
            self._number, self.next_s = _SIGKILL, now_s + GRACE_S
            return
        self.next_s = now_s + RENEW_LOOK_S
        serial = read_serial(self._due_path)
        if serial and serial != self._renewed:
            self._serial, self._number, self.next_s = serial, signal.SIGTERM, now_s + RENEW_TIMEOUT_S
            self.pid = spawn([*self._command, "--serial", serial])

    def ended(self, code: int, now_s: float) -> None:
        self.pid = 0
        if code == 0:
            self._renewed, self._wait_s, self.next_s = self._serial, RENEW_BACKOFF_S[0], now_s + RENEW_LOOK_S
            return
        pause_s = self._wait_s * (0.5 + os.urandom(1)[0] / 510)  # spreads the load of many agents
        say(f"the renewal of the certificate failed ({said(code)}); trying again in {pause_s:.0f} s")
        self.next_s = now_s + pause_s
        self._wait_s = min(RENEW_BACKOFF_S[1], self._wait_s * 2)


def keep(children: list[Child], renewal: Renewal) -> int:
    """Keep everything running until SIGTERM or SIGINT. Returns the exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    watched: list[Child | Renewal] = [*children, renewal]
    while True:
        now_s = time.monotonic()
        for child in children:
            if not child.pid and now_s >= child.start_at_s:
                child.start(now_s)
        renewal.step(now_s)
        next_s = min(renewal.next_s, *(child.due_s() for child in children))
        heard = signal.sigtimedwait(_HEARD, max(0.0, next_s - time.monotonic()))
        if heard is not None and heard.si_signo in _STOPPING:
            stop([child.pid for child in children if child.pid] + [renewal.pid] * bool(renewal.pid))
            return 0
        for pid, code in reaped():
            for each in watched:
                if each.pid == pid:
                    each.ended(code, time.monotonic())


def stop(pids: list[int]) -> None:
    """Ask them to end, and after the grace make them."""
    left = set(pids)
    for pid in left:
        kill(pid, signal.SIGTERM)
    until_s = time.monotonic() + GRACE_S
    while left and (left_s := until_s - time.monotonic()) > 0:
        left -= {pid for pid, _ in reaped()}
        if left:
            signal.sigtimedwait((signal.SIGCHLD,), min(1.0, left_s))
    for pid in left:
        kill(pid, _SIGKILL)
        os.waitpid(pid, 0)


def reaped() -> list[tuple[int, int]]:
    """Whoever ended: its id and its exit code, negative for a signal. Orphans too, when this is the first process."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        found.append((pid, os.waitstatus_to_exitcode(status)))


def spawn(command: list[str]) -> int:
    """Start a process of ours, which reads nothing from us and hears signals as usual."""
    no_input = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
    return os.posix_spawn(
        command[0], command, os.environ, file_actions=[no_input], setsigmask=(), setsigdef=(signal.SIGPIPE,)
    )


def kill(pid: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib is not in memory
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def read_serial(path: str) -> str:
    """What link left there; empty for nothing, and for what is no serial. Not through a link in the file system."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        found = os.read(descriptor, _SERIAL_MAX + 1).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return found if 0 < len(found) <= _SERIAL_MAX and _HEX.issuperset(found) else ""


def said(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = next((name for name in vars(signal) if name[:3] == "SIG" and getattr(signal, name) == -code), str(-code))
    return f"signal {name}"


def say(text: str) -> None:
    try:  # noqa: SIM105 - contextlib is not in memory
        os.write(2, f"agent: WARNING {text}\n".encode())
    except OSError:
        pass  # nobody listens any more; what is to be kept running still is


def commands(config: str) -> tuple[list[Child], list[str]]:
    """The processes to keep, and the command of a renewal."""
    agent = [sys.executable, "-m", "sitewarden_agent"]
    tail = ["--config", config] if config else []
    parent = str(os.getpid())
    kept = [Child(name, [*agent, "run", name, "--supervised", parent, *tail]) for name in CHILDREN]
    return kept, [*agent, "renew", *tail]


def become(config: str, state_dir: str) -> None:
    """Turn this process into the supervisor. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    argv = [sys.executable, "-I", "-S", os.path.abspath(__file__), config, state_dir]
    os.execv(argv[0], argv)  # noqa: S606 - there is no shell to want


def end_with_parent(parent: int) -> None:
    """Called by a child: the kernel kills it when the supervisor is gone, however it went. Linux only."""
    import ctypes

    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)  # it was gone before the kernel was told


def main(config: str, state_dir: str) -> int:
    kept, renew = commands(config)
    return keep(kept, Renewal(renew, os.path.join(state_dir, DUE)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
