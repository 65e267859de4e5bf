"""A batch is stored exactly once, in order, with everything in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text

from sitewarden_alerting.observations import Outcome, Unknown
from sitewarden_collector.config import Retention
from sitewarden_collector.errors import DatabaseBusy, Refused
from sitewarden_collector.services import actions as asking
from sitewarden_collector.services import intake, retention
from sitewarden_collector.services.intake import Sent, Unreadable
from sitewarden_collector.store import actions, observations, samples, spools, tracks
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import Told
from tests import cast
from tests.cast import EPOCH, NOON, SECOND


def _rows(tx: Connection) -> int:
    return tx.execute(select(func.count()).select_from(observations.observations)).scalar_one()


def _accept(db: Database, agent_id: str, *batches: intake.Decoded) -> list[intake.Accepted]:
    return [db.write_now(intake.accept, agent_id, batch=one, now_ns=NOON) for one in batches]


def test_what_was_accepted_is_read_back_as_it_came(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    said = (cast.error_line(), cast.probe(ok=False), cast.change(), Unknown(99, b"\x00\xffnew"), cast.samples(0.5, 0.6))
    _accept(db, agent.id, cast.batch(1, *said))

    found = db.read_now(observations.of_batches, agent.id, EPOCH, 1, 1)

    assert [one.what for one in found[:4]] == list(said[:4])
    assert list(found[4].what.columns[0]) == [0.5, 0.6]  # type: ignore[union-attr]
    assert found[0].place.hostname == "web-1"
    assert found[2].key.seq == 1
    assert found[2].key.index == 2


def test_a_repeat_is_acknowledged_and_not_stored_again(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    first, again = _accept(db, agent.id, cast.batch(1, cast.error_line()), cast.batch(1, cast.error_line()))
    assert (first.repeat, again.repeat) == (False, True)
    assert again.through_seq == 1
    assert db.read_now(_rows) == 1


def test_a_batch_that_does_not_follow_the_last_one_is_refused_with_what_is_expected(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _accept(db, agent.id, cast.batch(1, cast.error_line()))
    with pytest.raises(Refused, match="follows 1") as refusal:
        _accept(db, agent.id, cast.batch(5, cast.error_line()))
    assert refusal.value.reason == "OUT_OF_ORDER"
    assert db.read_now(_rows) == 1


def test_a_new_spool_may_begin_only_at_its_beginning(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    with pytest.raises(Refused, match="follows 0"):
        _accept(db, agent.id, cast.batch(7, cast.error_line()))
    _accept(db, agent.id, cast.batch(7, cast.error_line(), previous_seq=0))
    assert db.read_now(spools.last_seq, agent.id, EPOCH) == 7


def _pass(db: Database, agent_id: str, seq: int, previous_seq: int) -> None:
    unreadable = Unreadable(EPOCH, seq, previous_seq, Refused("MALFORMED", "cannot be read"))
    (answer,) = db.write_now(intake.accept_all, [Sent(agent_id, unreadable, NOON)], Told())
    assert isinstance(answer, Refused)
    if answer is not unreadable.why:
        raise answer


def test_what_was_under_way_behind_a_batch_refused_for_good_can_follow_it(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _pass(db, agent.id, 1, 0)
    _pass(db, agent.id, 2, 1)
    assert db.read_now(spools.last_seq, agent.id, EPOCH) == 0
    _accept(db, agent.id, cast.batch(3, cast.error_line(), previous_seq=2))
    _accept(db, agent.id, cast.batch(4, cast.error_line()))
    assert db.read_now(spools.last_seq, agent.id, EPOCH) == 4


def test_a_batch_whose_refusal_was_lost_is_not_taken_for_stored(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _accept(db, agent.id, cast.batch(1, cast.error_line()))
    _pass(db, agent.id, 2, 1)
    assert db.read_now(spools.last_seq, agent.id, EPOCH) == 1
    _pass(db, agent.id, 2, 1)  # sent and refused again
    (taken,) = _accept(db, agent.id, cast.batch(3, cast.error_line(), previous_seq=1))
    assert not taken.repeat


def test_nothing_can_follow_a_refused_batch_that_what_came_later_has_overtaken(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _pass(db, agent.id, 1, 0)
    _accept(db, agent.id, cast.batch(2, cast.error_line(), previous_seq=1))
    with pytest.raises(Refused, match="follows 2"):
        _accept(db, agent.id, cast.batch(3, cast.error_line(), previous_seq=1))


async def test_of_many_that_send_the_same_batch_at_once_one_is_stored(db: Database) -> None:
    agent = await db.run(cast.settle_agent)
    sent = [db.run(intake.accept, agent.id, batch=cast.batch(1, cast.error_line()), now_ns=NOON) for _ in range(20)]
    answers = await asyncio.gather(*sent)
    assert sum(not answer.repeat for answer in answers) == 1
    assert await db.read(_rows) == 1


async def test_two_collectors_that_get_the_same_batch_store_it_once(db: Database, db_url: str) -> None:
    agent = await db.run(cast.settle_agent)
    other = Database(db_url)
    try:
        for seq in range(1, 20):
            one = cast.batch(seq, cast.error_line())
            here = db.run(intake.accept, agent.id, batch=one, now_ns=NOON)
            there = other.run(intake.accept, agent.id, batch=one, now_ns=NOON)
            assert sorted(a.repeat for a in await asyncio.gather(here, there)) == [False, True]
    finally:
        other.close()
    assert await db.read(_rows) == 19


def test_evaluation_has_a_cursor_of_its_own_that_moves_once(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _accept(db, agent.id, *(cast.batch(seq, cast.error_line()) for seq in (1, 2, 3)))
    (waiting,) = db.read_now(spools.pending, 10)
    assert (waiting.evaluated_seq, waiting.last_seq) == (0, 3)

    assert db.write_now(spools.mark_evaluated, agent.id, EPOCH, from_seq=0, to_seq=2)
    assert not db.write_now(spools.mark_evaluated, agent.id, EPOCH, from_seq=0, to_seq=3)

    (rest,) = db.read_now(spools.pending, 10)
    assert rest.evaluated_seq == 2
    assert db.read_now(spools.lag) == (1, NOON)


def test_a_block_whose_series_were_never_told_is_refused(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    with pytest.raises(Refused, match="never told"):
        _accept(db, agent.id, cast.batch(1, cast.samples(0.5, told=False)))
    _accept(db, agent.id, cast.batch(1, cast.samples(0.5)))
    _accept(db, agent.id, cast.batch(2, cast.samples(0.6, start_ns=NOON + SECOND, told=False)))


def test_a_series_is_read_as_one_track_across_its_blocks(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    later = NOON + 20 * SECOND
    blocks = (cast.samples(0.5, float("nan")), cast.samples(0.7, 0.8, start_ns=later, told=False))
    _accept(db, agent.id, *(cast.batch(seq, block) for seq, block in enumerate(blocks, start=1)))

    (track,) = db.read_now(tracks.series, agent.site_id, "disk_used_ratio", NOON)

    assert track.series == cast.DISK
    assert track.numbers == (0.5, 0.7, 0.8)
    assert track.times_ns == (NOON, later, later + 10 * SECOND)
    (newest,) = db.read_now(samples.last, name="disk_used_ratio")
    assert (newest.number, newest.at_ns) == (0.8, later + 10 * SECOND)


def test_an_old_block_sent_again_does_not_become_the_last_value(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    _accept(db, agent.id, cast.batch(1, cast.samples(0.9, start_ns=NOON)))
    _accept(db, agent.id, cast.batch(2, cast.samples(0.1, start_ns=NOON - cast.HOUR)))
    assert [one.number for one in db.read_now(samples.last, name="disk_used_ratio")] == [0.9]


def test_what_headquarters_notes_about_an_agent_waits_for_evaluation_like_the_rest(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    for after in ("machine-a", "machine-b"):
        db.write_now(intake.note, agent.id, cast.change("quarantined", after=after), now_ns=NOON)
    (waiting,) = db.read_now(spools.pending, 10)
    assert (waiting.epoch, waiting.last_seq) == (spools.COLLECTOR_EPOCH, 2)
    found = db.read_now(observations.of_batches, agent.id, waiting.epoch, 1, 2)
    assert [one.what.after for one in found] == ["machine-a", "machine-b"]  # type: ignore[union-attr]


def test_a_notice_to_a_site_waits_for_each_agent_until_its_outcome_comes(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    db.write_now(cast.settle_agent, "db-1")
    words = {"subject": "Patch 4.2", "body": "Please plan it.", "category": "patch", "reference": "REL-4.2"}
    sent = db.write_now(asking.send_notice, agent.site_id, **words, now_ns=NOON)
    assert len(sent) == 2
    (mine,) = db.read_now(actions.open_of, agent.id)

    wrong_agent = db.write_now(asking.apply_outcome, "someone else", Outcome(mine.id, "done", ""), now_ns=NOON)
    received = db.write_now(asking.apply_outcome, agent.id, Outcome(mine.id, "received", ""), now_ns=NOON)
    done = db.write_now(asking.apply_outcome, agent.id, Outcome(mine.id, "done", "shown"), now_ns=NOON)

    assert (wrong_agent, received, done) == (False, False, True)
    assert db.read_now(actions.open_of, agent.id) == []


def test_what_is_past_its_time_is_forgotten_in_bounded_steps(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    for seq in range(1, 6):
        _accept(db, agent.id, cast.batch(seq, cast.error_line(), cast.samples(0.5, start_ns=NOON + seq * cast.DAY)))
    policy, later = Retention(samples_days=30, observations_days=60), NOON + 33 * cast.DAY
    assert db.write_now(retention.step, policy, now_ns=later) == 2
    assert db.write_now(retention.step, policy, now_ns=later) == 0
    left = db.read_now(observations.of_batches, agent.id, EPOCH, 1, 9)
    assert len(left) == 5 + 3  # the errors, and the samples that are kept
    assert db.write_now(retention.step, policy, now_ns=NOON + 61 * cast.DAY) == 3 + 5
    assert db.read_now(_rows) == 0


def test_a_long_backlog_of_samples_is_read_in_one_go(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    for seq in range(1, 13):
        minutes = [cast.samples(0.5, start_ns=NOON + (seq * 100 + i) * cast.MINUTE) for i in range(100)]
        _accept(db, agent.id, cast.batch(seq, *minutes))
    assert len(db.read_now(observations.of_batches, agent.id, EPOCH, 1, 12)) == 1200


class _PowerCut(Exception):
    pass


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, 8))
def test_a_power_cut_at_any_commit_loses_nothing_and_doubles_nothing(db_url: str, nth: int, moment: str) -> None:
    commits = [0]

    def commit(tx: Connection) -> None:
        commits[0] += 1
        if commits[0] == nth and moment == "before":
            raise _PowerCut
        tx.commit()
        if commits[0] == nth:
            raise _PowerCut

    with closing(Database(db_url)) as first:
        tables().create_all(first.engine)
        agent = first.write_now(cast.settle_agent)
    for seq in range(1, 7):
        acknowledged = False
        while not acknowledged:  # as an agent does: the same batch again, on a new connection
            with closing(Database(db_url, commit=commit)) as db:
                one = cast.batch(seq, cast.error_line(f"line {seq}"))
                with contextlib.suppress(_PowerCut):
                    acknowledged = db.write_now(intake.accept, agent.id, batch=one, now_ns=NOON).through_seq >= seq
    with closing(Database(db_url)) as db:
        found = db.read_now(observations.of_batches, agent.id, EPOCH, 1, 9)
    assert [one.what.message for one in found] == [f"line {seq}" for seq in range(1, 7)]  # type: ignore[union-attr]


async def test_evaluation_that_takes_its_transaction_with_it_takes_no_batch_with_it(db: Database) -> None:
    agent = await db.run(cast.settle_agent)

    def broken(tx: Connection) -> None:
        tx.execute(text("SELECT * FROM no_such_table"))

    jobs: list[Awaitable[object]] = []
    for seq in range(1, 11):
        jobs.append(db.run(intake.accept, agent.id, batch=cast.batch(seq, cast.error_line()), now_ns=NOON))
        jobs.append(db.run_alone(broken))
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(one, intake.Accepted) for one in answers[::2])
    assert all(isinstance(one, Exception) for one in answers[1::2])


def test_a_full_disk_refuses_for_now_and_loses_nothing(tmp_path: Path) -> None:
    pages = [0]

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages[0]}")

    with closing(Database(f"sqlite:///{tmp_path / 'collector.db'}")) as db:
        tables().create_all(db.engine)
        agent = db.write_now(cast.settle_agent)
        pages[0] = db.read_now(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one()) + 20
        event.listen(db.engine, "connect", limit)
        db.engine.dispose()
        stored = 0

        def fill() -> None:
            nonlocal stored
            for seq in range(1, 1_000):
                _accept(db, agent.id, cast.batch(seq, cast.error_line("x" * 4_000)))
                stored = seq

        with pytest.raises(DatabaseBusy, match="free space"):
            fill()
        assert db.read_now(spools.last_seq, agent.id, EPOCH) == stored > 0
        pages[0] = 10_000
        db.engine.dispose()
        _accept(db, agent.id, cast.batch(stored + 1, cast.error_line("room again")))
