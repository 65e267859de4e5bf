"""The wire, at both ends: what an agent sends to the collector, what headquarters sends to the agent, sample blocks."""

from __future__ import annotations

import math

from google.protobuf.message import DecodeError

from sitewarden_agent import model
from sitewarden_agent.errors import AgentError
from sitewarden_agent.link import trouble
from sitewarden_agent.link import wire as agent_wire
from sitewarden_agent.link.uplink import Pace
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import wire as collector_wire
from sitewarden_protos import blocks
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2
from tests.fuzz.run import Target, must

NOW_NS = 1_764_000_000 * 10**9
EPOCH = "0" * 32

_TIMES = tuple(NOW_NS + n * 10**10 for n in range(6))
_BLOCK = blocks.encode(_TIMES, [[0.5, 0.5, 0.6, math.nan, 0.7, 0.7], [1e9, 1e9, 1e9, 1e9, 2e9, 3e9]])
_SERIES = (
    model.Series("cpu_used_ratio"),
    model.Series("filesystem_avail_bytes", (("mount", "/"),), "bytes"),
)
_OBSERVATIONS = tuple(
    model.Observation(what, NOW_NS, "ab" * 16, 123_456_789)
    for what in (
        model.LogEvent(
            "app", "/var/log/app.log", "1:2:3", 77, model.RecordPart.WHOLE, 4, "orders", "no stock", "no <*>", "f1:00"
        ),
        model.SampleBlock(_SERIES, _BLOCK, 6),
        model.ProbeResult("web", "http", "http://localhost/health", ok=False, latency_us=12, detail="500"),
        model.Change("agent_started"),
        model.Change("config", "/etc/app.conf", "1a2b", "3c4d", "-a = 1\n+a = 2\n"),
        model.Inventory(
            "web1",
            cpus=4,
            disks=(model.Disk("/", "sda1", "ext4", 9),),
            cards=(model.NetworkCard("eth0", 1000),),
            components=(model.Component("app", "1.2"),),
        ),
        model.Outcome("01939f7e-0000-7000-8000-000000000001", model.OutcomeState.DONE),
        model.Gap(model.GapReason.SHED, "samples", 12),
    )
)
_SESSION = common_pb2.Session(
    session_id=b"s" * 16, boot_id=b"b" * 16, machine_fingerprint="ab" * 32, agent_version="0.1.0", hostname="web1",
    agent_time_unix_ns=NOW_NS,
)  # fmt: skip

BODY_SEEDS = (agent_wire.to_body(_OBSERVATIONS), agent_wire.to_body(_OBSERVATIONS[:1]), b"")
BATCH_SEEDS = (
    agent_wire.batch(1, 0, _OBSERVATIONS).SerializeToString(),
    agent_wire.batch(2, 1, _OBSERVATIONS * 40).SerializeToString(),
    intake_pb2.Batch(seq=3, previous_seq=2, compression=intake_pb2.COMPRESSION_ZSTD).SerializeToString(),
)
_PACING = common_pb2.Pacing(heartbeat_ms=15_000, max_batch_bytes=1 << 20, max_batch_observations=1000)
_ACTION = control_pb2.Action(
    action_id=b"a" * 16,
    expires_unix_ns=NOW_NS,
    notice=control_pb2.SiteNotice(subject="Patch 2.1", body="tonight", category="patch", reference="REL-21"),
)
_LEVEL = control_pb2.WatchLevel(series="cpu_used_ratio", above=0.9, has_above=True)
_REFUSAL = common_pb2.Refusal(reason=common_pb2.REASON_REVOKED, message="gone", retry=True, retry_after_ms=5)
CONTROL_SEEDS = tuple(
    message.SerializeToString()
    for message in (
        control_pb2.ControlResponse(action=_ACTION),
        control_pb2.ControlResponse(watch_levels=control_pb2.WatchLevels(levels=[_LEVEL])),
        control_pb2.ControlResponse(welcome=control_pb2.ControlWelcome(pacing=_PACING, endpoints=["a.example:7443"])),
        control_pb2.ControlResponse(closing=_REFUSAL),
    )
)


def decode_batch(data: bytes) -> str:
    """Any bytes are a batch, or are refused with a reason that the wire knows."""
    try:
        batch = intake_pb2.Batch.FromString(data)
    except DecodeError:
        return "no batch"
    return _decode(batch)


def decode_body(data: bytes) -> str:
    """The same with the outer message intact, so that the mutations reach the observations."""
    batch = intake_pb2.Batch(
        seq=2, previous_seq=1, compression=intake_pb2.COMPRESSION_NONE, body=data, body_bytes=len(data)
    )
    return _decode(batch)


def _decode(batch: intake_pb2.Batch) -> str:
    try:
        decoded = collector_wire.decode(
            batch, epoch=EPOCH, limits=Limits(), received_ns=NOW_NS, clock_offset_ns=-3_000_000_000
        )
    except Refused as error:
        must(f"REASON_{error.reason}" in set(common_pb2.Reason.keys()), error.reason)
        return error.reason
    assert decoded.seq > decoded.previous_seq
    for arrived in decoded.arrived:
        assert 0 <= arrived.wall_ns <= NOW_NS + 61 * 10**9, "a time beyond the tolerance"
    kinds = {type(arrived.what).__name__ for arrived in decoded.arrived}
    return " ".join(sorted(kinds)) or "empty"


def decode_hello(data: bytes) -> str:
    try:
        session = common_pb2.Session.FromString(data)
    except DecodeError:
        return "no session"
    try:
        collector_wire.hello(session)
    except Refused as error:
        return error.reason
    return "hello"


def hear_headquarters(data: bytes) -> str:
    """Nothing that headquarters says makes the link fall over."""
    try:
        response = control_pb2.ControlResponse.FromString(data)
    except DecodeError:
        return "no response"
    step = response.WhichOneof("step")
    match step:
        case "action":
            if len(response.action.action_id) == 16:
                agent_wire.site_notice(response.action, received_ns=NOW_NS)
        case "watch_levels":
            agent_wire.watch_levels(response.watch_levels)
        case "welcome":
            pace = Pace()
            pace.take(response.welcome.pacing)
            assert 0 < pace.heartbeat_s < 1e6
            assert pace.batch_max_bytes > 0
            assert pace.batch_max_observations > 0
        case "closing":
            assert trouble.refused(response.closing).retry_after_s >= 0
            assert isinstance(trouble.as_error(response.closing), AgentError)
        case _:
            pass
    return str(step)


def decode_block(data: bytes) -> str:
    """A block that decodes has the shape that was asked for, and survives being encoded again."""
    series = 2 if len(data) < 4 else int.from_bytes(data[2:4], "little")
    try:
        times_ns, columns = blocks.decode(data, series=series)
    except blocks.BlockError:
        return "refused"
    assert len(columns) == series
    assert all(len(column) == len(times_ns) for column in columns)
    again_ns, again = blocks.decode(blocks.encode(times_ns, columns), series=series)
    assert again_ns == times_ns
    assert [column.tobytes() for column in again] == [column.tobytes() for column in columns]
    return "decoded"


TARGETS = (
    Target("batch at the collector", BATCH_SEEDS, decode_batch),
    Target("observations there", BODY_SEEDS, decode_body),
    Target("hello there", (_SESSION.SerializeToString(),), decode_hello),
    Target("control at the agent", CONTROL_SEEDS, hear_headquarters),
    Target("sample block", (_BLOCK, blocks.encode((), []), blocks.encode((NOW_NS,), [[1.0]])), decode_block),
)
