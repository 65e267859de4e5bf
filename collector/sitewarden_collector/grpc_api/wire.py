"""From the wire to the words of `alerting.observations`, with every bound checked. Pure.

What cannot be decoded is refused with a reason that the wire knows: MALFORMED or TOO_LARGE. A kind of observation that
this program does not know is kept as its bytes came. A compressed body is unpacked no further than its stated size, and
its observations are counted before a single one is made, so that a small message cannot become a large one.
"""

from __future__ import annotations

import math
import re
import threading
from functools import lru_cache
from typing import Literal

import numpy as np
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
    Series,
    Unknown,
    What,
)
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.services.intake import Decoded
from sitewarden_collector.services.sessions import Hello
from sitewarden_collector.store.observations import Arrived
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from sitewarden_protos.v1 import common_pb2, intake_pb2, observation_pb2

OBSERVATION_MAX_BYTES = 1024 * 1024
CAPABILITIES_MAX = 64
TEXT_MAX = 65_536  # messages and templates; the agent cuts them earlier
NAME_MAX = 4_096
KEY_MAX = 128  # what is indexed
VALUES_MAX = 1_000_000  # numbers in the blocks of one batch
LISTED_MAX = 1_000  # of an inventory: disks, cards, components
INT64_MAX = 2**63 - 1
TIME_MAX = 2**62  # the year 2116
ALIKE_BYTES_MAX = 16_384  # of series that are remembered
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
_SCHEMA_ID = re.compile(r"[0-9a-f]{16}")
_CAPABILITY = re.compile(r"[a-z0-9_]{1,32}")


def hello(session: common_pb2.Session) -> Hello:
    """Who says hello; raises Refused (MALFORMED)."""
    return Hello(
        session_id=_id(session.session_id, "session_id"),
        machine_fingerprint=_text(session.machine_fingerprint, "machine_fingerprint", KEY_MAX),
        version=_text(session.agent_version, "agent_version", 64),
        hostname=_text(session.hostname, "hostname", 255),
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
        wall_ns = _corrected(_time(one.wall_unix_ns, "wall_unix_ns"), clock_offset_ns, latest_ns)
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
            return _samples(one.samples, clock_offset_ns=clock_offset_ns, latest_ns=latest_ns)
        case "probe":
            return _probe(one.probe)
        case "change":
            change = one.change
            return Change(
                _text(change.kind, "change.kind", KEY_MAX),
                _text(change.subject, "change.subject", NAME_MAX),
                _text(change.before, "change.before", TEXT_MAX),
                _text(change.after, "change.after", TEXT_MAX),
                _text(change.detail, "change.detail", TEXT_MAX),
            )
        case "inventory":
            return _inventory(one.inventory)
        case "outcome":
            state = _OUTCOMES.get(one.outcome.state)
            if state is None:  # from a newer agent
                return Unknown(14, one.SerializeToString())
            detail = _text(one.outcome.detail, "outcome.detail", TEXT_MAX)
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
        source=_text(log.source, "log.source", NAME_MAX),
        file=_text(log.file, "log.file", NAME_MAX),
        file_id=_text(log.file_id, "log.file_id", KEY_MAX),
        offset=_whole(log.offset, "log.offset"),
        part=_PARTS.get(log.part, "whole"),
        # What an agent could not say is ordinary; a step that only a newer agent knows is the worst that we know.
        severity=min(log.severity or observation_pb2.SEVERITY_INFO, observation_pb2.SEVERITY_CRITICAL),
        component=_text(log.component, "log.component", NAME_MAX),
        message=_text(log.message, "log.message", TEXT_MAX),
        template=_text(log.template, "log.template", TEXT_MAX),
        fingerprint=_text(log.fingerprint, "log.fingerprint", KEY_MAX),
        count=max(1, _whole(log.count, "log.count")),
        logged_ns=_time(log.logged_unix_ns, "log.logged_unix_ns"),
        truncated=log.truncated,
    )


def _probe(probe: observation_pb2.ProbeResult) -> ProbeResult:
    expires_ns: int | None = None
    if probe.HasField("certificate_expires_unix_ns"):
        expires_ns = probe.certificate_expires_unix_ns
    return ProbeResult(
        probe=_text(probe.probe, "probe.probe", NAME_MAX),
        kind=_text(probe.kind, "probe.kind", KEY_MAX),
        target=_text(probe.target, "probe.target", NAME_MAX),
        ok=probe.ok,
        latency_us=_whole(probe.latency_us, "probe.latency_us"),
        detail=_text(probe.detail, "probe.detail", TEXT_MAX),
        certificate_expires_ns=expires_ns,
        level=_text(probe.level, "probe.level", KEY_MAX),
    )


def _inventory(told: observation_pb2.Inventory) -> Inventory:
    for field in ("disks", "cards", "components"):
        if (count := len(getattr(told, field))) > LISTED_MAX:
            raise Refused("TOO_LARGE", f"an inventory of {count} {field}; {LISTED_MAX} are allowed")
    words = ["hostname", "kernel", "distribution", "architecture", "cpu_model", "virtualisation", "container"]
    words += ["agent_version", "python_version", "time_zone"]
    return Inventory(
        **{field: _text(getattr(told, field), f"inventory.{field}", 256) for field in words},
        cpus=told.cpus,
        memory_bytes=_whole(told.memory_bytes, "inventory.memory_bytes"),
        swap_bytes=_whole(told.swap_bytes, "inventory.swap_bytes"),
        disks=tuple(
            Disk(
                _text(disk.mountpoint, "disk.mountpoint", NAME_MAX),
                _text(disk.device, "disk.device", NAME_MAX),
                _text(disk.file_system, "disk.file_system", KEY_MAX),
                _whole(disk.size_bytes, "disk.size_bytes"),
            )
            for disk in told.disks
        ),
        cards=tuple(
            NetworkCard(
                _text(card.name, "card.name", KEY_MAX),
                _whole(card.speed_mbit, "card.speed_mbit"),
                tuple(_text(address, "card.address", KEY_MAX) for address in card.addresses[:LISTED_MAX]),
            )
            for card in told.cards
        ),
        components=tuple(
            Component(
                _text(part.name, "component.name", KEY_MAX),
                _text(part.version, "component.version", KEY_MAX),
                _text(part.source, "component.source", KEY_MAX),
                _text(part.trouble, "component.trouble", NAME_MAX),
            )
            for part in told.components
        ),
    )


def _gap(gap: observation_pb2.Gap) -> Gap:
    known = observation_pb2.GapReason.values()
    name = observation_pb2.GapReason.Name(gap.reason) if gap.reason in known else f"GAP_REASON_{gap.reason}"
    return Gap(
        reason=name.removeprefix("GAP_REASON_").lower(),
        kind=_text(gap.kind, "gap.kind", KEY_MAX),
        count=max(-1, gap.count),
        from_ns=_time(gap.from_unix_ns, "gap.from_unix_ns"),
        to_ns=_time(gap.to_unix_ns, "gap.to_unix_ns"),
        first_seq=gap.first_seq,
        last_seq=gap.last_seq,
        detail=_text(gap.detail, "gap.detail", TEXT_MAX),
    )


def _samples(sent: observation_pb2.SampleBlock, *, clock_offset_ns: int, latest_ns: int) -> RawBlock:
    if not _SCHEMA_ID.fullmatch(sent.schema_id):
        raise Refused("MALFORMED", f"schema id {sent.schema_id[:32]!r} is not 16 hexadecimal digits")
    width = int.from_bytes(sent.block[2:4], "little")
    ticks = int.from_bytes(sent.block[4:8], "little")
    if width * ticks > VALUES_MAX:
        raise Refused("TOO_LARGE", f"a block of {width} series x {ticks} ticks; {VALUES_MAX} numbers are allowed")
    try:
        times_ns, shuffled = blocks.unpack(sent.block, series=len(sent.series) or width)
    except blocks.BlockError as error:
        raise Refused("MALFORMED", f"a sample block cannot be read ({error})") from error
    if not times_ns or not width:
        raise Refused("MALFORMED", "a sample block without samples")
    earliest_ns, newest_ns = min(times_ns), max(times_ns)
    if earliest_ns < 0 or newest_ns > TIME_MAX:
        raise Refused("MALFORMED", "a sample block with times that cannot be")
    shift_ns = max(_corrected(newest_ns, clock_offset_ns, latest_ns) - newest_ns, -earliest_ns)
    return RawBlock(
        schema_id=sent.schema_id,
        series=_series(sent) if sent.series else (),
        block=sent.block,
        early=sent.early,
        times_ns=tuple([at_ns + shift_ns for at_ns in times_ns]) if shift_ns else times_ns,
        shift_ns=shift_ns,
        last=_last(shuffled, width),
    )


def _last(shuffled: bytes, width: int) -> tuple[float, ...]:
    """The newest number of each series, out of the bytes of all, XORed and shuffled; NaN where there is none."""
    planes = np.frombuffer(shuffled, np.uint8).reshape(8, width, -1)
    # Each value is XORed with the one before it: all of a series together are its last one.
    ends = np.ascontiguousarray(np.bitwise_xor.reduce(planes, axis=2).T).view("<f8")[:, 0]
    newest: list[float] = ends.tolist()
    missing = [row for row, number in enumerate(newest) if number != number]
    if missing:
        words = np.ascontiguousarray(planes[:, missing, :].transpose(1, 2, 0)).view("<u8")[:, :, 0]
        for row, values in zip(missing, np.bitwise_xor.accumulate(words, axis=1).view("<f8"), strict=True):
            there = values[~np.isnan(values)]
            newest[row] = float(there[-1]) if len(there) else math.nan
    return tuple(newest)


def _series(sent: observation_pb2.SampleBlock) -> tuple[Series, ...]:
    """The series that a block tells. Agents of one kind all tell the same, and some tell it with every block."""
    told = observation_pb2.SampleBlock(series=sent.series).SerializeToString(deterministic=True)
    return _read_series(told) if len(told) <= ALIKE_BYTES_MAX else _read_series.__wrapped__(told)


@lru_cache(maxsize=256)
def _read_series(told: bytes) -> tuple[Series, ...]:
    return tuple(
        Series(
            _text(one.name, "series.name", 256),
            tuple(sorted((_text(k, "label", KEY_MAX), _text(v, "label", NAME_MAX)) for k, v in one.labels.items())),
            _text(one.unit, "series.unit", 64),
        )
        for one in observation_pb2.SampleBlock.FromString(told).series
    )


def _corrected(wall_ns: int, offset_ns: int, latest_ns: int) -> int:
    return max(0, min(wall_ns + offset_ns, latest_ns))


def _text(text: str, field: str, limit: int) -> str:
    if len(text) > limit:
        raise Refused("TOO_LARGE", f"{field} has {len(text)} characters; {limit} are allowed")
    return text.replace("\0", "\ufffd")  # PostgreSQL stores no NUL


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
