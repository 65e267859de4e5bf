"""What one bad agent may try against headquarters, and that the others do not notice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from sitewarden_alerting import assess
from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import Series
from sitewarden_alerting.rules import NewFault, Rulebook
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.pace import TokenBucket
from sitewarden_collector.services import assessment, evaluation, intake
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import risks, samples, spools
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import ACME_BERLIN, EPOCH, GLOBEX, GLOBEX_OSAKA, NOON, SECOND, batch, error_line, settle_agent

BOOK = Rulebook((NewFault(name="errors"),))


def test_an_agent_that_leaves_out_numbers_does_not_hold_up_the_others(db: Database) -> None:
    bad = db.write_now(settle_agent, site=ACME_BERLIN)
    good = db.write_now(settle_agent, site=GLOBEX_OSAKA, customer=GLOBEX)
    far = 2**62
    for seq, previous_seq in ((1, 0), (far, 1), (2**63 - 1, far)):
        one = batch(seq, error_line(f"fault {seq}"), previous_seq=previous_seq)
        db.write_now(intake.accept, bad.id, batch=one, now_ns=NOON)
    db.write_now(intake.accept, good.id, batch=batch(1, error_line("disk broken")), now_ns=NOON + SECOND)

    steps = 0
    while db.write_now(evaluation.step, BOOK, Policy(), now_ns=NOON + 2 * SECOND):
        steps += 1
        assert steps < 10, "evaluation counts its way through the numbers that were left out"

    assert db.read_now(spools.pending, 10) == []
    assert GLOBEX_OSAKA in {one.site for one in db.read_now(ticketing.listing)}
    assert db.read_now(spools.last_seq, bad.id, EPOCH) == 2**63 - 1


def test_a_flood_at_a_door_is_forgotten_when_it_ends() -> None:
    bucket = TokenBucket(50.0, 200.0, now_s=0.0)
    admitted = sum(bucket.admit(now_s=0.0) for _ in range(100_000))
    assert admitted == 200
    assert bucket.admit(now_s=0.1)


def told(schema_id: str, width: int) -> RawBlock:
    series = tuple(Series("disk_used_bytes", (("mount", str(row)),), "bytes") for row in range(width))
    block = blocks.encode((NOON,), [[1.0]] * width)
    return RawBlock(schema_id, series, block, early=False, times_ns=(NOON,), shift_ns=0, last=(1.0,) * width)


def test_no_block_is_stored_that_cannot_be_read_again(db: Database) -> None:
    bad = db.write_now(settle_agent)
    first, second = told("feed" * 4, 2), told("beef" * 4, 2)
    db.write_now(intake.accept, bad.id, batch=batch(1, first), now_ns=NOON)
    for confusing in (
        (told("feed" * 4, 3),),
        (replace(told("feed" * 4, 3), series=()),),
        (second, replace(told("beef" * 4, 3), series=())),
        (second, told("beef" * 4, 3)),
        (replace(second, schema_id="feed" * 4, series=second.series[::-1]),),
    ):
        with pytest.raises(Refused) as refusal:
            db.write_now(intake.accept, bad.id, batch=batch(2, *confusing), now_ns=NOON)
        assert refusal.value.reason == "MALFORMED"
    db.write_now(intake.accept, bad.id, batch=batch(2, first, replace(first, series=())), now_ns=NOON)
    assert len(db.read_now(samples.last)) == 2


def test_names_without_end_are_not_looked_at_for_ever(db: Database) -> None:
    bad = db.write_now(settle_agent)
    for seq in range(1, 101):
        block = replace(told(f"{seq:016x}", 1), times_ns=(NOON + seq,))
        db.write_now(intake.accept, bad.id, batch=batch(seq, block), now_ns=NOON)
    newest = [one.at_ns - NOON for one in db.read_now(samples.last)]
    assert newest == [100]
    told_of = db.read_now(lambda tx: tx.execute(select(samples.last_values.c.schema_id)).scalars().all())
    assert len(told_of) == 64


def sizes(used: list[float], limit: float) -> RawBlock:
    folder = (("folder", "data"),)
    series = (Series("folder_used_bytes", folder, "bytes"), Series("folder_limit_bytes", folder, "bytes"))
    times_ns = tuple(NOON + number * 10 * SECOND for number in range(len(used)))
    block = blocks.encode(times_ns, [used, [limit] * len(used)])
    return RawBlock("f01d" * 4, series, block, early=False, times_ns=times_ns, shift_ns=0, last=(used[-1], limit))


@pytest.mark.parametrize(
    ("used", "limit"),
    [
        ([0.0, 1e308, 1.0] * 10, 1e308),
        ([math.inf, 1.0, -math.inf] * 10, 5.0),
        ([1.0, 2.0, 3.0] * 10, math.inf),
        ([-1e308, 5e-324] * 15, 5e-324),
        ([1e300 * number for number in range(30)], 1e302),
    ],
)
def test_numbers_that_are_no_sizes_stop_no_assessment(db: Database, used: list[float], limit: float) -> None:
    bad = db.write_now(settle_agent, site=ACME_BERLIN, last_seen_ns=NOON + 300 * SECOND)
    good = db.write_now(settle_agent, site=GLOBEX_OSAKA, customer=GLOBEX, last_seen_ns=NOON + 300 * SECOND)
    db.write_now(intake.accept, bad.id, batch=batch(1, sizes(used, limit)), now_ns=NOON + 300 * SECOND)
    full = sizes([90.0 + number / 10 for number in range(30)], 100.0)
    db.write_now(intake.accept, good.id, batch=batch(1, full), now_ns=NOON + 300 * SECOND)
    assert assessed(db) == 2
    assert GLOBEX_OSAKA in {one.site for one in db.read_now(risks.listing)}


def test_a_site_that_cannot_be_assessed_does_not_stop_the_others(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = db.write_now(settle_agent, site=ACME_BERLIN, last_seen_ns=NOON + 300 * SECOND)
    good = db.write_now(settle_agent, site=GLOBEX_OSAKA, customer=GLOBEX, last_seen_ns=NOON + 300 * SECOND)
    full = sizes([90.0 + number / 10 for number in range(30)], 100.0)
    for agent in (bad, good):
        db.write_now(intake.accept, agent.id, batch=batch(1, full), now_ns=NOON + 300 * SECOND)
    whole = assess.full

    def fails(filling: assess.Filling, *args: Any, **more: Any) -> Any:
        if filling.site_id == bad.site_id:
            raise ArithmeticError("a number that nobody thought of")
        return whole(filling, *args, **more)

    monkeypatch.setattr(assess, "full", fails)
    assessed(db)
    assert {one.site for one in db.read_now(risks.listing)} == {GLOBEX_OSAKA}
    assert "cannot be assessed" in caplog.text


def assessed(db: Database) -> int:
    """Every site that is due; how many."""
    steps = (db.write_now(assessment.step, Policy(), now_ns=NOON + (301 + turn) * SECOND) for turn in range(4))
    return sum(steps)
