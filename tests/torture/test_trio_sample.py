"""A seeded sample of three collectors that end again and again; the full count runs with `make torture`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.torture.trio import Trio


@pytest.mark.torture
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled_by_three_collectors(tmp_path: Path) -> None:
    with postgres.restartable() as server:  # one of its own: it is ended as well
        report = Trio(tmp_path / "stage", server, server.url, seed=3, kills=8).run()
    assert report.holds, str(report)
