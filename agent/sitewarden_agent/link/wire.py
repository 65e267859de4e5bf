"""The agent's model <-> protobuf. Pure: bytes and values in, values and bytes out.

The series of a sample block travel with the first block of each schema in a body, unless the caller knows that they are
stored. What the agent's model can hold, the wire can carry; `from_body` is the way back, for tests and tools.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence

import msgspec
import zstandard

from sitewarden_agent.model import (
    Change,
    Component,
    ConfigOffer,
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
    SiteNotice,
    What,
)
from sitewarden_agent.spool import SpoolState, WatchLevel
from sitewarden_alerting.reading import plain
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2, observation_pb2

BODY_MAX_BYTES = 8 * 1024 * 1024
"""Before compression; headquarters refuses more."""
SAID_MAX = 1_000
BODY_MAX = 16_000
NAME_MAX = 200
"""Characters of what headquarters says: a sentence, the body of a notice, a name. The rest is cut off."""
WATCH_LEVELS_MAX = 256
CONFIG_MAX_BYTES = 64 * 1024
_COMPRESS_FROM_BYTES = 256  # below, the frame costs more than it saves

_PART = {
    RecordPart.WHOLE: observation_pb2.RECORD_PART_WHOLE,
    RecordPart.HEAD: observation_pb2.RECORD_PART_HEAD,
    RecordPart.FULL: observation_pb2.RECORD_PART_FULL,
}
_STATE = {
    OutcomeState.RECEIVED: observation_pb2.OUTCOME_STATE_RECEIVED,
    OutcomeState.DONE: observation_pb2.OUTCOME_STATE_DONE,
    OutcomeState.FAILED: observation_pb2.OUTCOME_STATE_FAILED,
    OutcomeState.EXPIRED: observation_pb2.OUTCOME_STATE_EXPIRED,
    OutcomeState.REFUSED: observation_pb2.OUTCOME_STATE_REFUSED,
    OutcomeState.APPLYING: observation_pb2.OUTCOME_STATE_APPLYING,
}
_GAP_REASON = {
    GapReason.SHED: observation_pb2.GAP_REASON_SHED,
    GapReason.EXPIRED: observation_pb2.GAP_REASON_EXPIRED,
    GapReason.REFUSED: observation_pb2.GAP_REASON_REFUSED,
    GapReason.RESTORED: observation_pb2.GAP_REASON_RESTORED,
    GapReason.FILE_LOST: observation_pb2.GAP_REASON_FILE_LOST,
    GapReason.REDACTION: observation_pb2.GAP_REASON_REDACTION,
    GapReason.SPOOL_LOST: observation_pb2.GAP_REASON_SPOOL_LOST,
}
_PART_BACK = {number: part for part, number in _PART.items()}
_STATE_BACK = {number: state for state, number in _STATE.items()}
_GAP_REASON_BACK = {number: reason for reason, number in _GAP_REASON.items()}
_SEVERITIES = observation_pb2.Severity.values()


def batch(
    seq: int, previous_seq: int, observations: Iterable[Observation], *, told: set[str] | None = None
) -> intake_pb2.Batch:
    """One batch, ready to be sent. `told` are the schemas that headquarters has stored; those that this batch tells are
    added. Raises ValueError for what the wire cannot carry."""
    plain = to_body(observations, told=told)
    if len(plain) > BODY_MAX_BYTES:
        raise ValueError(f"{len(plain)} bytes before compression, headquarters takes {BODY_MAX_BYTES}")
    packed = zstandard.ZstdCompressor(level=3).compress(plain) if len(plain) >= _COMPRESS_FROM_BYTES else plain
    squeezed = len(packed) < len(plain)
    return intake_pb2.Batch(
        seq=seq,
        previous_seq=previous_seq,
        compression=intake_pb2.COMPRESSION_ZSTD if squeezed else intake_pb2.COMPRESSION_NONE,
        body=packed if squeezed else plain,
        body_bytes=len(plain),
    )


def to_body(observations: Iterable[Observation], *, told: set[str] | None = None) -> bytes:
    """An ObservationList; `told` as in `batch`. Raises ValueError for what the wire cannot carry."""
    known: set[str] = set() if told is None else told
    try:
        listed = intake_pb2.ObservationList(observations=[_observation(each, known) for each in observations])
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a value that the wire knows: {error}") from error
    return listed.SerializeToString()


def from_body(body: bytes) -> tuple[Observation, ...]:
    """What `to_body` was given. Raises protobuf's DecodeError, KeyError or ValueError for anything else."""
    known: dict[str, tuple[Series, ...]] = {}
    return tuple(_observation_back(each, known) for each in intake_pb2.ObservationList.FromString(body).observations)


def schema_id(series: Sequence[Series]) -> str:
    """Names the rows of a block: the first 16 hex of SHA-256 over the series as compact JSON, labels sorted."""
    listed = [[each.name, sorted(each.labels), each.unit] for each in series]
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()[:16]


def watch_levels(message: control_pb2.WatchLevels) -> tuple[WatchLevel, ...]:
    """The first of what headquarters asks for: each is looked at with each sample."""
    return tuple(
        WatchLevel(
            plain.cut(level.series, NAME_MAX),
            above=level.above if level.has_above else None,
            below=level.below if level.has_below else None,
        )
        for level in message.levels[:WATCH_LEVELS_MAX]
    )


def site_notice(action: control_pb2.Action, *, received_ns: int) -> SiteNotice:
    """The notice, fit to be kept and shown: headquarters may have fallen into the wrong hands."""
    notice = action.notice
    return SiteNotice(
        action_id=str(uuid.UUID(bytes=action.action_id)),
        subject=said(notice.subject, NAME_MAX),
        body=plain.cut(plain.lines(notice.body), BODY_MAX),
        category=said(notice.category, NAME_MAX),
        reference=said(notice.reference, NAME_MAX),
        received_ns=received_ns,
        expires_ns=action.expires_unix_ns,
    )


def config_offer(action: control_pb2.Action) -> ConfigOffer:
    """The configuration, whole and as it was sent. Raises ValueError, which says what is wrong with it."""
    config = action.config
    raw = config.document.encode()
    if len(raw) > CONFIG_MAX_BYTES:
        raise ValueError(f"the configuration has {len(raw)} bytes, {CONFIG_MAX_BYTES} are taken; shorten it")
    if hashlib.sha256(raw).digest() != config.sha256:
        raise ValueError("the configuration's SHA-256 is another than stated; send it again")
    return ConfigOffer(str(uuid.UUID(bytes=action.action_id)), config.version, config.document)


def said(text: str, most: int = SAID_MAX) -> str:
    """What somebody else says, as a line for notes, logs and terminals."""
    return plain.cut(plain.line(text), most)


def spool_state(state: SpoolState) -> control_pb2.SpoolState:
    return control_pb2.SpoolState(
        bytes=state.bytes,
        bytes_max=state.bytes_max,
        held=state.held,
        shed=state.shed,
        parked=state.parked,
        oldest_unix_ns=state.oldest_ns,
    )


def reason_name(reason: int) -> str:
    """REVOKED for REASON_REVOKED; a reason of a newer headquarters by its number."""
    if reason not in common_pb2.Reason.values():
        return f"REASON_{reason}"
    return common_pb2.Reason.Name(common_pb2.Reason.ValueType(reason)).removeprefix("REASON_")


def _observation(observation: Observation, known: set[str]) -> observation_pb2.Observation:
    message = observation_pb2.Observation(
        wall_unix_ns=observation.wall_ns,
        boot_id=bytes.fromhex(observation.boot_id),
        monotonic_ns=observation.monotonic_ns,
    )
    _put(message, observation.what, known)
    return message


def _put(message: observation_pb2.Observation, what: What, known: set[str]) -> None:
    match what:
        case LogEvent():
            message.log.CopyFrom(_log(what))
        case SampleBlock():
            message.samples.CopyFrom(_samples(what, known))
        case ProbeResult():
            message.probe.CopyFrom(_probe(what))
        case Change():
            message.change.CopyFrom(observation_pb2.Change(**msgspec.structs.asdict(what)))
        case Inventory():
            message.inventory.CopyFrom(_inventory(what))
        case Outcome():
            message.outcome.CopyFrom(
                observation_pb2.Outcome(
                    action_id=uuid.UUID(what.action_id).bytes, state=_STATE[what.state], detail=what.detail
                )
            )
        case Gap():
            message.gap.CopyFrom(_gap(what))


def _log(what: LogEvent) -> observation_pb2.LogEvent:
    return observation_pb2.LogEvent(
        source=what.source,
        file=what.file,
        file_id=what.file_id,
        offset=what.offset,
        part=_PART[what.part],
        severity=observation_pb2.Severity.ValueType(what.severity if what.severity in _SEVERITIES else 0),
        component=what.component,
        message=what.message,
        template=what.template,
        fingerprint=what.fingerprint,
        count=what.count,
        logged_unix_ns=what.logged_ns,
        truncated=what.truncated,
    )


def _samples(what: SampleBlock, known: set[str]) -> observation_pb2.SampleBlock:
    schema = schema_id(what.series)
    message = observation_pb2.SampleBlock(schema_id=schema, block=what.block, ticks=what.ticks, early=what.early)
    if schema not in known:
        known.add(schema)
        for each in what.series:
            message.series.add(name=each.name, labels=dict(each.labels), unit=each.unit)
    return message


def _probe(what: ProbeResult) -> observation_pb2.ProbeResult:
    return observation_pb2.ProbeResult(
        probe=what.probe,
        kind=what.kind,
        ok=what.ok,
        latency_us=what.latency_us,
        detail=what.detail,
        target=what.target,
        certificate_expires_unix_ns=what.certificate_expires_ns,
        level=what.level,
    )


def _inventory(what: Inventory) -> observation_pb2.Inventory:
    told = {name: value for name, value in msgspec.structs.asdict(what).items() if not isinstance(value, tuple)}
    return observation_pb2.Inventory(
        **told,
        disks=[observation_pb2.Disk(**msgspec.structs.asdict(each)) for each in what.disks],
        cards=[observation_pb2.NetworkCard(**msgspec.structs.asdict(each)) for each in what.cards],
        components=[observation_pb2.Component(**msgspec.structs.asdict(each)) for each in what.components],
    )


def _inventory_back(told: observation_pb2.Inventory) -> Inventory:
    lists = ("disks", "cards", "components")
    plain = {name: getattr(told, name) for name in Inventory.__struct_fields__ if name not in lists}
    return Inventory(
        **plain,
        disks=tuple(Disk(each.mountpoint, each.device, each.file_system, each.size_bytes) for each in told.disks),
        cards=tuple(NetworkCard(each.name, each.speed_mbit, tuple(each.addresses)) for each in told.cards),
        components=tuple(Component(each.name, each.version, each.source, each.trouble) for each in told.components),
    )


def _gap(what: Gap) -> observation_pb2.Gap:
    return observation_pb2.Gap(
        reason=_GAP_REASON[what.reason],
        kind=what.kind,
        count=what.count,
        from_unix_ns=what.from_ns,
        to_unix_ns=what.to_ns,
        first_seq=what.first_seq,
        last_seq=what.last_seq,
        detail=what.detail,
    )


def _observation_back(message: observation_pb2.Observation, known: dict[str, tuple[Series, ...]]) -> Observation:
    return Observation(_what_back(message, known), message.wall_unix_ns, message.boot_id.hex(), message.monotonic_ns)


def _what_back(message: observation_pb2.Observation, known: dict[str, tuple[Series, ...]]) -> What:
    kind = message.WhichOneof("kind")
    if kind == "log":
        log = message.log
        return LogEvent(
            source=log.source,
            file=log.file,
            file_id=log.file_id,
            offset=log.offset,
            part=_PART_BACK[log.part],
            severity=log.severity,
            component=log.component,
            message=log.message,
            template=log.template,
            fingerprint=log.fingerprint,
            count=log.count,
            logged_ns=log.logged_unix_ns,
            truncated=log.truncated,
        )
    if kind == "samples":
        samples = message.samples
        if samples.schema_id not in known:
            known[samples.schema_id] = tuple(
                Series(each.name, tuple(sorted(each.labels.items())), each.unit) for each in samples.series
            )
        return SampleBlock(known[samples.schema_id], samples.block, samples.ticks, samples.early)
    if kind == "probe":
        probe = message.probe
        expires = probe.certificate_expires_unix_ns if probe.HasField("certificate_expires_unix_ns") else None
        return ProbeResult(
            probe.probe, probe.kind, probe.target, probe.ok, probe.latency_us, probe.detail, expires, probe.level
        )
    if kind == "change":
        change = message.change
        return Change(change.kind, change.subject, change.before, change.after, change.detail)
    if kind == "inventory":
        return _inventory_back(message.inventory)
    if kind == "outcome":
        outcome = message.outcome
        return Outcome(str(uuid.UUID(bytes=outcome.action_id)), _STATE_BACK[outcome.state], outcome.detail)
    if kind == "gap":
        gap = message.gap
        return Gap(
            reason=_GAP_REASON_BACK[gap.reason],
            kind=gap.kind,
            count=gap.count,
            from_ns=gap.from_unix_ns,
            to_ns=gap.to_unix_ns,
            first_seq=gap.first_seq,
            last_seq=gap.last_seq,
            detail=gap.detail,
        )
    raise ValueError("an observation of no kind that is known here")
