"""Charts: thinned to what a screen shows, without losing a peak."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.observations import Series
from sitewarden_collector.services import charts
from sitewarden_collector.services.charts import thinned
from sitewarden_collector.store import samples
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import EPOCH, HOUR, MINUTE, NOON, SECOND, settle_agent

CPU = Series("cpu_used_ratio", (), "ratio")
ROOT = Series("filesystem_used_ratio", (("mountpoint", "/"),), "ratio")


def test_what_probes_measure_is_drawn_line_by_line(db: Database) -> None:
    agent = db.write_now(settle_agent, "web-1")
    expected = (
        ("check_seconds", (("label", "time"), ("probe", "web")), "web time", "s"),
        ("certificates", (("probe", "front-page"),), "front-page", "d"),
        ("own:orders_total", (("probe", "product"), ("region", "eu"), ("shop", "berlin")), "eu berlin", ""),
        ("own:queue_bytes", (("probe", "product"),), "product", "B"),
        ("own:wait_seconds_total", (("probe", "product"),), "product", "s"),
    )
    kinds = [charts.kind_of(what) for what, *_ in expected]
    series = tuple(
        Series(kind.all_series()[0], labels, "")
        for kind, (_, labels, *_) in zip(kinds, expected, strict=True)
        if kind is not None
    )
    times = (NOON, NOON + 10 * SECOND)
    columns = tuple([float(place), place + 1.0] for place in range(len(series)))
    last = tuple(column[-1] for column in columns)
    block = RawBlock("s1", series, blocks.encode(times, columns), early=False, times_ns=times, shift_ns=0, last=last)
    db.write_now(samples.add, agent, epoch=EPOCH, seq=1, blocks=[(0, block)], received_ns=times[-1])
    asked = [what for what, *_ in expected]
    found = db.read_now(charts.charts, agent.site_id, asked, since_ns=NOON, until_ns=NOON + HOUR)
    for place, (what, _, name, unit) in enumerate(expected):
        (line,) = found[what].lines
        values = [value for _, value in line.points]
        assert (line.name, found[what].unit, values) == (name, unit, [place, place + 1])


def test_a_chart_of_nothing_that_is_known_is_none() -> None:
    assert charts.kind_of("no such chart") is None


@given(st.lists(st.tuples(st.integers(1, 10**12), st.floats(-1e6, 1e6)), min_size=1, max_size=300))
def test_thinning_keeps_order_bounds_and_extremes(steps: list[tuple[int, float]]) -> None:
    times, at = [], NOON
    for step, _ in steps:
        at += step
        times.append(at)
    numbers = [number for _, number in steps]
    kept = thinned(np.array(times), np.array(numbers), points=40)
    assert len(kept) <= max(40, 2)
    assert [point[0] for point in kept] == sorted(point[0] for point in kept)
    assert max(point[1] for point in kept) == max(numbers)
    assert min(point[1] for point in kept) == min(numbers)
    assert {point[1] for point in kept} <= set(numbers)


def test_few_samples_stay_as_they_are() -> None:
    assert thinned(np.array([NOON, NOON + SECOND]), np.array([1.0, 2.0])) == (
        (NOON // 10**6, 1.0),
        (NOON // 10**6 + 1000, 2.0),
    )


def test_a_day_of_two_hosts_is_shown_with_its_spike(db: Database) -> None:
    web, data = db.write_now(settle_agent, "web-1"), db.write_now(settle_agent, "db-1")
    for agent in (web, data):
        for minute in range(0, 24 * 60, 10):
            times = tuple(NOON + minute * MINUTE + tick * 10 * SECOND for tick in range(6))
            cpu = [1.0 if agent is web and minute == 600 and tick == 3 else 0.25 for tick in range(6)]
            columns = (cpu, [0.5] * 6)
            block = RawBlock(
                "s1",
                (CPU, ROOT),
                blocks.encode(times, columns),
                early=False,
                times_ns=times,
                shift_ns=0,
                last=(0.2, 0.5),
            )
            db.write_now(samples.add, agent, epoch=EPOCH, seq=minute, blocks=[(0, block)], received_ns=times[-1])
    found = db.read_now(charts.charts, web.site_id, ("cpu", "disk", "load"), since_ns=NOON, until_ns=NOON + 24 * HOUR)
    assert [line.name for line in found["cpu"].lines] == ["db-1", "web-1"]
    assert max(value for _, value in found["cpu"].lines[1].points) == 1.0
    assert all(len(line.points) <= charts.POINTS_MAX for line in found["cpu"].lines)
    assert [line.name for line in found["disk"].lines] == ["db-1 /", "web-1 /"]
    assert found["load"].lines == ()
    one = db.read_now(charts.charts, web.site_id, ("disk",), since_ns=NOON, until_ns=NOON + HOUR, agent_ids={web.id})
    assert [line.name for line in one["disk"].lines] == ["/"]
