"""What the layers may not do, checked in their source text, and a test of that check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.purity import PURE, STARTS_NOTHING, Taboo, offences

ROOT = Path(__file__).parents[2]
RUFF = Path(sys.prefix) / "bin" / "ruff"
ALERTING = sorted((ROOT / "alerting").rglob("*.py"))
LINK = sorted((ROOT / "agent" / "sitewarden_agent" / "link").rglob("*.py"))
OBSERVE = sorted((ROOT / "agent" / "sitewarden_agent" / "observe").rglob("*.py"))


def _found(files: list[Path], taboo: Taboo) -> list[str]:
    assert files
    return [f"{path.relative_to(ROOT)}:{offence}" for path in files for offence in offences(path.read_text(), taboo)]


def test_alerting_reads_no_clock_and_touches_nothing_outside_its_arguments() -> None:
    assert _found(ALERTING, PURE) == []


def test_the_link_starts_no_command() -> None:
    assert _found(LINK, STARTS_NOTHING) == []


def test_observe_starts_commands_in_two_places_alone() -> None:
    """What the local file names: its commands under limits, and journalctl. The kernel is told which (`confine`)."""
    doors = {"commands.py", "journalctl.py"}
    assert _found([path for path in OBSERVE if path.name not in doors], STARTS_NOTHING) == []
    assert {path.name for path in OBSERVE} >= doors


def test_what_the_agent_takes_from_alerting_needs_only_the_standard_library() -> None:
    taken = [path for path in ALERTING if {"fingerprint", "reading"} & set(path.parts)]
    assert PURE.imports_only is not None
    assert _found(taken, Taboo(imports_only=PURE.imports_only - {"numpy"})) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from pathlib import Path",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime as d\nx = d.date.today()",
        "open('/etc/passwd')",
        "def f():\n    print('hello')",
        "__import__('os')",
        "from urllib.request import urlopen\nurlopen('http://example.com')",
    ],
)
def test_the_check_of_purity_finds(source: str) -> None:
    assert list(offences(source, PURE))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)",
        "def is_open(now_ns: int) -> bool: ...\nis_open(1)",
        "from sitewarden_alerting.model import Signal",
        "from collections.abc import Sequence",
        "from . import masks",
    ],
)
def test_the_check_of_purity_leaves_alone(source: str) -> None:
    assert not list(offences(source, PURE))


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from multiprocessing import Process",
        "import os\nos.system('true')",
        "from os import execv",
        "import os\nrun = os.posix_spawn",
        "import asyncio\nasyncio.create_subprocess_exec('true')",
        "from asyncio import create_subprocess_shell\ncreate_subprocess_shell('true')",
        "from asyncio import subprocess",
        "from concurrent.futures.process import ProcessPoolExecutor",
        "eval('1')",
    ],
)
def test_the_check_for_commands_finds(source: str) -> None:
    assert list(offences(source, STARTS_NOTHING))


@pytest.mark.parametrize(
    "source",
    ["import os\nos.write(1, b'')", "db.execute('SELECT 1')", "from concurrent.futures import ThreadPoolExecutor"],
)
def test_the_check_for_commands_leaves_alone(source: str) -> None:
    assert not list(offences(source, STARTS_NOTHING))


def test_ruff_names_the_reason_where_alerting_reads_a_clock(tmp_path: Path) -> None:
    """The banned names of alerting/ruff.toml are in force, so an editor shows them while one types."""
    source = "from datetime import datetime\n\nnow = datetime.now\n"
    argv = [str(RUFF), "check", "--no-cache", "--stdin-filename", str(ROOT / "alerting" / "x.py"), "-"]
    done = subprocess.run(argv, input=source, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "time is an argument" in done.stdout
