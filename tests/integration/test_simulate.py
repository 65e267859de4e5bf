"""`sitewarden simulate`: each scenario against a real collector, small, with everything that had to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from sitewarden_collector import pki
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Invalid
from sitewarden_collector.simulate import crowd, scenario, verdict
from sitewarden_collector.simulate.crowd import Road
from sitewarden_collector.simulate.scenario import Kind, Scenario
from tests.integration.host import configured, headquarters

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("simulate")]

SMALL = {
    "agents": 20,
    "sites": 4,
    "seconds": 2.5,
    "batch_every_s": 0.6,
    "heartbeat_s": 1.0,
    "connect_within_s": 0.5,
}


@pytest.mark.parametrize("kind", Kind)
async def test_every_scenario_holds(kind: Kind, tmp_path: Path) -> None:
    plan = Scenario(kind=kind, **SMALL)  # type: ignore[arg-type]
    async with headquarters(configured(tmp_path, limits=Limits(drain_window_s=0.2))) as collector:
        road = Road(
            f"localhost:{collector.streams_port}",
            f"localhost:{collector.enrolment_port}",
            pki.pem(collector.front.authority.root),
        )
        said: list[str] = []
        course = await crowd.simulate(plan, collector.db, collector.front.authority, road, say=said.append)
        found = await collector.db.read(verdict.judge, plan, course)
    assert [one for one in found.held if not one.ok] == []
    assert found.figures["batches"] > 0
    assert said


def test_the_same_seed_gives_the_same_course() -> None:
    plan = Scenario(kind=Kind.CLOCK_SKEW, agents=50, sites=5)
    assert scenario.parts(plan) == scenario.parts(plan)
    assert scenario.parts(plan) != scenario.parts(Scenario(kind=Kind.CLOCK_SKEW, agents=50, sites=5, seed=2))


def test_some_are_odd_where_a_scenario_speaks_of_some() -> None:
    parts = scenario.parts(Scenario(kind=Kind.CLOCK_SKEW, agents=40, sites=4))
    assert sorted({part.clock_off_s for part in parts}) == [0.0, 600.0, 864_000.0]
    assert [part.number for part in parts if not part.welcome] == [10, 30]


@pytest.mark.parametrize("wrong", [{"agents": 0}, {"sites": 101}, {"seconds": 0}, {"series": 5_000}])
def test_a_course_that_cannot_be_is_refused_with_the_bounds(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        Scenario(**wrong)  # type: ignore[arg-type]
