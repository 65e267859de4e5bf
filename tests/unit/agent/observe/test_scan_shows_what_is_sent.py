"""`scan` shows of a log what the agent sends of it: the same messages, templates, fingerprints and counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sitewarden_agent.cli.scan import Scan
from sitewarden_agent.config import Log, Redact
from sitewarden_agent.observe import redaction, storms
from tests.unit.agent.tail_bench import Site

LOGS = Path(__file__).parents[3] / "data" / "logs"
REDACTOR = redaction.redactor(Redact(), key=b"k" * 32)


@pytest.mark.parametrize("name", ["nginx", "java", "postgresql", "auth", "node", "haproxy"])
@pytest.mark.parametrize("storm_per_minute", [0, 3], ids=["each record", "in storms"])
def test_what_scan_shows_is_what_is_sent(tmp_path: Path, name: str, storm_per_minute: int) -> None:
    site = Site(tmp_path, min_severity="warning", storm_per_minute=storm_per_minute)
    site.redact = REDACTOR
    site.write((LOGS / name / "sample.log").read_bytes())
    site.settle()
    site.clock.pass_s(storms.SAMPLE_NS / 1e9)
    site.look()
    sent: Counter[str] = Counter()
    for event in site.events():
        sent[event.fingerprint] += event.count if event.part.value != "full" else 0
    log = Log(name="app", paths=(str(site.path),), min_severity="warning", zone="UTC")
    shown = list(Scan(str(site.path), log, REDACTOR, now_ns=site.clock.wall_ns()).folded())
    assert shown
    assert {each.event.fingerprint: each.count for each in shown} == dict(sent)
    texts = {(event.message, event.template) for event in site.events() if event.count == 1}
    if not storm_per_minute:
        assert all((each.event.message, each.event.template) in texts for each in shown)
