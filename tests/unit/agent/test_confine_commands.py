"""What the local file lets observe execute and connect to, it can under the kernel's eyes; the rest it cannot."""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sitewarden_agent import confine, programs
from sitewarden_agent.config import CommandProbe, Config, PrometheusProbe, SqlProbe, UnitProbe

LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1)
needs_landlock_net = pytest.mark.skipif(LANDLOCK < 4, reason="this kernel's Landlock knows no connections")

CHILD = """
import asyncio, json, sys
from pathlib import Path
from sitewarden_agent import confine
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import load
from sitewarden_agent.observe.commands import run_command
from sitewarden_agent.observe.probes import look

config = load(Path(sys.argv[1]))
state = confine.enter(confine.for_observe(config)).state

async def main():
    seen = {probe.name: (await look(probe, SystemClock())).detail for probe in config.probes}
    for program in sys.argv[2:]:
        ran = await run_command([program], timeout_s=10)
        seen[program] = ran.trouble or ran.exit_code
    print(json.dumps({"state": state, **seen}))

asyncio.run(main())
"""


def confined(folder: Path, toml: str, *others: str) -> dict[str, Any]:
    """What a confined process saw through its probes, and what came of starting other programs."""
    (folder / "state").mkdir()
    (folder / "agent.toml").write_text(f'state_dir = "{folder}/state"\n{toml}')
    argv = [sys.executable, "-c", CHILD, str(folder / "agent.toml"), *others]
    child = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
    assert child.returncode == 0, child.stderr
    seen: dict[str, Any] = json.loads(child.stdout)
    assert seen.pop("state") == "confined"
    return seen


def command(name: str, *words: str, more: str = "") -> str:
    return f'[[probes]]\nkind = "command"\nname = "{name}"\ncommand = {json.dumps(words)}\n{more}\n'


@needs_landlock_net
def test_a_check_can_start_what_is_named_and_nothing_else(tmp_path: Path) -> None:
    check = tmp_path / "check"
    check.write_text('#!/bin/sh\n/usr/bin/head -c 2 /etc/hostname >/dev/null && echo "OK"\n')
    check.chmod(0o755)
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    seen = confined(
        tmp_path,
        command("without", str(check)),
        str(other),
        "/usr/bin/true",
    )
    assert "/usr/bin/head: Permission denied" in seen["without"]
    assert "may not be executed by this agent" in seen[str(other)]
    assert "may not be executed by this agent" in seen["/usr/bin/true"]


@needs_landlock_net
def test_a_check_that_may_start_more_and_connect_does(tmp_path: Path) -> None:
    connects = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('OK')"
    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (own, other)]
        script = "/usr/bin/head -c 2 /etc/hostname >/dev/null && echo OK"
        seen = confined(
            tmp_path,
            command("with", "/bin/sh", "-c", script, more='may_execute = ["/usr/bin/head"]')
            + command("own", sys.executable, "-c", connects, str(ports[0]), more=f"ports = [{ports[0]}]")
            + command("other", sys.executable, "-c", connects, str(ports[1])),
        )
    assert (seen["with"], seen["own"]) == ("OK", "OK")
    assert "Permission denied" in seen["other"]


@needs_landlock_net
def test_a_database_and_metrics_can_be_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sql = (
        f'[[probes]]\nkind = "sql"\nname = "db"\nengine = "postgresql"\nhost = "127.0.0.1"\nport = {port}\nuser = "x"\n'
    )
    sql += "timeout_s = 30.0\n"
    metrics = f'[[probes]]\nkind = "prometheus"\nname = "own"\nurl = "http://127.0.0.1:{port}/"\nseries = ["a"]\n'
    seen = confined(tmp_path, sql + metrics, "/usr/bin/true")
    assert (seen["db"], seen["own"]) == ("the connection was refused",) * 2
    assert "may not be executed" in seen["/usr/bin/true"]


def test_without_commands_nothing_can_be_executed() -> None:
    assert confine.for_observe(Config()).execute == ()
    assert confine.for_observe(Config()).connect_ports == (53,)


def test_what_probes_need_is_what_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: "/bin/sh" if name == "systemctl" else None)
    shell = Path("/bin/sh").resolve()
    rules = confine.for_observe(Config(probes=(UnitProbe(name="a", unit="a.service"),)))
    assert shell in rules.execute
    assert rules.connect_ports == (53,)
    database = SqlProbe(name="b", engine="mysql", user="x")
    socket_only = SqlProbe(name="c", engine="postgresql", user="x", host="/run/postgresql/.s.PGSQL.5432")
    metrics = PrometheusProbe(name="d", url="https://localhost/metrics", series=("a",))
    check = CommandProbe(name="e", command=("/bin/sh", "-c", "true"), ports=(8080,), may_execute=(str(tmp_path),))
    rules = confine.for_observe(Config(probes=(database, socket_only, metrics, check)))
    assert rules.connect_ports == (53, 443, 3306, 8080)
    assert {shell, Path(sys.executable).resolve(), tmp_path.resolve()} <= set(rules.execute)


def test_a_script_needs_its_interpreter_and_that_needs_its_loader(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/env -S sh -e\n")
    needed = programs.needed([str(script)])
    assert {script, Path("/usr/bin/env").resolve(), Path("/bin/sh").resolve()} <= set(needed)
    assert any(path.name.startswith("ld-") for path in needed)


@pytest.mark.parametrize("content", [b"", b"#!", b"#! \n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 100])
def test_a_file_that_is_no_program_needs_only_itself(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    assert programs.needed([str(tmp_path / "odd"), "/no/such/program"]) == (tmp_path / "odd",)
