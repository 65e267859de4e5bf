"""Confinement by the kernel: a confined process really cannot. Run in children, for there is no way back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1)
needs_landlock = pytest.mark.skipif(LANDLOCK < 1, reason="this kernel has no Landlock")
needs_landlock_net = pytest.mark.skipif(LANDLOCK < 4, reason="this kernel's Landlock knows no connections")

CHILD = """
import os, socket, subprocess, sys
from pathlib import Path
from sitewarden_agent import confine
from sitewarden_agent.config import Config, TcpProbe

state, log, port, other = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
config = Config(state_dir=state, probes=(TcpProbe(name="x", address=f"127.0.0.1:{port}"),))
found = confine.enter(getattr(confine, sys.argv[1])(config))
print(found.state)

def can(what, *args):
    try:
        what(*args)
        return True
    except OSError:
        return False

print("read the log", can(lambda: open(log).read()))
print("write the log", can(lambda: open(log, "a")))
print("write its state", can(lambda: (state / "x").write_text("x")))
print("make a pipe in its state", can(lambda: os.mkfifo(state / "pipe")))
print("write elsewhere", can(lambda: open(os.path.join(os.path.dirname(log), "new"), "w")))
print("start a command", can(lambda: subprocess.run(["/bin/true"], check=True)))
print("connect to the probe", can(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close()))
print("connect to headquarters", can(lambda: socket.create_connection(("127.0.0.1", other), timeout=5).close()))
import json, ssl, sqlite3, encodings.idna
print("import", True)
"""


def confined(which: str, folder: Path) -> dict[str, bool]:
    """What a child confined by these rules can do."""
    import socket

    (folder / "state").mkdir()
    (folder / "app.log").write_text("secret of the product\n")
    with socket.create_server(("127.0.0.1", 0)) as probe, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(server.getsockname()[1]) for server in (probe, other)]
        argv = [sys.executable, "-c", CHILD, which, str(folder / "state"), str(folder / "app.log"), *ports]
        child = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    state, *lines = child.stdout.splitlines()
    assert state in ("confined", "partly")
    return {line.rpartition(" ")[0]: line.endswith("True") for line in lines}


@needs_landlock
def test_link_can_neither_read_a_log_nor_start_a_command(tmp_path: Path) -> None:
    can = confined("for_link", tmp_path)
    assert can == {
        "read the log": False,
        "write the log": False,
        "write its state": True,
        "make a pipe in its state": True,
        "write elsewhere": False,
        "start a command": False,
        "connect to the probe": True,
        "connect to headquarters": True,
        "import": True,
    }


@needs_landlock_net
def test_observe_can_read_but_has_no_road_to_headquarters(tmp_path: Path) -> None:
    can = confined("for_observe", tmp_path)
    assert can == {
        "read the log": True,
        "write the log": False,
        "write its state": True,
        "make a pipe in its state": True,
        "write elsewhere": False,
        "start a command": False,
        "connect to the probe": True,
        "connect to headquarters": False,
        "import": True,
    }


def test_link_never_imports_what_starts_processes() -> None:
    """Law 7, where the kernel cannot help: neither directly nor by what it imports first."""
    script = (
        "import sys, asyncio, ssl, sqlite3, grpc.aio\n"
        "before = set(sys.modules)\n"
        "import sitewarden_agent.link.process\n"
        "print(sorted({'cryptography', 'psutil', 'sitewarden_agent.observe', 'sitewarden_agent.supervise'}"
        " & (set(sys.modules) - before)))\n"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert child.stdout.strip() == "[]"
    folder = Path(__file__).parents[3] / "agent/sitewarden_agent/link"
    for source in folder.glob("**/*.py"):
        text = source.read_text()
        for word in ("subprocess", "os.system", "os.exec", "os.spawn", "posix_spawn", "os.fork", "pty"):
            assert f"import {word}" not in text, source
            assert f"{word}(" not in text, source
