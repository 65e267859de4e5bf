"""The half that reads goes on where the spool says, but never where the configuration does not lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from sitewarden_agent.config import Log
from sitewarden_agent.model import FileMark, GapReason
from sitewarden_agent.observe import discovery
from sitewarden_agent.observe.samefile import FileKey, file_id
from tests.unit.agent.tail_bench import Site


def test_a_mark_that_somebody_put_into_the_spool_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    site.write("ERROR broken\n")
    site.settle()
    secret = tmp_path / "secret" / "salaries.txt"
    secret.parent.mkdir()
    secret.write_text("ERROR the boss earns too much\n")
    key = FileKey.of(secret.stat())
    source = site.log.name
    for path in (str(secret), f"{site.path.parent}/../../secret/salaries.txt"):
        forged = FileMark(source, path, file_id(key, 1), 0)
        site.stop()
        site.store.append([], marks=[forged])
        site.settle()
        assert site.records() == ["broken"]
        assert forged not in site.store.marks(source)
    assert {gap.reason for gap in site.gaps()} == {GapReason.FILE_LOST}


def test_a_mark_that_names_no_file_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("ERROR broken\n")
    site.settle()
    site.stop()
    site.store.append([], marks=[FileMark(site.log.name, str(site.path), "no-such-id", 0)])
    site.write("ERROR broken again\n")
    site.settle()
    assert site.records() == ["broken", "broken again"]


@pytest.mark.parametrize(
    ("pattern", "path", "leads"),
    [
        ("/var/log/app/*.log", "/var/log/app/app.log", True),
        ("/var/log/app/*.log", "/var/log/app/app.log.1", True),
        ("/var/log/app/app.log", "/var/log/app/app.log-20261124.gz", True),
        ("/var/log/*/app.log", "/var/log/shop/app.log.1", True),
        ("/var/log/*/app.log", "/var/log/shop/deeper/app.log", False),
        ("/srv/**/*.log", "/srv/app.log", True),
        ("/srv/**/*.log", "/srv/a/b/c/app.log", True),
        ("/srv/**", "/srv/a/b/app.log", True),
        ("/srv/**/*.log", "/srv/../etc/shadow", False),
        ("/srv/*/*.log", "/srv/../etc", False),
        ("/var/log/app/*.log", "/var/log/app/../../../etc/shadow", False),
        ("/var/log/../data/*.log", "/var/log/../data/app.log", True),
        ("/var/log/app/*.log", "/etc/shadow", False),
        ("/var/log/app/*.log", "app.log", False),
    ],
)
def test_a_place_to_resume_at_lies_where_the_patterns_lead(pattern: str, path: str, leads: bool) -> None:
    assert discovery.may_lie_at(Log(name="app", paths=(pattern,)), path) is leads
