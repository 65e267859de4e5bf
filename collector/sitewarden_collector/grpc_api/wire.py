"""From the wire to the words of `alerting.observations`, with every bound checked. Pure.

What cannot be decoded is refused with a reason that the wire knows: MALFORMED or TOO_LARGE. A kind of observation that
this program does not know is kept as its bytes came. A compressed body is unpacked no further than its stated size, and
its observations are counted before a single one is made, so that a small message cannot become a large one.
"""

from __future__ import annotations

import re
import threading
from typing import Literal

import zstandard
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

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
    Unknown,
    What,
)
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.bounds import KEY_MAX, NAME_MAX, TIME_MAX, VALUES_MAX, bounded, corrected
from sitewarden_collector.grpc_api.wire_samples import samples
from sitewarden_collector.services.intake import Decoded
from sitewarden_collector.services.sessions import Hello
from sitewarden_collector.store.observations import Arrived
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos.v1 import common_pb2, intake_pb2, observation_pb2

OBSERVATION_MAX_BYTES = 1024 * 1024
CAPABILITIES_MAX = 64
TEXT_MAX = 65_536  # messages and templates; the agent cuts them earlier
LISTED_MAX = 1_000  # of an inventory: disks, cards, components
INT64_MAX = 2**63 - 1
WINDOW_MAX_BYTES = 8 * 1024 * 1024
_OF_THREAD = threading.local()
_FIRST_TAG = 0x0A  # ObservationList.observations, length-delimited

_PARTS: dict[int, Literal["whole", "head", "full"]] = {1: "whole", 2: "head", 3: "full"}
_OUTCOMES: dict[int, Literal["received", "done", "failed", "expired", "refused", "applying"]] = {
    1: "received",
    2: "done",
    3: "failed",
    4: "expired",
    5: "refused",
    6: "applying",
}
_CAPABILITY = re.compile(r"[a-z0-9_]{1,32}")


def hello(session: common_pb2.Session) -> Hello:
    """Who says hello; raises Refused (MALFORMED)."""
    return Hello(
        session_id=_id(session.session_id, "session_id"),
        machine_fingerprint=bounded(session.machine_fingerprint, "machine_fingerprint", KEY_MAX),
        version=bounded(session.agent_version, "agent_version", 64),
        hostname=bounded(session.hostname, "hostname", 255),
        agent_time_ns=_time(session.agent_time_unix_ns, "agent_time_unix_ns"),
        capabilities=tuple(sorted(word for word in session.capabilities if _CAPABILITY.fullmatch(word)))[
            :CAPABILITIES_MAX
        ],
    )


def epoch(message: intake_pb2.UploadHello) -> str:
    """The spool's epoch in hex; raises Refused (MALFORMED)."""
    return _id(message.epoch, "epoch")


def key_of(batch: intake_pb2.Batch) -> tuple[int, int]:
    """The sequence of a batch and of the one it follows; raises Refused (MALFORMED)."""
    if not 0 < batch.seq <= INT64_MAX or batch.previous_seq >= batch.seq:
        raise Refused("MALFORMED", f"batch {batch.seq} cannot follow batch {batch.previous_seq}")
    return batch.seq, batch.previous_seq


def decode(batch: intake_pb2.Batch, *, epoch: str, limits: Limits, received_ns: int, clock_offset_ns: int) -> Decoded:
    """The observations of a batch; raises Refused (MALFORMED, TOO_LARGE)."""
    seq, previous_seq = key_of(batch)
    body = _unpack(batch, limits)
    count = _count(body, limits)
    try:
        observations = intake_pb2.ObservationList.FromString(body).observations
    except DecodeError as error:
        raise Refused("MALFORMED", f"the body of batch {seq} is not a list of observations ({error})") from error
    if len(observations) != count:
        raise Refused("MALFORMED", f"the body of batch {seq} holds something else than observations")
    latest_ns = received_ns + int(limits.future_tolerance_s * 1_000_000_000)
    values = 0
    arrived = []
    for index, one in enumerate(observations):
        wall_ns = corrected(_time(one.wall_unix_ns, "wall_unix_ns"), clock_offset_ns, latest_ns)
        what = _what(one, clock_offset_ns=clock_offset_ns, latest_ns=latest_ns)
        if isinstance(what, RawBlock):
            values += len(what.last) * len(what.times_ns)
            if values > VALUES_MAX:
                raise Refused("TOO_LARGE", f"batch {seq} holds more than {VALUES_MAX} numbers; split it")
        arrived.append(Arrived(index, wall_ns, what))
    return Decoded(epoch, seq, previous_seq, tuple(arrived))


def _unpack(batch: intake_pb2.Batch, limits: Limits) -> bytes:
    stated = batch.body_bytes
    if stated > limits.max_body_bytes:
        raise Refused(
            "TOO_LARGE", f"the body has {stated} bytes unpacked, {limits.max_body_bytes} are allowed; split it"
        )
    match batch.compression:
        case intake_pb2.COMPRESSION_NONE:
            body = batch.body
        case intake_pb2.COMPRESSION_ZSTD:
            try:
                # The reader unpacks as much as is asked for, whatever the frame states of itself.
                with _unpacker().stream_reader(batch.body) as reader:
                    body = reader.read(stated + 1)
            except zstandard.ZstdError as error:
                raise Refused("MALFORMED", f"the body cannot be unpacked ({error})") from error
        case other:
            raise Refused("MALFORMED", f"compression {other} is not known here")
    if len(body) != stated:
        raise Refused("MALFORMED", f"the body does not have the {stated} bytes that the batch states")
    return body


def _unpacker() -> zstandard.ZstdDecompressor:
    """This thread's: one serves one thread at a time, and making one costs more than most bodies."""
    made: zstandard.ZstdDecompressor | None = getattr(_OF_THREAD, "unpacker", None)
    if made is None:
        made = _OF_THREAD.unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX_BYTES)
    return made


def _count(body: bytes, limits: Limits) -> int:
    """How many observations `body` holds, found without making one."""
    count = at = 0
    while at < len(body):
        if body[at] != _FIRST_TAG:
            raise Refused("MALFORMED", f"byte {at} of the body does not begin an observation")
        length, at = _varint(body, at + 1)
        count += 1
        if count > limits.max_batch_observations:
            raise Refused("TOO_LARGE", f"more than {limits.max_batch_observations} observations in a batch; split it")
        if length > OBSERVATION_MAX_BYTES:
            raise Refused("TOO_LARGE", f"an observation of {length} bytes; {OBSERVATION_MAX_BYTES} are allowed")
        at += length
    if at != len(body):
        raise Refused("MALFORMED", "the last observation is cut off")
    return count


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 35:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return number, at
        shift += 7
    raise Refused("MALFORMED", "the length of an observation cannot be read")


def _what(one: observation_pb2.Observation, *, clock_offset_ns: int, latest_ns: int) -> What | RawBlock:
    match one.WhichOneof("kind"):
        case "log":
            return _log(one.log)
        case "samples":
            return samples(one.samples, clock_offset_ns=clock_offset_ns, latest_ns=latest_ns)
        case "probe":
            return _probe(one.probe)
        case "change":
            change = one.change
            return Change(
                bounded(change.kind, "change.kind", KEY_MAX),
                bounded(change.subject, "change.subject", NAME_MAX),
                bounded(change.before, "change.before", TEXT_MAX),
                bounded(change.after, "change.after", TEXT_MAX),
                bounded(change.detail, "change.detail", TEXT_MAX),
            )
        case "inventory":
            return _inventory(one.inventory)
        case "outcome":
            state = _OUTCOMES.get(one.outcome.state)
            if state is None:  # from a newer agent
                return Unknown(14, one.SerializeToString())
            detail = bounded(one.outcome.detail, "outcome.detail", TEXT_MAX)
            return Outcome(_uuid(one.outcome.action_id, "action_id"), state, detail)
        case "gap":
            return _gap(one.gap)
        case _:
            unknown = UnknownFieldSet(one)
            fields = sorted(unknown[i].field_number for i in range(len(unknown)))
            if not fields:
                raise Refused("MALFORMED", "an observation of no kind")
            return Unknown(fields[0], one.SerializeToString())


def _log(log: observation_pb2.LogEvent) -> LogEvent:
    return LogEvent(
        source=bounded(log.source, "log.source", NAME_MAX),
        file=bounded(log.file, "log.file", NAME_MAX),
        file_id=bounded(log.file_id, "log.file_id", KEY_MAX),
        offset=_whole(log.offset, "log.offset"),
        part=_PARTS.get(log.part, "whole"),
        # What an agent could not say is ordinary; a step that only a newer agent knows is the worst that we know.
        severity=min(log.severity or observation_pb2.SEVERITY_INFO, observation_pb2.SEVERITY_CRITICAL),
        component=bounded(log.component, "log.component", NAME_MAX),
        message=bounded(log.message, "log.message", TEXT_MAX),
        template=bounded(log.template, "log.template", TEXT_MAX),
        fingerprint=bounded(log.fingerprint, "log.fingerprint", KEY_MAX),
        count=max(1, _whole(log.count, "log.count")),
        logged_ns=_time(log.logged_unix_ns, "log.logged_unix_ns"),
        truncated=log.truncated,
    )


def _probe(probe: observation_pb2.ProbeResult) -> ProbeResult:
    expires_ns: int | None = None
    if probe.HasField("certificate_expires_unix_ns"):
        expires_ns = probe.certificate_expires_unix_ns
    return ProbeResult(
        probe=bounded(probe.probe, "probe.probe", NAME_MAX),
        kind=bounded(probe.kind, "probe.kind", KEY_MAX),
        target=bounded(probe.target, "probe.target", NAME_MAX),
        ok=probe.ok,
        latency_us=_whole(probe.latency_us, "probe.latency_us"),
        detail=bounded(probe.detail, "probe.detail", TEXT_MAX),
        certificate_expires_ns=expires_ns,
        level=bounded(probe.level, "probe.level", KEY_MAX),
    )


def _inventory(told: observation_pb2.Inventory) -> Inventory:
    for field in ("disks", "cards", "components"):
        if (count := len(getattr(told, field))) > LISTED_MAX:
            raise Refused("TOO_LARGE", f"an inventory of {count} {field}; {LISTED_MAX} are allowed")
    words = ["hostname", "kernel", "distribution", "architecture", "cpu_model", "virtualisation", "container"]
    words += ["agent_version", "python_version", "time_zone"]
    return Inventory(
        **{field: bounded(getattr(told, field), f"inventory.{field}", 256) for field in words},
        cpus=told.cpus,
        memory_bytes=_whole(told.memory_bytes, "inventory.memory_bytes"),
        swap_bytes=_whole(told.swap_bytes, "inventory.swap_bytes"),
        disks=tuple(
            Disk(
                bounded(disk.mountpoint, "disk.mountpoint", NAME_MAX),
                bounded(disk.device, "disk.device", NAME_MAX),
                bounded(disk.file_system, "disk.file_system", KEY_MAX),
                _whole(disk.size_bytes, "disk.size_bytes"),
            )
            for disk in told.disks
        ),
        cards=tuple(
            NetworkCard(
                bounded(card.name, "card.name", KEY_MAX),
                _whole(card.speed_mbit, "card.speed_mbit"),
                tuple(bounded(address, "card.address", KEY_MAX) for address in card.addresses[:LISTED_MAX]),
            )
            for card in told.cards
        ),
        components=tuple(
            Component(
                bounded(part.name, "component.name", KEY_MAX),
                bounded(part.version, "component.version", KEY_MAX),
                bounded(part.source, "component.source", KEY_MAX),
                bounded(part.trouble, "component.trouble", NAME_MAX),
            )
            for part in told.components
        ),
    )


def _gap(gap: observation_pb2.Gap) -> Gap:
    known = observation_pb2.GapReason.values()
    name = observation_pb2.GapReason.Name(gap.reason) if gap.reason in known else f"GAP_REASON_{gap.reason}"
    return Gap(
        reason=name.removeprefix("GAP_REASON_").lower(),
        kind=bounded(gap.kind, "gap.kind", KEY_MAX),
        count=max(-1, gap.count),
        from_ns=_time(gap.from_unix_ns, "gap.from_unix_ns"),
        to_ns=_time(gap.to_unix_ns, "gap.to_unix_ns"),
        first_seq=gap.first_seq,
        last_seq=gap.last_seq,
        detail=bounded(gap.detail, "gap.detail", TEXT_MAX),
    )


def _id(raw: bytes, field: str) -> str:
    if len(raw) != 16:
        raise Refused("MALFORMED", f"{field} has {len(raw)} bytes, not 16")
    return raw.hex()


def _uuid(raw: bytes, field: str) -> str:
    digits = _id(raw, field)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _time(ns: int, field: str) -> int:
    if not 0 <= ns <= TIME_MAX:
        raise Refused("MALFORMED", f"{field} is {ns}: not a time between 1970 and 2116")
    return ns


def _whole(number: int, field: str) -> int:
    if number < 0:
        raise Refused("MALFORMED", f"{field} is {number}; it cannot be negative")
    return number
