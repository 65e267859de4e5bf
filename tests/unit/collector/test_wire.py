"""What comes from outside becomes our words or a clear refusal, and never more than its bounds."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.observations import (
    Change,
    Component,
    Disk,
    Gap,
    Inventory,
    LogEvent,
    NetworkCard,
    Outcome,
    ProbeResult,
    Series,
    Unknown,
)
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import wire
from sitewarden_collector.services.intake import Decoded
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from sitewarden_protos.v1 import common_pb2, intake_pb2, observation_pb2
from tests.cast import EPOCH, HOUR, NOON, SECOND

LIMITS = Limits()


def _batch(body: bytes, **changes: Any) -> intake_pb2.Batch:
    made = intake_pb2.Batch(seq=1, compression=intake_pb2.COMPRESSION_NONE, body=body, body_bytes=len(body))
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def _list(*observations: observation_pb2.Observation) -> bytes:
    return intake_pb2.ObservationList(observations=observations).SerializeToString()


def _decode(body: bytes, *, limits: Limits = LIMITS, offset_ns: int = 0, **changes: Any) -> Decoded:
    batch = _batch(body, **changes)
    return wire.decode(batch, epoch=EPOCH, limits=limits, received_ns=NOON, clock_offset_ns=offset_ns)


def _one(**kind: Any) -> Any:
    (arrived,) = _decode(_list(observation_pb2.Observation(wall_unix_ns=NOON, **kind))).arrived
    return arrived.what


def _reason(body: bytes, **changes: Any) -> str:
    with pytest.raises(Refused) as refusal:
        _decode(body, **changes)
    return refusal.value.reason


def test_every_kind_arrives_as_it_was_sent() -> None:
    log = observation_pb2.LogEvent(
        source="shop",
        file="a.log",
        file_id="8:1",
        offset=42,
        part=observation_pb2.RECORD_PART_HEAD,
        severity=observation_pb2.SEVERITY_CRITICAL,
        component="c",
        message="m",
        template="t",
        fingerprint="f",
        count=3,
        logged_unix_ns=NOON,
        truncated=True,
    )
    assert _one(log=log) == LogEvent("shop", "a.log", "8:1", 42, "head", 5, "c", "m", "t", "f", 3, NOON, True)
    probe = observation_pb2.ProbeResult(probe="p", kind="tcp", ok=True, latency_us=7, detail="d", target="x:1")
    assert _one(probe=probe) == ProbeResult("p", "tcp", "x:1", True, 7, "d", None)
    probe.certificate_expires_unix_ns = NOON
    probe.level = "warning"
    assert (_one(probe=probe).certificate_expires_ns, _one(probe=probe).level) == (NOON, "warning")
    change = observation_pb2.Change(kind="reboot", subject="s", before="b", after="a")
    assert _one(change=change) == Change("reboot", "s", "b", "a")
    change.detail = "-a\n+b"
    assert _one(change=change).detail == "-a\n+b"
    inventory = observation_pb2.Inventory(hostname="h", cpus=4)
    inventory.disks.add(mountpoint="/", size_bytes=9)
    inventory.cards.add(name="eth0", speed_mbit=10)
    inventory.components.add(name="shop", version="1.2", source="file")
    assert _one(inventory=inventory) == Inventory(
        "h",
        cpus=4,
        disks=(Disk("/", size_bytes=9),),
        cards=(NetworkCard("eth0", 10),),
        components=(Component("shop", "1.2", "file"),),
    )
    action = uuid.uuid4()
    outcome = observation_pb2.Outcome(action_id=action.bytes, state=observation_pb2.OUTCOME_STATE_DONE, detail="shown")
    assert _one(outcome=outcome) == Outcome(str(action), "done", "shown")
    gap = observation_pb2.Gap(reason=observation_pb2.GAP_REASON_FILE_LOST, kind="log", count=-1, first_seq=2**64 - 1)
    assert _one(gap=gap) == Gap("file_lost", "log", -1, 0, 0, 2**64 - 1, 0, "")


def test_what_only_a_newer_agent_knows_is_kept_as_it_came() -> None:
    newer = b"\xaa\x06\x03new"  # field 101
    raw = observation_pb2.Observation(wall_unix_ns=NOON).SerializeToString() + newer
    body = b"\x0a" + bytes([len(raw)]) + raw
    (arrived,) = _decode(body).arrived
    assert isinstance(arrived.what, Unknown)
    assert arrived.what.field_number == 101
    assert newer in arrived.what.raw
    assert _one(gap={"reason": 99}).reason == "99"
    assert _one(log={"severity": 99, "part": 99}).severity == 5
    assert _one(log={}).severity == 2
    assert isinstance(_one(outcome={"action_id": bytes(16), "state": 99}), Unknown)


def test_the_wall_clock_is_corrected_and_never_ahead_of_the_receipt() -> None:
    reboot = observation_pb2.Change(kind="reboot")
    late = observation_pb2.Observation(wall_unix_ns=NOON - 3 * HOUR, change=reboot)
    ahead = observation_pb2.Observation(wall_unix_ns=NOON + 3 * HOUR, change=reboot)
    (arrived,) = _decode(_list(late), offset_ns=3 * HOUR).arrived
    assert arrived.wall_ns == NOON
    (arrived,) = _decode(_list(ahead)).arrived
    assert arrived.wall_ns == NOON + 60 * SECOND


def _samples(columns: list[list[float]], *, told: bool = True, start_ns: int = NOON) -> observation_pb2.SampleBlock:
    times = [start_ns + i * SECOND for i in range(len(columns[0]))]
    series = [observation_pb2.Series(name=f"s{i}", labels={"b": "2", "a": "1"}) for i in range(len(columns))]
    return observation_pb2.SampleBlock(
        schema_id="0123456789abcdef", series=series if told else [], block=blocks.encode(times, columns)
    )


def test_a_block_is_checked_and_its_times_are_corrected() -> None:
    sent = _samples([[1.0, 2.0, math.nan], [5.0, 5.0, 5.0]], start_ns=NOON - HOUR)
    body = _list(observation_pb2.Observation(wall_unix_ns=NOON - HOUR, samples=sent))
    block = _decode(body, offset_ns=HOUR).arrived[0].what
    assert isinstance(block, RawBlock)
    assert block.times_ns == (NOON, NOON + SECOND, NOON + 2 * SECOND)
    assert block.last == (2.0, 5.0)
    assert block.series[0] == Series("s0", (("a", "1"), ("b", "2")), "")
    ahead = _one(samples=_samples([[1.0, 2.0]], start_ns=NOON + HOUR))
    assert ahead.times_ns[-1] == NOON + 60 * SECOND


@pytest.mark.parametrize(
    "samples",
    [
        {"schema_id": "short", "block": blocks.encode([NOON], [[1.0]])},
        {"schema_id": "0123456789abcdef", "block": b"bad"},
        {"schema_id": "0123456789abcdef", "block": blocks.encode([], [])},
        {"schema_id": "0123456789abcdef", "block": blocks.encode([-5], [[1.0]])},
        {"schema_id": "0123456789abcdef", "block": blocks.encode([NOON], [[1.0]]), "series": [{}, {}]},
    ],
)
def test_a_block_that_cannot_be_read_is_refused(samples: dict[str, Any]) -> None:
    sent = observation_pb2.SampleBlock(**samples)
    assert _reason(_list(observation_pb2.Observation(wall_unix_ns=NOON, samples=sent))) == "MALFORMED"


def test_blocks_that_hold_too_many_numbers_are_refused() -> None:
    wide = observation_pb2.Observation(wall_unix_ns=NOON, samples=_samples([[0.0] * 4_000] * 130))
    assert _reason(_list(wide, wide)) == "TOO_LARGE"


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        ({"wall_unix_ns": -1, "change": {}}, "MALFORMED"),
        ({"wall_unix_ns": 2**63 - 1, "change": {}}, "MALFORMED"),
        ({"wall_unix_ns": NOON}, "MALFORMED"),
        ({"wall_unix_ns": NOON, "log": {"offset": -1}}, "MALFORMED"),
        ({"wall_unix_ns": NOON, "log": {"message": "x" * 70_000}}, "TOO_LARGE"),
        ({"wall_unix_ns": NOON, "log": {"fingerprint": "x" * 129}}, "TOO_LARGE"),
        ({"wall_unix_ns": NOON, "outcome": {"action_id": b"short", "state": 2}}, "MALFORMED"),
        ({"wall_unix_ns": NOON, "log": {"message": "x" * 1_100_000}}, "TOO_LARGE"),
    ],
)
def test_every_bound_is_checked(observation: dict[str, Any], reason: str) -> None:
    assert _reason(_list(observation_pb2.Observation(**observation))) == reason


def test_a_nul_is_replaced_because_not_every_database_stores_it() -> None:
    assert _one(log={"message": "a\0b"}).message == "a\ufffdb"


def test_a_small_message_cannot_become_a_large_one() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000))
    assert len(bomb) < 20_000
    packed = {"compression": intake_pb2.COMPRESSION_ZSTD}
    assert _reason(bomb, **packed, body_bytes=200_000_000) == "TOO_LARGE"
    assert _reason(bomb, **packed, body_bytes=8_000_000) == "MALFORMED"
    assert _reason(b"\x0a\x00" * 1_000_000) == "TOO_LARGE"
    assert _reason(b"\x0a\x00" * 3, limits=Limits(max_batch_observations=2)) == "TOO_LARGE"


@pytest.mark.parametrize("key", [{"seq": 0}, {"seq": 2**63}, {"seq": 5, "previous_seq": 5}])
def test_a_batch_without_a_proper_number_is_refused(key: dict[str, int]) -> None:
    assert _reason(b"", **key) == "MALFORMED"


def test_a_batch_may_be_empty() -> None:
    assert _decode(b"").arrived == ()


def test_a_hello_is_bounded_too() -> None:
    session = common_pb2.Session(session_id=bytes(16), hostname="web-1", agent_time_unix_ns=NOON)
    assert wire.hello(session).hostname == "web-1"
    for changes in ({"session_id": b""}, {"hostname": "x" * 256}, {"agent_time_unix_ns": -1}):
        bad = common_pb2.Session()
        bad.CopyFrom(session)
        for field, value in changes.items():
            setattr(bad, field, value)
        with pytest.raises(Refused):
            wire.hello(bad)


def _verdict(body: bytes, **changes: Any) -> bool:
    """Whether the bytes are decoded, or refused for good."""
    try:
        _decode(body, **changes)
    except Refused as refusal:
        return refusal.reason in ("MALFORMED", "TOO_LARGE")
    return True


@given(body=st.binary(max_size=400), compression=st.sampled_from([1, 2]), stated=st.integers(0, 500) | st.none())
def test_any_bytes_are_decoded_or_refused(body: bytes, compression: int, stated: int | None) -> None:
    assert _verdict(body, compression=compression, body_bytes=len(body) if stated is None else stated)


@given(cut=st.integers(0, 10_000), flip=st.integers(0, 255))
def test_a_damaged_batch_is_decoded_or_refused(cut: int, flip: int) -> None:
    good = bytearray(
        _list(
            observation_pb2.Observation(wall_unix_ns=NOON, samples=_samples([[1.0, 2.0]])),
            observation_pb2.Observation(wall_unix_ns=NOON, log=observation_pb2.LogEvent(message="disk full")),
        )
    )
    good[cut % len(good)] ^= flip
    assert _verdict(bytes(good))
