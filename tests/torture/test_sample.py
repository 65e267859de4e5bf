"""A seeded sample of the torture; the full count runs with `make torture`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.run import Torture


@pytest.mark.torture
@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled_on_sqlite(tmp_path: Path) -> None:
    report = Torture(tmp_path / "stage", tmp_path / "logs", seed=7, kills=14).run()
    assert report.verdict is not None
    assert report.verdict.holds, str(report)


@pytest.mark.torture
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    report = Torture(tmp_path / "stage", tmp_path / "logs", seed=8, kills=10, database_url=postgres_url).run()
    assert report.verdict is not None
    assert report.verdict.holds, str(report)
