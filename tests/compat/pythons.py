"""The agent as a customer installs it, its own tests run on it, under another Python.

Everything is installed at the versions of uv.lock; the code under test is the light wheel's, not the checkout's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.prefix) / "bin" / "uv"
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis", "psutil", "prometheus-client")
HEADQUARTERS = re.compile(r"sitewarden_collector|sqlalchemy|tests\.fuzz|postgres_")
"""What is written in a test that needs more than a customer's host has."""
CORE = (
    "tests/unit/agent/test_config.py",
    "tests/unit/agent/test_remote_trial.py",
    "tests/unit/agent/test_wire.py",
    "tests/unit/agent/test_confine.py",
    "tests/unit/agent/test_agent_process.py",
)
UNREACHABLE = re.compile(r"dns error|error sending request|timed out|Temporary failure|unreachable", re.IGNORECASE)


def everything() -> list[str]:
    """Every test of the agent that needs nothing of headquarters."""
    here = ROOT / "tests" / "unit"
    reading = [here / "alerting" / f"test_{name}.py" for name in ("fingerprint", "header", "lines", "redact")]
    files = [*here.glob("agent/**/test_*.py"), *reading]
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(files)}
    return [str(path.relative_to(ROOT)) for path, text in texts.items() if not HEADQUARTERS.search(text)]


class Unreachable(Exception):
    """What would have to be downloaded could not be."""


def interpreters() -> dict[str, Path]:
    """Every supported Python that is installed here, by its version, the lowest first."""
    found = {}
    for version in SUPPORTED:
        done = _uv("python", "find", "--no-project", "--offline", f"cpython@{version}", check=False)
        if done.returncode == 0:
            found[version] = Path(done.stdout.strip())
        elif kept := sorted(PYENV.glob(f"versions/{version}.*/bin/python{version}")):  # there, but not on the path
            found[version] = kept[-1]
    return found


def others(found: Mapping[str, Path]) -> list[Path]:
    """Those that are another than this one, the nearest version first."""
    mine = sys.version_info.minor
    minors = {int(version.partition(".")[2]): path for version, path in found.items()}
    return [minors[minor] for minor in sorted(minors, key=lambda minor: abs(minor - mine)) if minor != mine]


def fetch(version: str) -> bool:
    """Whether this Python could be had, for `interpreters` to find."""
    return _uv("python", "install", "--quiet", version, check=False).returncode == 0


def light_wheel(folder: Path, *, checkout: Path = ROOT) -> Path:
    """The agent's wheel, built from a checkout. Raises Unreachable."""
    _uv("build", "--quiet", "--wheel", "--out-dir", folder, checkout / "deploy" / "agent")
    [wheel] = folder.glob("sitewarden_agent-*.whl")
    return wheel


def environment(
    folder: Path, python: Path, ours: Path | str, *, tools: Sequence[str] = TOOLS, locked: Path = ROOT
) -> Path:
    """The interpreter of a new environment with `ours` and what that needs, at the versions of the lock in the checkout
    `locked`. Raises Unreachable."""
    exported = folder.parent / f"{folder.name}.txt"
    listed = _uv("export", "--frozen", "--all-extras", "--all-groups", "--no-emit-project", "--no-hashes", cwd=locked)
    exported.write_text(listed.stdout)
    _uv("venv", "--quiet", "--python", python, folder)
    _uv("pip", "install", "--quiet", "--python", folder, "--constraint", exported, ours, *tools)
    return folder / "bin" / "python"


def try_agent(python: Path, tests: Sequence[str], *, folder: Path) -> subprocess.CompletedProcess[str]:
    """The agent's tests with what is installed there. Nothing of the collector's is, so its fixtures stay away."""
    argv = [
        python,
        "-m",
        "pytest",
        "-q",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        folder / "tests",
        *tests,
    ]
    return subprocess.run(
        [str(each) for each in argv], capture_output=True, text=True, cwd=ROOT, env=_surroundings(), check=False
    )


def _uv(*arguments: str | Path, check: bool = True, cwd: Path | str = "/") -> subprocess.CompletedProcess[str]:
    argv = [str(UV), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=_surroundings(), check=False)
    if check and done.returncode:
        if UNREACHABLE.search(done.stderr):
            raise Unreachable(done.stderr[-300:])
        raise AssertionError(f"{' '.join(argv)}: {done.stderr}")
    return done


def _surroundings() -> dict[str, str]:
    """Without this checkout's environment."""
    return {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
