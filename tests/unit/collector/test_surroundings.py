"""A ticket is shown with what an engineer looks at first: health, changes, what else is open, and where else it is."""

from __future__ import annotations

import json

import pytest

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import Series, What
from sitewarden_collector.cli import _ticket_page, main
from sitewarden_collector.config import Rules
from sitewarden_collector.services import evaluation, intake, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.surroundings import Surroundings
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import (
    ACME_BERLIN,
    ADA,
    GLOBEX_OSAKA,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    batch,
    change,
    error_line,
    probe,
    settle_agent,
)

BOOK = rulepacks.load(Rules())
SERIES = (
    Series("cpu_used_ratio", (), "ratio"),
    Series("filesystem_used_ratio", (("mountpoint", "/"),), "ratio"),
    Series("filesystem_used_ratio", (("mountpoint", "/data"),), "ratio"),
    Series("load1", (), ""),
)


def health(*rows: tuple[float, ...], start_ns: int) -> RawBlock:
    """Ticks of ten seconds with the numbers of SERIES."""
    times_ns = tuple(start_ns + i * 10 * SECOND for i in range(len(rows)))
    block = blocks.encode(times_ns, list(zip(*rows, strict=True)))
    return RawBlock("feedfacefeedface", SERIES, block, False, times_ns, 0, rows[-1])


class Site:
    def __init__(self, db: Database, name: str, hostname: str = "web-1") -> None:
        self.db, self.seq = db, 0
        self.agent: Agent = db.write_now(settle_agent, hostname, site=name)

    def sends(self, *what: What | RawBlock, at: int = NOON) -> None:
        self.seq += 1
        self.db.write_now(intake.accept, self.agent.id, batch=batch(self.seq, *what, wall_ns=at), now_ns=at)
        self.db.write_now(evaluation.step, BOOK, Policy(), now_ns=at)


@pytest.fixture
def shown(db: Database) -> ticketing.Shown:
    """A fault at acme-berlin, half a minute after a rise of the load; it was at globex-osaka before, and solved."""
    osaka = Site(db, GLOBEX_OSAKA, "app-1")
    osaka.sends(error_line(), at=NOON - HOUR)
    db.write_now(ticketing.resolve, "INC-1001", ADA, "restarted the database", now_ns=NOON - HOUR)
    berlin = Site(db, ACME_BERLIN)
    berlin.sends(change("agent_started", "web-1", "0.1.0", "0.2.0"), at=NOON - 10 * MINUTE)
    berlin.sends(
        health((0.2, 0.5, 0.7, 1.0), (0.99, 0.5, 0.75, 9.0), (0.3, 0.5, 0.8, 4.0), start_ns=NOON - 30 * SECOND)
    )
    berlin.sends(error_line(), probe(False))
    return db.read_now(ticketing.show, "INC-1002", now_ns=NOON)


def test_health_is_what_the_host_had_when_it_happened_and_the_peak_around(shown: ticketing.Shown) -> None:
    (host,) = shown.around.health
    assert (host.hostname, host.at_ns) == ("web-1", NOON - 10 * SECOND)
    assert [(one.name, one.value, one.peak) for one in host.readings] == [
        ("CPU", 0.3, 0.99),
        ("load", 4.0, 9.0),
        ("disk /data", 0.8, 0.8),
    ]
    assert shown.around.health_last == ()


def test_what_changed_before_and_what_is_open_beside_it_is_there(shown: ticketing.Shown) -> None:
    around: Surroundings = shown.around
    assert [_ticket_page.change(one) for one in around.changes] == [
        "2026-11-24T11:50:00Z on web-1: agent started: 0.1.0 -> 0.2.0"
    ]
    assert [one.ticket.number for one in around.also_open] == ["INC-1003"]
    assert [agent.hostname for agent in around.agents] == ["web-1"]


def test_the_same_fault_elsewhere_comes_with_how_it_was_solved(shown: ticketing.Shown) -> None:
    text = "\n".join(_ticket_page.lines(shown, now_ns=NOON + 20 * SECOND))
    assert "the same fault at globex-osaka: INC-1001, resolved, seen once: restarted the database" in text
    assert "since 2026-11-24T12:00:00Z (20 s ago), seen once" in text
    assert "web-1 when it began (2026-11-24T11:59:50Z): CPU 30 % (peak 99 %), load 4 (peak 9), disk /data 80 %" in text
    assert "agent on web-1: active, last heard of 20 s ago, version 0.1.0" in text
    assert "  sitewarden ticket ack INC-1002 --by YOUR-NAME" in text
    assert '  sitewarden silence add --site acme-berlin --fault INC-1002 --for 2h --reason "WHY"' in text


def test_a_fault_that_lasts_shows_how_the_host_was_lately_too(db: Database) -> None:
    site = Site(db, ACME_BERLIN)
    site.sends(health((0.2, 0.5, 0.7, 1.0), start_ns=NOON), error_line())
    later = NOON + HOUR
    site.sends(health((0.4, 0.5, 0.7, 1.0), start_ns=later), error_line(offset=5), at=later)
    around = db.read_now(ticketing.show, "INC-1001", now_ns=later).around
    assert [one.readings[0].value for one in (*around.health, *around.health_last)] == [0.2, 0.4]


@pytest.mark.usefixtures("desk")
def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ticket", "show", "INC-1001", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["also_open"] == ["INC-1002"]
    assert row["agents"][0]["host"] == "web-1"
    assert (row["health"], row["changes"], row["risks"], row["elsewhere"]) == ([], [], [], [])
