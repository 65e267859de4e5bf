"""Batches of many agents taken in together: each as if it had come alone."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from sitewarden_alerting.observations import Inventory
from sitewarden_collector.errors import Refused
from sitewarden_collector.services import intake
from sitewarden_collector.services.intake import Accepted, Decoded, Sent
from sitewarden_collector.store import inventories, observations, samples, spools
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import Told
from tests import cast
from tests.cast import EPOCH, HOUR, NOON, SECOND, batch


def _all(db: Database, *sent: tuple[str, Decoded], told: Told | None = None) -> list[Accepted | Refused]:
    return db.write_now(intake.accept_all, [Sent(who, one, NOON) for who, one in sent], told or Told())


def _said(answers: list[Accepted | Refused]) -> list[str | int]:
    return [one.reason if isinstance(one, Refused) else one.through_seq for one in answers]


def _messages(tx: Connection, agent_id: str) -> list[str]:
    return [one.what.message for one in observations.of_batches(tx, agent_id, EPOCH, 0, 99)]  # type: ignore[union-attr]


def _count(tx: Connection, table: Table) -> int:
    return tx.execute(select(func.count()).select_from(table)).scalar_one()


def test_everybody_gets_an_answer_of_their_own(db: Database) -> None:
    one, two, three = (db.write_now(cast.settle_agent, name) for name in ("web-1", "web-2", "web-3"))
    _all(db, (two.id, batch(1, cast.error_line("stored before"))))
    answers = _all(
        db,
        (one.id, batch(1, cast.error_line("first"))),
        (two.id, batch(1, cast.error_line("stored before"))),
        (three.id, batch(7, cast.error_line("out of the blue"))),
        ("nobody", batch(1, cast.error_line())),
        (one.id, batch(2, cast.error_line("second"))),
        (two.id, batch(2, cast.samples(0.5, told=False))),
        (two.id, batch(3, cast.error_line("follows what was refused"))),
    )
    assert _said(answers) == [1, 1, "OUT_OF_ORDER", "UNKNOWN_AGENT", 2, "MALFORMED", 3]
    assert [isinstance(answer, Accepted) and answer.repeat for answer in answers[:2]] == [False, True]
    assert db.read_now(_messages, one.id) == ["first", "second"]
    assert db.read_now(_messages, two.id) == ["stored before", "follows what was refused"]
    assert [db.read_now(spools.last_seq, agent.id, EPOCH) for agent in (one, two, three)] == [2, 3, 0]


def test_a_refusal_that_was_lost_is_said_again(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    refused = (agent.id, batch(1, cast.samples(0.5, told=False)))
    assert _said(_all(db, refused)) == ["MALFORMED"]
    assert db.read_now(spools.last_seq, agent.id, EPOCH) == 0
    assert _said(_all(db, refused, (agent.id, batch(2, cast.error_line())))) == ["MALFORMED", 2]


def test_of_two_sessions_that_send_the_same_batch_together_one_is_stored(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    again = (agent.id, batch(1, cast.error_line("once")))
    assert _said(_all(db, again, again, again)) == [1, 1, 1]
    assert db.read_now(_messages, agent.id) == ["once"]


def test_series_that_one_batch_tells_are_known_to_the_next_of_the_same_group(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    told = Told()
    blocks = [cast.samples(0.5 + seq / 10, start_ns=NOON + seq * SECOND, told=seq == 1) for seq in (1, 2, 3)]
    first = [(agent.id, batch(seq, block)) for seq, block in enumerate(blocks, start=1)]
    assert _said(_all(db, *first, told=told)) == [1, 2, 3]
    late = cast.samples(0.1, start_ns=NOON - HOUR, told=False)
    assert _said(_all(db, (agent.id, batch(4, late)), told=told)) == [4]
    assert len(db.read_now(observations.of_batches, agent.id, EPOCH, 1, 4)) == 4
    (newest,) = db.read_now(samples.last, name="disk_used_ratio")
    assert newest.number == 0.8


def test_what_was_read_of_schemas_is_not_taken_for_another_agents(db: Database) -> None:
    one, two = db.write_now(cast.settle_agent), db.write_now(cast.settle_agent, "db-1")
    told = Told()
    _all(db, (one.id, batch(1, cast.samples(0.5))), told=told)
    assert _said(_all(db, (one.id, batch(2, cast.samples(0.5, told=False))), told=told)) == [2]
    assert _said(_all(db, (two.id, batch(1, cast.samples(0.5, told=False))), told=told)) == ["MALFORMED"]


def test_more_agents_than_one_statement_takes_are_all_stored(db: Database) -> None:
    agents = [db.write_now(cast.settle_agent, f"web-{number}") for number in range(90)]
    sent = [(agent.id, batch(1, cast.error_line(), cast.samples(0.5))) for agent in agents]
    assert _said(_all(db, *sent)) == [1] * 90
    for table in (observations.observations, samples.blocks, samples.last_values, spools.spools):
        assert db.read_now(_count, table) == 90


def test_inventories_in_a_group_are_kept_and_their_differences_noted(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    told = [Inventory("web-1", kernel=kernel) for kernel in ("6.1", "6.2")]
    assert _said(_all(db, *((agent.id, batch(seq, one)) for seq, one in enumerate(told, start=1)))) == [1, 2]
    assert [one.inventory.kernel for one in db.read_now(inventories.of_agent, agent.id)] == ["6.2", "6.1"]
    (noted,) = db.read_now(observations.of_batches, agent.id, spools.COLLECTOR_EPOCH, 1, 9)
    assert noted.what.after == "6.2"  # type: ignore[union-attr]
