"""Many spools are evaluated together: nothing is lost, put off for long, or judged otherwise than alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from sitewarden_alerting.model import Person, Policy
from sitewarden_alerting.observations import Key, Observation, Place, Samples, Series, What
from sitewarden_alerting.rules import Absence, NewFault, Plans, Rulebook, SiteState, Threshold, evaluate
from sitewarden_collector.services import evaluation, intake, parked
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.services.quiet import Looks
from sitewarden_collector.store import evaluations, notices, observations, samples, spools, waiting
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import ADA, NOON, SECOND, batch, error_line, settle_agent
from tests.cast import samples as cast_samples

DISK = Threshold(name="disk", series="disk_used_ratio", above=0.9, clear=0.8)
BOOK = Rulebook((NewFault(name="errors"), DISK))
PLACE = Place("acme", "acme-berlin", "agent-web", "web-1")
NAMES = ("a", "b", "c", "d", "free")
SERIES = tuple(Series(name, (("mount", mount),), "") for name in NAMES for mount in ("/", "/data"))
RULES = Rulebook(
    (
        Threshold(name="over", series="a", above=0.9, for_s=20),
        Threshold(name="under", series="free", below=0.1, clear=0.2),
        Threshold(name="share", series="b", divide_by="c", above=0.9, labels=(("mount", "/*"),)),
        Threshold(name="both", series="c", above=0.95, below=0.05),
    )
)
VALUES = st.sampled_from((0.0, 0.02, 0.5, 0.9, 0.91, 0.99, -1.0, math.nan, math.inf, -math.inf))
COLUMNS = st.integers(1, 7).flatmap(
    lambda ticks: st.lists(st.lists(VALUES, min_size=ticks, max_size=ticks), min_size=len(SERIES), max_size=len(SERIES))
)


def taken_in(
    db: Database, agent: Agent, seq: int, *what: What | RawBlock, at: int = NOON, previous: int | None = None
) -> None:
    sent = batch(seq, *what, wall_ns=at, previous_seq=previous)
    db.write_now(intake.accept, agent.id, batch=sent, now_ns=at)


def steps(db: Database, book: Rulebook = BOOK, *, at: int = NOON, memory: Memory | None = None) -> int:
    number = 0
    while db.write_now(evaluation.step, book, Policy(), now_ns=at, memory=memory):
        number += 1
    return number


def open_faults(db: Database) -> list[str]:
    return sorted(one.ticket.fault for one in db.read_now(ticketing.listing) if one.ticket.recovered_ns is None)


@given(many=st.lists(COLUMNS, min_size=1, max_size=6))
def test_a_block_that_is_passed_over_would_have_changed_nothing(many: list[list[list[float]]]) -> None:
    sent = [
        (SERIES, blocks.encode(tuple(NOON + 10 * SECOND * tick for tick in range(len(one[0]))), one)) for one in many
    ]
    beyond = Looks(Plans(RULES.others)).beyond(sent)
    for at, one in enumerate(many):
        times_ns = tuple(NOON + 10 * SECOND * tick for tick in range(len(one[0])))
        what = Samples("s", SERIES, times_ns, tuple(one), False)
        judged = evaluate(
            RULES, SiteState(), [Observation(PLACE, Key("0a", 1, 0), NOON, NOON, what)], now_ns=NOON + 1000 * SECOND
        )
        if at not in beyond:
            assert (judged.state, judged.signals, judged.failures) == (SiteState(), (), ())


def test_a_block_that_a_rule_waits_for_is_never_passed_over() -> None:
    book = Rulebook((Absence(name="beat", within_s=60, series="a"),))
    calm = blocks.encode((NOON,), [[0.0]] * len(SERIES))
    assert Looks(Plans(book.others)).beyond([(SERIES, calm)]) == {0}
    assert Looks(Plans(BOOK.others)).beyond([(SERIES, calm)]) == set()


def test_a_block_that_cannot_be_read_is_not_passed_over() -> None:
    series = (Series("disk_used_ratio", (), ""),)
    calm = blocks.encode((NOON,), [[0.5]])
    assert Looks(Plans(BOOK.others)).beyond([(series, calm), (series, calm[:-3])]) == {1}


def test_a_level_is_followed_over_batches_whatever_was_passed_over_before(db: Database) -> None:
    agent, memory = db.write_now(settle_agent), Memory()
    for seq, numbers in enumerate(((0.5,), (0.5, 0.95), (0.85,), (0.7,), (0.5,), (0.99,)), start=1):
        at = NOON + seq * 60 * SECOND
        taken_in(db, agent, seq, cast_samples(*numbers, start_ns=at, told=seq == 1), at=at)
        assert steps(db, at=at + SECOND, memory=memory) == 1
        assert bool(open_faults(db)) == (seq in (2, 3, 6))


def test_batches_that_wait_together_say_what_they_say_alone(db: Database) -> None:
    dice = random.Random(3)
    agents = [db.write_now(settle_agent, f"web-{n}", f"site-{n % 5}") for n in range(20)]
    sent: dict[str, list[tuple[What | RawBlock, ...]]] = {agent.id: [] for agent in agents}
    for agent in agents:
        for seq in range(1, dice.randrange(2, 9)):
            numbers = [dice.choice((0.5, 0.6, 0.85, 0.95)) for _ in range(3)]
            start_ns = NOON + seq * 60 * SECOND
            what: list[What | RawBlock] = [cast_samples(*numbers, start_ns=start_ns, told=seq == 1)]
            what += [error_line(f"fault {dice.randrange(3)}", offset=seq)] if dice.random() < 0.3 else []
            sent[agent.id].append(tuple(what))
            taken_in(db, agent, seq, *what, at=start_ns)
    at = NOON + 3600 * SECOND
    steps(db, at=at)
    together = _shown(db)
    assert db.read_now(spools.pending, 10) == []
    twins = {agent.id: db.write_now(settle_agent, f"web-{n}", f"twin-{n % 5}") for n, agent in enumerate(agents)}
    for agent_id, told in sent.items():
        for seq, each in enumerate(told, start=1):
            taken_in(db, twins[agent_id], seq, *each, at=NOON + seq * 60 * SECOND)
            steps(db, at=at)
    alone = _shown(db)
    assert together
    for site, shown in together.items():
        assert alone[site.replace("site", "twin")] == shown


def _shown(db: Database) -> dict[str, list[tuple[str, int, int | None]]]:
    found: dict[str, list[tuple[str, int, int | None]]] = {}
    for one in db.read_now(ticketing.listing, limit=1000):
        ticket = one.ticket
        name = ticket.title.partition(",")[0]
        found.setdefault(one.site, []).append((name, ticket.count, ticket.recovered_ns))
    return {site: sorted(shown, key=str) for site, shown in found.items()}


def test_a_damaged_block_is_parked_and_its_neighbours_are_not(db: Database) -> None:
    agents = [db.write_now(settle_agent, f"web-{n}", f"site-{n}") for n in range(3)]
    for agent in agents:
        for seq in (1, 2):
            taken_in(db, agent, seq, cast_samples(0.95, start_ns=NOON + seq * SECOND, told=seq == 1))
    mine = (samples.blocks.c.agent_id == agents[1].id, samples.blocks.c.seq == 2)
    db.write_now(lambda tx: tx.execute(update(samples.blocks).where(*mine).values(block=b"rubbish")))
    steps(db)
    (left,) = db.read_now(evaluations.parked_listing)
    assert (left.agent_id, left.seq, left.error.partition(":")[0]) == (agents[1].id, 2, "BlockError")
    assert len(open_faults(db)) == 3


def test_a_block_that_is_very_large_is_read_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SMALL_BYTES", 8)
    waiting._blocks.cache_clear()
    try:
        agents = [db.write_now(settle_agent, f"web-{n}", f"site-{n}") for n in range(2)]
        for agent in agents:
            taken_in(db, agent, 1, cast_samples(0.5, 0.95))
        steps(db)
    finally:
        waiting._blocks.cache_clear()
    assert len(open_faults(db)) == 2


def test_numbers_that_an_agent_left_out_are_passed_in_one_stride(db: Database) -> None:
    agent = db.write_now(settle_agent)
    taken_in(db, agent, 1, cast_samples(0.5))
    taken_in(db, agent, 10**12, cast_samples(0.5, told=False), previous=1)
    taken_in(db, agent, 10**15, error_line(), previous=10**12)
    assert steps(db) <= 5
    assert len(open_faults(db)) == 1
    assert db.read_now(spools.pending, 10) == []


def test_a_site_that_writes_without_end_does_not_keep_another_waiting(db: Database) -> None:
    flood = [db.write_now(settle_agent, f"web-{n}", "flooding") for n in range(8)]
    for number, agent in enumerate(flood):
        for seq in range(1, 25):
            lines = (error_line(f"fault {number} {seq} {i}", offset=100 * seq + i) for i in range(20))
            taken_in(db, agent, seq, *lines)
    quiet = db.write_now(settle_agent, "app-1", "quiet")
    taken_in(db, quiet, 1, error_line("the only one"), at=NOON + SECOND)
    ticks, memory = itertools.count(), Memory()
    for _ in range(2):  # of which each has time for one group
        db.write_now(
            evaluation.step, BOOK, Policy(), now_ns=NOON + SECOND, memory=memory, clock=lambda: next(ticks) * 0.015
        )
    assert len(db.read_now(ticketing.listing, site="quiet")) == 1
    assert db.read_now(spools.pending, 100), "the flood is not through yet"
    assert steps(db, at=NOON + SECOND, memory=memory) > 0
    assert db.read_now(spools.pending, 100) == []
    assert sum(one.ticket.count for one in db.read_now(ticketing.listing, limit=10_000)) == 8 * 24 * 20 + 1


def test_what_an_agent_sends_after_its_block_was_looked_at_is_not_passed_over(db: Database) -> None:
    agent = db.write_now(settle_agent)
    taken_in(db, agent, 1, cast_samples(0.5))
    with db.engine.connect().execution_options(writes=True) as tx:
        tx.begin()
        (lane,) = waiting.lanes(tx, most=10, batches=32)
        intake.accept(tx, agent.id, batch=batch(2, error_line()), now_ns=NOON)
        assert [one.seq for held in waiting.blocks_of(tx, [lane], batches=32).values() for one in held] == [1]
        assert waiting.others_of(tx, [lane], batches=32) == {}
        assert waiting.move(tx, [lane])
        assert not waiting.move(tx, [lane]), "its cursor stands elsewhere by now"
        tx.commit()
    steps(db)
    assert len(open_faults(db)) == 1


def test_what_is_read_for_many_is_what_is_read_for_one(db: Database) -> None:
    agent = db.write_now(settle_agent)
    taken_in(db, agent, 1, cast_samples(0.5, math.nan, 0.7), error_line("a"), cast_samples(0.1, told=False))
    taken_in(db, agent, 2, error_line("b", offset=5))
    one_by_one = db.read_now(observations.of_batches, agent.id, batch(1).epoch, 1, 2)

    def together(tx: Connection) -> Sequence[Observation]:
        (lane,) = waiting.lanes(tx, most=10, batches=32)
        known = waiting.Schemas()
        held = waiting.blocks_of(tx, [lane], batches=32)[lane]
        known.need(tx, ((block.agent_id, block.schema_id) for block in held))
        found = [*waiting.others_of(tx, [lane], batches=32)[lane], *waiting.opened(tx, held, known)]
        return sorted(found, key=lambda one: one.key)

    both = db.read_now(together)
    assert [(one.key, one.place, repr(one.what)) for one in both] == [
        (one.key, one.place, repr(one.what)) for one in one_by_one
    ]


def test_after_an_outage_only_what_goes_on_calls_somebody(db: Database) -> None:
    over, on = db.write_now(settle_agent, "web-1", "over"), db.write_now(settle_agent, "web-1", "on")
    for seq, hour in enumerate(range(5), start=1):
        at = NOON + hour * 3600 * SECOND
        taken_in(db, over, seq, cast_samples(0.95 if hour < 3 else 0.5, start_ns=at, told=seq == 1), at=at)
        taken_in(db, on, seq, cast_samples(0.5 if hour < 3 else 0.95, start_ns=at, told=seq == 1), at=at)
    policy, now_ns = Policy(on_call=(Person(ADA, ("phone",)),)), NOON + 5 * 3600 * SECOND
    while db.write_now(evaluation.step, BOOK, policy, now_ns=now_ns):
        pass
    opened = {one.site: one.ticket for one in db.read_now(ticketing.listing)}
    assert (opened["over"].opened_ns, opened["over"].recovered_ns) == (NOON, NOON + 3 * 3600 * SECOND)
    assert (opened["on"].opened_ns, opened["on"].recovered_ns) == (NOON + 3 * 3600 * SECOND, None)
    (page,) = db.read_now(notices.listing)
    assert (page.kind, page.ticket_id, page.created_ns) == ("page", opened["on"].id, now_ns)


def test_a_batch_with_samples_past_a_level_is_tried_again_without_them(db: Database) -> None:
    agent = db.write_now(settle_agent)
    taken_in(db, agent, 1, cast_samples(0.95))
    where = {"site_id": "s", "agent_id": agent.id, "epoch": batch(1).epoch, "seq": 1, "rule": ""}
    db.write_now(evaluations.park, **where, error="x", now_ns=NOON)  # type: ignore[arg-type]
    (tried,) = db.write_now(parked.retry_all, BOOK, Policy(), now_ns=NOON)
    assert (tried.done, tried.said) == (True, "0 observations evaluated")
