"""What README and deploy/ promise about installing, done in empty environments."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.prefix) / "bin" / "uv"
UNITS = sorted([*(ROOT / "deploy").rglob("*.service"), *(ROOT / "deploy").rglob("*.timer")])
UNREACHABLE = re.compile(r"dns error|connect|timed out|Temporary failure|network|unreachable", re.IGNORECASE)

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("install")]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s<>=!~\[;]", requirement)[0].lower() for requirement in requirements}


def _manifest(path: Path) -> dict[str, object]:
    project = tomllib.loads(path.read_text())["project"]
    assert isinstance(project, dict)
    return project


def _uv(*arguments: str | Path) -> str:
    """Run uv outside the checkout's environment. The package index is the one part that may be missing here."""
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    argv = [str(UV), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", env=environment, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(
            f"needs: a package index (set UV_DEFAULT_INDEX to a mirror, or connect this host): {done.stderr[-300:]}"
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment(path: Path, *requirements: str | Path) -> tuple[Path, set[str]]:
    """A new environment with these requirements: its bin folder and the names of what is installed."""
    _uv("venv", "--quiet", "--python", sys.executable, path)
    _uv("pip", "install", "--quiet", "--python", path, *requirements)
    listed = json.loads(_uv("pip", "list", "--python", path, "--format", "json"))
    return path / "bin", {distribution["name"].lower() for distribution in listed}


def _run(*argv: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(
        [str(a) for a in argv], capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    folder = tmp_path_factory.mktemp("light")
    _uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT / "deploy" / "agent")
    [wheel] = folder.glob("*.whl")
    return _environment(folder / "environment", wheel)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    return _environment(tmp_path_factory.mktemp("both") / "environment", f"{ROOT}[agent,collector]")


def test_the_light_wheel_asks_for_exactly_what_the_agent_extra_asks_for() -> None:
    root, agent = _manifest(ROOT / "pyproject.toml"), _manifest(ROOT / "deploy" / "agent" / "pyproject.toml")
    extras = root["optional-dependencies"]
    assert isinstance(extras, dict)
    assert agent["dependencies"] == extras["agent"]
    assert agent["requires-python"] == root["requires-python"]


def test_every_build_requirement_is_pinned() -> None:
    for path in (ROOT / "pyproject.toml", ROOT / "deploy" / "agent" / "pyproject.toml"):
        requires = tomllib.loads(path.read_text())["build-system"]["requires"]
        assert all("==" in requirement for requirement in requires), path


def test_the_light_wheel_brings_none_of_the_collectors_packages(light: tuple[Path, set[str]]) -> None:
    extras = _manifest(ROOT / "pyproject.toml")["optional-dependencies"]
    assert isinstance(extras, dict)
    collectors = _names(extras["collector"]) - _names(extras["agent"])
    indirect = {"starlette", "pydantic", "requests", "psycopg-binary", "mako", "numpy", "anyio"}
    assert light[1] & (collectors | indirect) == set()
    assert _names(extras["agent"]) <= light[1]


def test_the_light_wheel_holds_of_alerting_only_what_the_agent_may_import(
    light: tuple[Path, set[str]], tmp_path: Path
) -> None:
    listing = "import os, sitewarden_alerting as a; print(*os.listdir(a.__path__[0]))"
    found = _run(light[0] / "python", "-c", listing, cwd=tmp_path).stdout.split()
    assert set(found) - {"__pycache__"} == {"__init__.py", "fingerprint", "py.typed", "reading"}


def test_every_module_of_the_light_wheel_can_be_imported(light: tuple[Path, set[str]], tmp_path: Path) -> None:
    """What the agent forgot to declare would be missing here."""
    walk = (
        "import importlib, pkgutil\n"
        "for name in ('sitewarden_agent', 'sitewarden_alerting', 'sitewarden_protos'):\n"
        "    for m in pkgutil.walk_packages(importlib.import_module(name).__path__, name + '.'):\n"
        "        if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
    )
    done = _run(light[0] / "python", "-W", "ignore", "-c", walk, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_installed_agent_reads_a_log(light: tuple[Path, set[str]], tmp_path: Path) -> None:
    agent = light[0] / "sitewarden-agent"
    told = _run(agent, "--help", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    log = tmp_path / "app.log"
    log.write_text("2026-11-23 15:02:11 ERROR [orders] cannot reach database at 10.0.0.5:5432\n")
    scanned = _run(agent, "scan", "--json", log, cwd=tmp_path)
    assert scanned.returncode == 0, scanned.stderr
    [event] = [json.loads(line) for line in scanned.stdout.splitlines()]
    assert (event["offset"], event["count"]) == (0, 1)
    assert event["fingerprint"]


def test_one_package_gives_both_commands(both: tuple[Path, set[str]], tmp_path: Path) -> None:
    for command in ("sitewarden-agent", "sitewarden"):
        told = _run(both[0] / command, "--help", cwd=tmp_path)
        assert told.returncode == 0, told.stderr
        assert "COMMAND" in told.stdout


def test_the_installed_collector_makes_its_database_and_a_token(both: tuple[Path, set[str]], tmp_path: Path) -> None:
    made = _run(both[0] / "sitewarden", "token", "create", "--site", "acme-1", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "swt1_" in made.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("needs: systemd-analyze (Debian and Ubuntu: apt-get install systemd)")
    # The program is not installed on this host; everything else is judged as it stands.
    for other in UNITS:
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", other.read_text())
        (tmp_path / other.name).write_text(text)
    environment = {"SYSTEMD_LOG_LEVEL": "warning", "PATH": os.environ["PATH"]}
    argv = [verify, "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert unit.stem not in done.stderr  # an unknown or ignored setting is a warning only


def test_the_two_halves_are_two_users_and_only_the_link_has_a_road() -> None:
    observe = (ROOT / "deploy/agent/sitewarden-agent-observe.service").read_text()
    link = (ROOT / "deploy/agent/sitewarden-agent-link.service").read_text()
    assert "User=sitewarden-observe" in observe
    assert "IPAddressDeny=any" in observe
    assert "User=sitewarden-link" in link
    assert "RootDirectory=/run/sitewarden-agent-link" in link
    assert "SupplementaryGroups" not in link
