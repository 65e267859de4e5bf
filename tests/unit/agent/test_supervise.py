"""Supervision as it really happens: exit codes and signals of children, the grace, the restart, the renewal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sitewarden_agent import supervise

DEADLINE_S = 60.0

# A supervisor in a process of its own, as `become` starts it, with other commands than the agent's.
_RUN = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("supervise", sys.argv[1])
supervise = importlib.util.module_from_spec(spec)
spec.loader.exec_module(supervise)
told = json.loads(sys.argv[2])
vars(supervise).update(told["constants"])
children = [supervise.Child(name, command) for name, command in told["children"].items()]
sys.exit(supervise.keep(children, supervise.Renewal(told["renew"], told["due"])))
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


class Supervisor:
    def __init__(
        self, children: dict[str, list[str]], due: Path, *, renew: list[str] | None = None, **constants: object
    ):
        told = {"children": children, "due": str(due), "renew": renew or python("pass"), "constants": constants}
        argv = [sys.executable, "-I", "-S", "-c", _RUN, supervise.__file__, json.dumps(told)]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, said


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


_APPEND = "import os, sys, time; open(sys.argv[1], 'a').write(str(os.getpid()) + chr(10)); "


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_ends_is_started_again_and_how_it_ended_is_said(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    child = python(_APPEND + "sys.exit(3)", str(ran))
    agent = Supervisor({"observe": child}, tmp_path / "due", BACKOFF_BASE_S=0.01)
    until(lambda: len(lines(ran)) >= 3)
    code, said = agent.stop()
    assert code == 0
    assert "observe ended with exit code 3; starting it again in 0.0 s" in said


def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    child = python(_APPEND + "time.sleep(60)", str(ran))
    agent = Supervisor({"link": child}, tmp_path / "due", BACKOFF_BASE_S=0.01)
    until(lambda: len(lines(ran)) == 1)
    os.kill(int(lines(ran)[0]), signal.SIGKILL)
    until(lambda: len(lines(ran)) == 2)
    _, said = agent.stop()
    assert "link ended with signal SIGKILL" in said


def test_all_are_asked_to_stop_and_nothing_is_left(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    asked = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
    waiting = python("import sys; " + asked + _APPEND + "time.sleep(60)", str(ran))
    children = {"observe": waiting, "link": waiting}
    agent = Supervisor(children, tmp_path / "due")
    until(lambda: len(lines(ran)) == 2)
    assert agent.stop() == (0, "")
    assert all(gone(int(pid)) for pid in lines(ran))


def test_a_child_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    stubborn = python(
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + _APPEND + "time.sleep(60)", str(ran)
    )
    agent = Supervisor({"observe": stubborn}, tmp_path / "due", GRACE_S=0.3)
    until(lambda: len(lines(ran)) == 1)
    assert agent.stop()[0] == 0
    assert gone(int(lines(ran)[0]))


def test_a_renewal_that_is_due_is_started_once(tmp_path: Path) -> None:
    ran, due = tmp_path / "ran", tmp_path / "renew.due"
    renew = python("import sys; open(sys.argv[1], 'a').write(sys.argv[3] + chr(10))", str(ran))
    agent = Supervisor({"link": python("import time; time.sleep(60)")}, due, renew=renew, RENEW_LOOK_S=0.02)
    due.write_text("0a1b")
    until(lambda: lines(ran) == ["0a1b"])
    due.write_text("0c")
    until(lambda: lines(ran) == ["0a1b", "0c"])
    agent.stop()
    assert lines(ran) == ["0a1b", "0c"]


def test_a_renewal_that_takes_too_long_is_ended_and_tried_again_later(tmp_path: Path) -> None:
    ran, due = tmp_path / "ran", tmp_path / "renew.due"
    due.write_text("0a")
    agent = Supervisor(
        {"link": python("import time; time.sleep(60)")},
        due,
        renew=python(_APPEND + "time.sleep(60)", str(ran)),
        RENEW_LOOK_S=0.02,
        RENEW_TIMEOUT_S=0.3,
        RENEW_BACKOFF_S=[0.01, 0.02],
    )
    until(lambda: len(lines(ran)) >= 2)
    _, said = agent.stop()
    assert "the renewal of the certificate failed (signal SIGTERM); trying again in" in said


@pytest.mark.parametrize("left", ["", "; rm -rf /", "g1", "a" * 65])
def test_what_is_no_serial_renews_nothing(tmp_path: Path, left: str) -> None:
    (tmp_path / "renew.due").write_text(left)
    assert supervise.read_serial(str(tmp_path / "renew.due")) == ""


def test_a_serial_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("0a")
    (tmp_path / "renew.due").symlink_to(tmp_path / "elsewhere")
    assert supervise.read_serial(str(tmp_path / "renew.due")) == ""


def test_a_child_that_keeps_ending_is_started_less_and_less_often() -> None:
    child = supervise.Child("observe", [])
    waits = []
    for _ in range(10):
        child.ended(1, now_s=0.0)
        waits.append(child.start_at_s)
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == supervise.BACKOFF_CAP_S
    child.ended(1, now_s=supervise.HEALTHY_S)
    assert child.start_at_s == supervise.HEALTHY_S + 0.2


def test_a_renewal_that_fails_is_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    renewal = supervise.Renewal([], str(tmp_path / "renew.due"))
    pauses = []
    for _ in range(8):
        renewal.ended(1, now_s=0.0)
        pauses.append(renewal.next_s)
    assert 30 <= pauses[0] <= 60
    assert 1_800 <= pauses[-1] <= 3_600


def test_the_supervisor_loads_nothing_of_the_agent(tmp_path: Path) -> None:
    """It waits for ever: what it imports, the customer's host holds for ever."""
    code = _RUN.partition("told =")[0] + "print(*sorted(set(sys.modules) - before), sep=chr(10))"
    code = code.replace("import importlib.util, json, sys", "import importlib.util, os, sys; before = set(sys.modules)")
    found = subprocess.run(python(code, supervise.__file__), capture_output=True, text=True, timeout=60, check=True)
    assert set(found.stdout.split()) <= {"__future__"}
