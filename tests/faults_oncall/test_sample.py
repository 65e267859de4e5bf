"""No page lost, none after the acknowledgement, none twice to one person for one step: a seeded sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from sitewarden_collector.store import escalations, notices
from tests.cast import ADA, BOB, HOUR, MINUTE, SECOND
from tests.faults_oncall.run import trial
from tests.faults_oncall.storm import storm
from tests.faults_oncall.world import Arrival, World


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'collector.db'}"


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_every_page_arrives_and_none_too_often(url: str, seed: int) -> None:
    world = await trial(url, seed, events=14, peace_minutes=35)
    assert world.faults() == []
    world.db.close()


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(100, 101))
async def test_so_it_is_on_postgresql(postgres_url: str, seed: int) -> None:
    world = await trial(postgres_url, seed, events=14, peace_minutes=35)
    assert world.faults() == []
    world.db.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", range(1, 9))
async def test_a_kill_at_any_commit_between_the_fault_and_the_acknowledgement(
    url: str, commit: int, after: bool
) -> None:
    world = World(url, commit)
    world.die_at(commit, after=after)
    world.open_tickets()
    for _ in range(3):
        await world.run()
        world.now += 6 * MINUTE
    world.acknowledge(world.paged[0])
    await world.calm_down(minutes=30)
    assert world.faults() == []
    world.db.close()


async def test_a_clock_that_jumps_ahead_takes_one_step_and_not_all(url: str) -> None:
    world = World(url, 1)
    world.open_tickets()
    await world.run()
    world.now += 24 * HOUR
    await world.run()
    assert len(world.arrivals) == 2
    world.db.close()


async def test_a_clock_that_jumps_back_does_not_hold_the_next_step_back(url: str) -> None:
    world = World(url, 1)
    world.open_tickets()
    await world.run()
    world.now -= 24 * HOUR
    await world.run()
    assert len(world.arrivals) == 1
    world.now += 5 * MINUTE + SECOND
    await world.run()
    assert len(world.arrivals) == 2
    world.db.close()


async def test_a_dead_channel_is_passed_by_the_next_one_and_then_by_the_next_person(url: str) -> None:
    world = World(url, 1)
    world.dead["phone"] = "rejects"
    world.open_tickets()
    await world.run(3)
    [first] = world.arrivals
    assert first.channel == "mail"
    world.dead["mail"] = "rejects"
    world.open_tickets()
    await world.run(8)
    assert len(world.arrivals) == 1
    await world.calm_down()
    assert {arrival.person for arrival in world.arrivals} >= {ADA, BOB}
    assert world.faults() == []
    world.db.close()


async def test_a_storm_is_told_in_few_notices_and_names_every_ticket(url: str) -> None:
    world = World(url, 1)
    for _ in range(10):
        world.open_tickets(12)
        world.now += 6 * SECOND
        await world.run()
    world.now += 2 * MINUTE
    await world.run(2)
    assert world.faults() == []
    assert len(world.arrivals) <= 10
    world.db.close()


async def test_a_bad_release_at_many_sites_is_told_in_few_notices_although_the_collector_dies_in_it(url: str) -> None:
    world, _ = await storm(url, 1000)
    assert world.kills == 1
    assert world.faults() == []
    assert len(world.paged) == 1000
    assert len(world.arrivals) <= 12
    world.db.close()


async def test_acknowledging_all_of_a_bundle_cancels_it_before_it_goes_out(url: str) -> None:
    world = World(url, 1)
    world.open_tickets(5)
    await world.run()
    assert len(world.arrivals) == 3
    for ticket_id in world.paged:
        world.acknowledge(ticket_id)
    await world.calm_down(minutes=30)
    assert len(world.arrivals) == 3
    assert {one.state for one in world.db.read_now(notices.listing)} == {"sent", "cancelled"}
    world.db.close()


async def test_a_page_that_was_acknowledged_before_it_went_out_stays_here(url: str) -> None:
    world = World(url, 1)
    world.open_tickets()
    world.acknowledge(world.paged[0])
    await world.calm_down(minutes=15)
    assert world.arrivals == []
    assert world.faults() == []
    world.db.close()


async def test_the_judge_sees_what_is_lost_what_comes_twice_and_what_comes_too_late(url: str) -> None:
    world = World(url, 1)
    world.open_tickets()
    assert world.faults() == [f"lost: {world.paged[0]}"]
    await world.run()
    [arrival] = world.arrivals
    assert world.faults() == []
    world.acknowledged[world.paged[0]] = 0  # before it arrived
    assert "after the acknowledgement" in world.faults()[0]
    world.acknowledged.clear()
    [page] = world.db.read_now(escalations.pages_of, world.paged[0])
    doubled = world.db.write_now(
        notices.add,
        kind="page",
        person=arrival.person,
        channel="mail",
        subject="",
        body="",
        dedup_key="a fault",
        page_of=page.notice_id,
        now_ns=world.now,
    )
    world.arrivals.append(Arrival(9, arrival.person, "mail", doubled))
    assert "twice" in world.faults()[0]
    world.db.close()
