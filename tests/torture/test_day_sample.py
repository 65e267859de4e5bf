"""A seeded sample of a day of the torture list; the whole one runs with `make torture`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.day import Day


@pytest.mark.torture
@pytest.mark.timeout(400)
def test_an_hour_of_the_torture_list_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    report = Day(tmp_path, seed=4, hours=1, files=10, burst=25).run()
    assert report.holds, str(report)
    assert report.kills
