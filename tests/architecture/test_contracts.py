"""Who may import whom, as pyproject.toml says it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = Path(sys.prefix) / "bin" / "lint-imports"


def _lint(config: Path, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    roads = ":".join(str(cwd / folder) for folder in ("agent", "alerting", "collector", "protos"))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": roads, "HOME": str(cwd)}
    argv = [str(LINT), "--config", str(config), "--no-cache"]
    return subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def test_the_import_contracts_are_kept() -> None:
    done = _lint(ROOT / "pyproject.toml", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """The test of the test: one wrong import in a copy of the house."""
    for folder in ("agent", "alerting", "collector", "protos"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    clock = tmp_path / "agent" / "sitewarden_agent" / "clock.py"
    clock.write_text(clock.read_text() + "\nimport sitewarden_collector.errors\n")
    done = _lint(tmp_path / "pyproject.toml", cwd=tmp_path)
    assert done.returncode != 0
    assert "The agent stands alone BROKEN" in done.stdout


def test_every_package_of_the_house_stands_under_a_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in ROOT.glob("*/sitewarden_*/__init__.py")}
    assert set(settings["root_packages"]) == packages
