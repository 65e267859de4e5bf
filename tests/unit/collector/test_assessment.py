"""Assessment turns series into risks that are raised once, told, and taken back when the cause is gone."""

from __future__ import annotations

import pytest

from sitewarden_alerting.model import DAY_NS, HOUR_NS, Person, Policy, RiskState
from sitewarden_alerting.observations import Series
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.services import assessment, evaluation, intake
from sitewarden_collector.store import agents, notices, risks
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import ADA, MINUTE, NOON, SECOND, batch, probe, settle_agent

MIB = 2.0**20
GIB = 2.0**30
POLICY = Policy(on_call=(Person(ADA, ("phone",)),))
FOLDER = (("folder", "orders-data"),)
DISK = (("mountpoint", "/"),)


def levels(used: list[float], *, limit: float, start_ns: int, step_ns: int, disk: bool = False) -> RawBlock:
    """A block of a folder's size beside its limit; or of what is free on a disk."""
    if disk:
        series = (Series("filesystem_avail_bytes", DISK, "bytes"), Series("filesystem_size_bytes", DISK, "bytes"))
        columns = [[limit - one for one in used], [limit] * len(used)]
    else:
        series = (Series("folder_used_bytes", FOLDER, "bytes"), Series("folder_limit_bytes", FOLDER, "bytes"))
        columns = [used, [limit] * len(used)]
    times_ns = tuple(start_ns + i * step_ns for i in range(len(used)))
    return RawBlock(
        schema_id="00000000000000d1" if disk else "00000000000000f0",
        series=series,
        block=blocks.encode(times_ns, columns),
        early=False,
        times_ns=times_ns,
        shift_ns=0,
        last=tuple(column[-1] for column in columns),
    )


class Site:
    def __init__(self, db: Database) -> None:
        self.db = db
        self.agent = db.write_now(settle_agent)
        self.seq = 0

    def sends(self, *what: object, at: int = NOON) -> None:
        self.seq += 1
        sent = batch(self.seq, *what, wall_ns=at)  # type: ignore[arg-type]
        self.db.write_now(intake.accept, self.agent.id, batch=sent, now_ns=at)
        self.hears(at)

    def hears(self, at: int) -> None:
        """A sign of life right after that moment."""
        self.db.write_now(agents.heard, {self.agent.id: at + 1})

    def assesses(self, at: int) -> int:
        return self.db.write_now(assessment.step, POLICY, now_ns=at)

    def risks(self, *, lowered: bool = False) -> list[risks.Listed]:
        return self.db.read_now(risks.listing, lowered=lowered)


@pytest.fixture
def site(db: Database) -> Site:
    return Site(db)


def test_a_folder_that_fills_within_a_minute_is_a_risk_with_its_time_and_a_quiet_notice(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    assert site.assesses(NOON) == 1
    (listed,) = site.risks()
    risk = listed.risk
    assert (risk.number, listed.site, risk.state) == ("RSK-1", "acme-berlin", RiskState.ACTIVE)
    assert risk.text.startswith("folder orders-data will be full at 2026-11-24 12:00:20 UTC (between ")
    assert risk.response.startswith("free space in orders-data")
    (notice,) = site.db.read_now(notices.listing)
    assert (notice.kind, notice.person, notice.urgency, notice.risk_id) == ("risk", ADA, "low", risk.id)
    assert "likelihood" in notice.body.lower()


def test_assessing_again_keeps_one_risk_and_tells_nothing_new(site: Site) -> None:
    for i in range(4):
        used = [20 * MIB + MIB * (10 * i + j) for j in range(10)]
        site.sends(levels(used, limit=90 * MIB, start_ns=NOON + 10 * i * SECOND, step_ns=SECOND))
        site.assesses(NOON + 10 * (i + 1) * SECOND)
    assert [one.risk.number for one in site.risks()] == ["RSK-1"]
    assert len(site.db.read_now(notices.listing)) == 1


def test_a_site_waits_for_its_turn(site: Site) -> None:
    site.hears(NOON)
    assert site.assesses(NOON) == 1
    site.hears(NOON)
    assert site.assesses(NOON + SECOND) == 0
    assert site.assesses(NOON + MINUTE) == 1


def test_a_site_of_which_nobody_was_heard_is_looked_at_seldom(site: Site) -> None:
    assert site.assesses(NOON) == 0  # never heard of
    site.hears(NOON)
    assert site.assesses(NOON) == 1
    assert [site.assesses(NOON + minute * MINUTE) for minute in (1, 5, 10, 11)] == [1, 0, 0, 1]


def test_weeks_are_seen_by_the_hourly_trail(site: Site) -> None:
    for hour in range(72):
        at = NOON + hour * HOUR_NS
        used = [60 * GIB + 6 * GIB * (hour * 60 + minute) / 1440 for minute in range(-20, 0, 2)]
        block = levels(used, limit=100 * GIB, start_ns=at - 20 * MINUTE, step_ns=2 * MINUTE, disk=True)
        site.sends(block, at=at)
        site.assesses(at)
    (listed,) = site.risks()
    assert listed.risk.kind == "filesystem_full"
    assert listed.risk.expected_ns is not None
    full_ns = NOON + round(40 / 6 * DAY_NS)
    assert abs(listed.risk.expected_ns - full_ns) < DAY_NS // 4
    assert listed.risk.title == "disk / on web-1 fills up"


def test_a_folder_that_was_emptied_lowers_its_risk_after_a_while(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    site.assesses(NOON)
    for minute in range(1, 14):
        at = NOON + minute * MINUTE
        site.sends(levels([MIB] * 6, limit=60 * MIB, start_ns=at - MINUTE, step_ns=10 * SECOND), at=at)
        site.assesses(at)
    assert site.risks() == []
    assert [one.risk.state for one in site.risks(lowered=True)] == [RiskState.LOWERED]


def test_a_site_that_is_silent_says_nothing_of_its_disks(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    site.assesses(NOON)
    for hour in range(1, 6):
        site.assesses(NOON + 2 * hour * HOUR_NS)
    assert len(site.risks()) == 1


def test_the_risks_of_an_agent_that_is_gone_are_taken_back(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    site.assesses(NOON)
    site.db.write_now(agents.set_state, site.agent.id, "retired", why="enrolled again")
    site.assesses(NOON + HOUR_NS)
    site.assesses(NOON + 2 * HOUR_NS)
    assert site.risks() == []


def test_the_risk_of_a_folder_that_is_not_watched_any_more_is_taken_back(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    site.assesses(NOON)
    for half_hour in range(3, 6):
        at = NOON + half_hour * 30 * MINUTE
        site.sends(levels([GIB] * 6, limit=9 * GIB, start_ns=at - MINUTE, step_ns=10 * SECOND, disk=True), at=at)
        site.assesses(at)
    assert site.risks() == []


def test_a_certificate_that_a_probe_saw_is_a_risk_before_it_expires(site: Site) -> None:
    site.sends(probe(True, certificate_expires_ns=NOON + 9 * DAY_NS, target="https://shop.example"))
    site.db.write_now(evaluation.step, Rulebook(), POLICY, now_ns=NOON)
    site.assesses(NOON)
    (listed,) = site.risks()
    assert listed.risk.kind == "certificate"
    assert "expires at 2026-12-03 12:00 UTC, in 9 days" in listed.risk.text


def test_examining_only_reads_and_recording_only_writes(site: Site) -> None:
    used = [20 * MIB + MIB * i for i in range(20)]
    site.sends(levels(used, limit=60 * MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    examined = site.db.read_now(assessment.examine, POLICY, now_ns=NOON)
    assert site.risks() == []
    assert site.db.write_now(assessment.record, examined, POLICY, now_ns=NOON) == 1
    assert len(site.risks()) == 1
