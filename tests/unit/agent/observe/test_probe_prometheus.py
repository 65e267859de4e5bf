"""The product's own metrics: a real exporter in both formats, and what one that misbehaves cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import PrometheusProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe import exposition
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.probe_prometheus import KEEPS_PLACE_NS, Scrape
from sitewarden_agent.observe.probes import look

CLOCK = SystemClock()
AWKWARD = 'a "quoted" {brace}, back\\slash\nand = line'


@pytest.fixture
def product() -> Iterator[tuple[CollectorRegistry, int]]:
    """A product with metrics, and the port where it tells them."""
    registry = CollectorRegistry()
    orders = Counter("orders", "Orders taken", ["shop"], registry=registry)
    orders.labels("berlin").inc(3)
    orders.labels(AWKWARD).inc(4)
    Gauge("queue_length", "Waiting", registry=registry).set(17)
    Gauge("queue_bytes", "Waiting", registry=registry).set(2.5e6)
    Gauge("secret_sauce", "Not to be told", registry=registry).set(1)
    Gauge("broken_ratio", "Not a number", registry=registry).set(float("nan"))
    Histogram("latency_seconds", "Latency", buckets=(0.1, 1), registry=registry).observe(0.5)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    assert isinstance(server, WSGIServer)
    yield registry, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def probe(port: int = 1, **more: Any) -> PrometheusProbe:
    known = {"name": "product", "url": f"http://127.0.0.1:{port}/metrics", "series": ("*",), **more}
    return PrometheusProbe(**known)


async def scrape(port: int, **more: Any) -> Look:
    return await look(probe(port, **more), CLOCK)


async def test_only_the_series_that_are_named_are_taken(product: tuple[CollectorRegistry, int]) -> None:
    seen = await scrape(product[1], series=("orders_total", "queue_*", "broken_ratio", "latency_seconds_sum"))
    assert (seen.ok, seen.detail) == (True, "5 series")
    own = ("probe", "product")
    assert dict(seen.values) == {
        Series("orders_total", (own, ("shop", "berlin"))): 3,
        Series("orders_total", (own, ("shop", AWKWARD))): 4,
        Series("queue_length", (own,)): 17,
        Series("queue_bytes", (own,), "bytes"): 2.5e6,
        Series("latency_seconds_sum", (own,), "seconds"): 0.5,
    }


async def test_both_formats_say_what_the_library_reads(product: tuple[CollectorRegistry, int]) -> None:
    registry, port = product
    theirs = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if sample.value == sample.value
    }
    ours = {
        exposition.series(written): value
        for written, value in exposition.samples(generate_latest(registry), exposition.wanted(["*"]))
    }
    assert ours == theirs
    seen = await scrape(port)  # over HTTP it is OpenMetrics
    told = {
        (series.name, tuple(pair for pair in series.labels if pair[0] != "probe")): value
        for series, value in seen.values.items()
    }
    assert told == theirs


async def test_labels_to_leave_out_add_their_series_up(product: tuple[CollectorRegistry, int]) -> None:
    seen = await scrape(product[1], series=("orders_total",), drop_labels=("shop",))
    assert dict(seen.values) == {Series("orders_total", (("probe", "product"),)): 7}


async def test_values_of_labels_are_redacted(product: tuple[CollectorRegistry, int]) -> None:
    see = Scrape(probe(product[1], series=("orders_total",)), CLOCK, lambda text: text.replace("berlin", "<x>"))
    shops = {dict(series.labels)["shop"] for series in (await see()).values}
    assert shops == {"<x>", AWKWARD}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"series": ("nothing_of_that",)}, "none of the series is in the answer"),
        ({"max_bytes": 1_024, "series": ("*",)}, "the answer is longer than 1024 bytes; raise max_bytes"),
    ],
)
async def test_an_answer_that_is_no_good_says_what_to_do(
    product: tuple[CollectorRegistry, int], how: dict[str, Any], said: str
) -> None:
    registry, port = product
    for number in range(40):
        Gauge(f"more_{number}", "More", registry=registry)
    seen = await scrape(port, **how)
    assert not seen.ok
    assert said in seen.detail
    assert seen.values == {}


def test_labels_that_are_always_new_make_no_more_series_than_allowed() -> None:
    see = Scrape(probe(series_max=10), CLOCK)
    everything: set[Series] = set()
    for look_number in range(50):
        lines = (f'hits{{path="/{look_number}/{number}"}} 1\n' for number in range(20))
        values, refused = see.take("".join(lines).encode(), look_number * 1_000_000_000)
        everything |= set(values)
        assert (len(values), refused) == (10 if look_number == 0 else 0, 10 if look_number == 0 else 20)
    assert len(everything) == 10
    values, _ = see.take(b'hits{path="/new"} 1\n', KEEPS_PLACE_NS + 60_000_000_000)
    assert len(values) == 1


def test_a_label_called_probe_does_not_hide_which_probe_it_was() -> None:
    (series,) = Scrape(probe(), CLOCK).take(b'up{probe="theirs"} 1\n', 0)[0]
    assert series.labels == (("exported_probe", "theirs"), ("probe", "product"))


def test_long_labels_are_cut_and_many_left_out() -> None:
    many = ",".join(f'l{number:02}="{"x" * 5_000}"' for number in range(50))
    (series,) = Scrape(probe(), CLOCK).take(f"up{{{many}}} 1\n".encode(), 0)[0]
    assert len(series.labels) == exposition.LABELS_MAX + 1
    assert max(len(value) for _, value in series.labels) == exposition.LABEL_MAX


@settings(max_examples=40)
@given(
    st.binary(max_size=300)
    | st.from_regex(rb'up(\{([a-z]+="[^"]*",?)*\})? [0-9.eE+NaInf-]+ ?[0-9]*\n?', fullmatch=True)
)
def test_whatever_comes_gives_finite_numbers_of_bounded_names(text: bytes) -> None:
    values, refused = Scrape(probe(series_max=5), CLOCK).take(text, 0)
    assert len(values) <= 5
    assert refused >= 0
    for series, value in values.items():
        assert abs(value) < float("inf")
        assert ("probe", "product") in series.labels
