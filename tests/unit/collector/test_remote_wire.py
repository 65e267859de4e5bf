"""What is laid out for remote write reads as the specification says, and under names that Prometheus allows."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator

import cramjam
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.observations import Series
from sitewarden_collector.channels import remote_wire
from sitewarden_collector.services import remote_names
from sitewarden_collector.store.remote_places import Place

PLACE = Place("acme", "acme-berlin", "web-1", "0193")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TIMES = st.integers(-(10**6), 2 * remote_wire.MS_END) | st.integers(1_700_000_000_000, 1_900_000_000_000)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, by the encoding's own description."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        key = varint()
        match key & 7:
            case 0:
                yield key >> 3, varint()
            case 1:
                at += 8
                yield key >> 3, message[at - 8 : at]
            case 2:
                length = varint()
                at += length
                assert at <= len(message)
                yield key >> 3, message[at - length : at]
            case other:
                raise AssertionError(other)


def _read(body: bytes) -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    """A request as (labels, [(milliseconds, number)])."""
    found = []
    for number, one in _fields(bytes(cramjam.snappy.decompress_raw(body))):
        assert (number, type(one)) == (1, bytes)
        labels, samples = {}, []
        assert isinstance(one, bytes)
        for kind, content in _fields(one):
            assert isinstance(content, bytes)
            parts = dict(_fields(content))
            if kind == 1:
                name, value = parts[1], parts.get(2, b"")
                assert isinstance(name, bytes)
                assert isinstance(value, bytes)
                labels[name.decode()] = value.decode()
            else:
                at_ms, raw = parts[2], parts[1]
                assert isinstance(at_ms, int)
                assert isinstance(raw, bytes)
                samples.append((at_ms, struct.unpack("<d", raw)[0]))
        found.append((labels, samples))
    return found


@given(st.data())
def test_every_number_is_read_at_its_time_under_its_labels(data: st.DataObject) -> None:
    ticks = data.draw(st.integers(1, 6))
    times = data.draw(st.lists(TIMES, min_size=ticks, max_size=ticks))
    numbers = st.floats() | st.just(math.nan)
    rows = data.draw(st.lists(st.lists(numbers, min_size=ticks, max_size=ticks), min_size=1, max_size=4))
    pairs = [(("__name__", "load1"), ("place", str(place) * 70)) for place in range(len(rows))]
    labelled = [remote_wire.labels(one) for one in pairs]
    part, count = remote_wire.series(labelled, np.array(times, np.int64), np.array(rows))
    expected = []
    for own, row in zip(pairs, rows, strict=True):
        kept = [(at, n) for at, n in zip(times, row, strict=True) if not math.isnan(n) and 0 <= at < remote_wire.MS_END]
        if kept:
            expected.append((dict(own), kept))
    assert _read(remote_wire.packed([part])) == expected
    assert count == sum(len(kept) for _, kept in expected)


@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.dictionaries(st.just("region"), TEXTS))
def test_names_are_such_as_prometheus_allows(name: str, own: list[tuple[str, str]], further: dict[str, str]) -> None:
    labels = remote_names.labels(Series(name, tuple(own), ""), PLACE, further)
    names = [key for key, _ in labels]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", key) for key in names)
    assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", dict(labels)["__name__"])
    assert all(value for _, value in labels)
    assert {"customer": "acme", "site": "acme-berlin", "host": "web-1", "agent": "0193"}.items() <= dict(labels).items()


def test_a_label_of_its_own_never_takes_the_place_of_ours() -> None:
    series = Series("disk.used", (("site", "x"), ("__secret", "y"), ("a-b", "1"), ("a.b", "2"), ("9", "z")), "")
    assert remote_names.own(series, {"9": ""}) == {
        "exported_site": "x",
        "exported_secret": "y",
        "a_b": "1",
        "a_b_": "2",
        "_9": "z",
    }
    assert remote_names.metric("disk.used ratio") == "disk_used_ratio"
    assert remote_names.metric("9lives") == "_9lives"
