"""A part of `make compat` that is quick enough for every run: another Python, and the last release in both roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat import pythons, releases
from tests.compat.pythons import Unreachable

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("install")]
INDEX = "needs: a package index (set UV_DEFAULT_INDEX to a mirror, or connect this host)"


def test_the_light_wheel_works_under_the_python_that_is_farthest_from_this_one(tmp_path: Path) -> None:
    others = pythons.others(pythons.interpreters())
    if not others:
        pytest.skip("only one supported Python is installed here; `make compat` tries to fetch another")
    try:
        wheel = pythons.light_wheel(tmp_path / "wheel")
        python = pythons.environment(tmp_path / "environment", others[-1], wheel)
    except Unreachable as error:
        pytest.skip(f"{INDEX}: {error}")
    ran = pythons.try_agent(python, pythons.CORE, folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The last release's files, and a folder for its environments."""
    release = releases.last_release()
    if release is None:
        pytest.skip("nothing released: there is no tag v* yet")
    folder = tmp_path_factory.mktemp("release")
    return releases.checkout(release, folder / "files"), folder


def test_the_agent_of_the_last_release_works_with_this_collector(before: tuple[Path, Path], tmp_path: Path) -> None:
    try:
        agent = releases.agent_of(*before)
    except Unreachable as error:
        pytest.skip(f"{INDEX}: {error}")
    assert releases.try_together(tmp_path, agent=agent)


def test_this_agent_works_with_the_collector_of_the_last_release(before: tuple[Path, Path], tmp_path: Path) -> None:
    try:
        collector = releases.collector_of(*before)
    except Unreachable as error:
        pytest.skip(f"{INDEX}: {error}")
    assert releases.try_together(tmp_path, collector=collector)
