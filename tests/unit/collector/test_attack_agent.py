"""What one bad agent may try against headquarters, and that the others do not notice."""

from __future__ import annotations

from sitewarden_alerting.model import Policy
from sitewarden_alerting.rules import NewFault, Rulebook
from sitewarden_collector.grpc_api.pace import TokenBucket
from sitewarden_collector.services import evaluation, intake
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import spools
from sitewarden_collector.store.engine import Database
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
