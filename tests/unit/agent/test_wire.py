"""What the agent's model can hold, the wire carries unchanged; a body stands for itself."""

from __future__ import annotations

import contextlib
import hashlib
import uuid

import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.link import wire
from sitewarden_agent.model import (
    Change,
    Component,
    Disk,
    Gap,
    GapReason,
    Inventory,
    LogEvent,
    NetworkCard,
    Observation,
    Outcome,
    OutcomeState,
    ProbeResult,
    RecordPart,
    SampleBlock,
    Series,
)
from sitewarden_agent.spool import WatchLevel
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
int64 = st.integers(-(2**63), 2**63 - 1)
labels = st.dictionaries(text, text, max_size=3).map(lambda found: tuple(sorted(found.items())))
series = st.lists(st.builds(Series, text, labels, text), max_size=4).map(tuple)
seq = st.integers(0, 2**64 - 1)

whats = st.one_of(
    st.builds(
        LogEvent,
        text,
        text,
        text,
        int64,
        st.sampled_from(RecordPart),
        st.integers(0, 5),
        text,
        text,
        text,
        text,
        int64,
        int64,
        st.booleans(),
    ),
    st.builds(SampleBlock, series, st.binary(max_size=60), st.integers(0, 2**32 - 1), st.booleans()),
    st.builds(ProbeResult, text, text, text, st.booleans(), int64, text, st.none() | int64, text),
    st.builds(Change, text, text, text, text, text),
    st.builds(
        Inventory,
        text,
        text,
        cpus=st.integers(0, 2**32 - 1),
        memory_bytes=int64,
        time_zone=text,
        disks=st.lists(st.builds(Disk, text, text, text, int64), max_size=2).map(tuple),
        cards=st.lists(st.builds(NetworkCard, text, int64, st.lists(text, max_size=2).map(tuple)), max_size=2).map(
            tuple
        ),
        components=st.lists(st.builds(Component, text, text, text, text), max_size=2).map(tuple),
    ),
    st.builds(Outcome, st.uuids().map(str), st.sampled_from(OutcomeState), text),
    st.builds(Gap, st.sampled_from(GapReason), text, int64, int64, int64, seq, seq, text),
)
observations = st.builds(Observation, whats, int64, st.binary(min_size=16, max_size=16).map(bytes.hex), int64)


@given(st.lists(observations, max_size=8))
def test_observations_come_back_as_they_went(sent: list[Observation]) -> None:
    assert wire.from_body(wire.to_body(sent)) == tuple(sent)


@given(st.lists(observations, max_size=8), st.integers(1, 2**63), st.integers(0, 2**63))
def test_a_batch_says_its_number_and_the_size_of_its_body(sent: list[Observation], seq: int, previous: int) -> None:
    batch = wire.batch(seq, previous, sent)
    body = batch.body
    if batch.compression == intake_pb2.COMPRESSION_ZSTD:
        body = zstandard.ZstdDecompressor().decompress(body, max_output_size=batch.body_bytes)
    assert (batch.seq, batch.previous_seq, batch.body_bytes) == (seq, previous, len(body))
    assert wire.from_body(body) == tuple(sent)


def seen(what: LogEvent | SampleBlock) -> Observation:
    return Observation(what, 1, "b" * 32, 2)


def test_the_series_travel_once_in_each_body() -> None:
    known = (Series("load1"), Series("disk_free_bytes", (("mount", "/"),), "bytes"))
    blocks = [SampleBlock(known, bytes([number]), 6) for number in range(3)]
    body = wire.to_body([seen(block) for block in blocks])
    sent = intake_pb2.ObservationList.FromString(body).observations
    assert [len(each.samples.series) for each in sent] == [2, 0, 0]
    assert {each.samples.schema_id for each in sent} == {wire.schema_id(known)}
    again = intake_pb2.ObservationList.FromString(wire.to_body([seen(blocks[1])])).observations
    assert len(again[0].samples.series) == 2  # another batch stands for itself
    stored = {wire.schema_id(known)}
    short = intake_pb2.ObservationList.FromString(wire.to_body([seen(blocks[1])], told=stored)).observations
    assert len(short[0].samples.series) == 0  # unless they are known to be stored


def test_the_schema_does_not_depend_on_the_order_of_labels() -> None:
    one = Series("x", (("a", "1"), ("b", "2")))
    other = Series("x", (("b", "2"), ("a", "1")))
    assert wire.schema_id([one]) == wire.schema_id([other]) != wire.schema_id([Series("x")])
    assert wire.schema_id([Series("x")]) == hashlib.sha256(b'[["x",[],""]]').hexdigest()[:16]


def test_what_the_wire_cannot_carry_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="wire"):
        wire.to_body([Observation(Outcome(uuid.UUID(int=1).hex, OutcomeState.DONE), 1, "b" * 32, "soon")])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="8388608"):
        wire.batch(1, 0, [seen(SampleBlock((), b"x" * (9 * 1024 * 1024), 1))])


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(DecodeError, KeyError, ValueError):
        wire.from_body(body)


def test_watch_levels_keep_zero_and_none_apart() -> None:
    levels = control_pb2.WatchLevels(
        levels=[
            control_pb2.WatchLevel(series="a", above=0.0, has_above=True),
            control_pb2.WatchLevel(series="b", below=1.5, has_below=True),
        ]
    )
    assert wire.watch_levels(levels) == (WatchLevel("a", above=0.0), WatchLevel("b", below=1.5))


def test_a_reason_of_a_newer_headquarters_has_a_name_too() -> None:
    assert wire.reason_name(common_pb2.REASON_REVOKED) == "REVOKED"
    assert wire.reason_name(9_999) == "REASON_9999"
