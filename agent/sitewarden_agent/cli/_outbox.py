"""`status --outbox`: the very records that wait for headquarters or went there, as the wire carries them.

Readable, a line each; or with --json an object each, the wire's own fields, with the values of samples besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sitewarden_agent.cli._words import Speaker
from sitewarden_agent.model import (
    Change,
    Gap,
    LogEvent,
    Observation,
    Outcome,
    ProbeResult,
    SampleBlock,
    Series,
)
from sitewarden_agent.spool.outbox import Record
from sitewarden_alerting.reading.severity import Severity
from sitewarden_protos import blocks

TEXT_MAX = 2_000


def as_json(record: Record) -> str:
    from google.protobuf import json_format

    from sitewarden_agent.link import wire  # gRPC's words are loaded only when somebody asks for them
    from sitewarden_protos.v1 import intake_pb2

    found: dict[str, Any] = {"state": record.state, "seq": record.seq, "cursor": record.cursor}
    if record.observation is None:
        return json.dumps({**found, "record": None})
    (message,) = intake_pb2.ObservationList.FromString(wire.to_body([record.observation])).observations
    found["record"] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if isinstance(record.observation.what, SampleBlock):
        found["samples"] = [
            {"series": _series(series), "times_unix_ns": times, "values": values}
            for series, times, values in _values(record.observation.what)
        ]
    return json.dumps(found, ensure_ascii=False)


def as_lines(record: Record, say: Speaker, time: str) -> Iterator[str]:
    state = say.name("state", record.state)
    place = f" #{record.seq}" if record.seq is not None else ""
    if record.observation is None:
        yield f"{state}{place}: {say('unreadable')}"
        return
    yield f"{time} {state}{place}: {_text(record.observation)}"
    if isinstance(record.observation.what, SampleBlock):
        for series, _, values in _values(record.observation.what):
            yield f"    {_series(series)} = {values[-1]:g}"
    if isinstance(record.observation.what, Change):
        yield from (f"    {line}" for line in record.observation.what.detail.splitlines())


def _text(observation: Observation) -> str:
    match observation.what:
        case LogEvent() as log:
            often = f" x{log.count}" if log.count > 1 else ""
            severity = Severity(log.severity).name.lower()
            return f"log {log.source} {severity}{often} {log.component} {log.message[:TEXT_MAX]}"
        case SampleBlock() as block:
            return f"samples {len(block.series)} x {block.ticks}"
        case ProbeResult() as probe:
            return f"probe {probe.probe} {'ok' if probe.ok else 'BAD'} {probe.latency_us / 1000:.1f} ms {probe.detail}"
        case Change() as change:
            return f"change {change.kind} {change.subject}: {change.before} -> {change.after}"
        case Outcome() as outcome:
            return f"outcome {outcome.action_id} {outcome.state.value} {outcome.detail}"
        case Gap() as gap:
            count = f" {gap.count}" if gap.count >= 0 else ""
            return f"gap {gap.reason.value}{count} {gap.kind} {gap.detail}"
        case other:
            return f"{type(other).__name__.lower()} {other}"[:TEXT_MAX]


def _values(block: SampleBlock) -> Iterator[tuple[Series, list[int], list[float]]]:
    times, columns = blocks.decode(block.block, series=len(block.series))
    for series, column in zip(block.series, columns, strict=True):
        yield series, list(times), list(column)


def _series(series: Series) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in series.labels)
    return f"{series.name}{{{labels}}}" if labels else series.name
