"""Recorded observations as JSON lines, to try rules against: one object a line, blank lines and `#` lines left out.

Every line has `at` (ISO 8601 with its zone, or nanoseconds since 1970) and `kind`; `site` (default "site"), `agent` and
`host` (default "agent") say where. By kind:

    log       message; severity (default "error"), component, source, file, template, fingerprint, part ("whole",
              "head", "full"), file_id, offset, count. Without a fingerprint the template or the message serves as one.
    samples   name, values (a list of numbers or null); labels (an object), step_s (default 10): the first is at `at`
    probe     probe, ok; target, detail, probe_kind, level, certificate_expires (as `at`)
    gap       reason; gap_kind, count, detail
    change    change; subject, before, after
    tick      nothing more: time goes on to `at`
    silent    the agent is not heard of from `at` on, until it observes something again

Example: {"at": "2026-11-24T03:10:00Z", "kind": "probe", "probe": "health", "ok": false, "detail": "HTTP 503"}

`read` gives the observations, or raises BadRecording with the line. Not here: applying rules to them (`rules`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.observations import (
    Change,
    Gap,
    Key,
    LogEvent,
    Observation,
    Place,
    ProbeResult,
    Samples,
    Series,
    What,
)
from sitewarden_alerting.reading.severity import Severity

LATEST_NS = 2**62


class BadRecording(ValueError):
    """A line that is no recorded observation; the message names the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time goes on; nothing was observed. `silent` names an agent that is not heard of from now on."""

    at_ns: int
    silent: str = ""


def read(lines: Iterable[str], name: str = "recording") -> Iterator[Observation | Tick]:
    """What the lines hold, one after the other. Raises BadRecording at the first that is wrong."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            raw = json.loads(text)
            if not isinstance(raw, dict):
                raise ValueError("it is no JSON object")
            yield _observation(raw, number)
        except KeyError as error:
            raise BadRecording(f"{name}:{number}: {error} is missing") from error
        except RecursionError as error:
            raise BadRecording(f"{name}:{number}: it is nested too deeply") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise BadRecording(f"{name}:{number}: {error}") from error


def _observation(raw: Mapping[str, Any], number: int) -> Observation | Tick:
    at_ns = _time(raw["at"])
    agent = str(raw.get("agent", "agent"))
    if raw["kind"] in ("tick", "silent"):
        return Tick(at_ns, agent if raw["kind"] == "silent" else "")
    place = Place(
        customer_id="customer",
        site_id=str(raw.get("site", "site")),
        agent_id=agent,
        hostname=str(raw.get("host", agent)),
    )
    what = _what(raw, at_ns)
    seen_ns = max(what.times_ns) if isinstance(what, Samples) else at_ns  # a block is sent when it is complete
    return Observation(place, Key("recorded", number, 0), seen_ns, seen_ns, what)


def _what(raw: Mapping[str, Any], at_ns: int) -> What:
    match raw["kind"]:
        case "log":
            return _log(raw, at_ns)
        case "samples":
            return _samples(raw, at_ns)
        case "probe":
            expires = raw.get("certificate_expires")
            return ProbeResult(
                probe=str(raw["probe"]),
                kind=str(raw.get("probe_kind", "http")),
                target=str(raw.get("target", raw["probe"])),
                ok=bool(raw["ok"]),
                latency_us=int(raw.get("latency_us", 0)),
                detail=str(raw.get("detail", "")),
                certificate_expires_ns=None if expires is None else _time(expires),
                level=str(raw.get("level", "")),
            )
        case "gap":
            count = int(raw.get("count", -1))
            return Gap(str(raw["reason"]), str(raw.get("gap_kind", "")), count, 0, 0, 0, 0, str(raw.get("detail", "")))
        case "change":
            parts = (str(raw.get(part, "")) for part in ("subject", "before", "after"))
            return Change(str(raw["change"]), *parts)
        case other:
            raise ValueError(f"unknown kind {other!r}; the kinds are log, samples, probe, gap, change, tick, silent")


def _log(raw: Mapping[str, Any], at_ns: int) -> LogEvent:
    message = str(raw["message"])
    template = str(raw.get("template", message))
    name = str(raw.get("severity", "error")).upper()
    if name not in Severity.__members__:
        known = ", ".join(Severity.__members__).lower()
        raise ValueError(f"unknown severity {raw['severity']!r}; the severities are {known}")
    part = raw.get("part", "whole")
    if part not in ("whole", "head", "full"):
        raise ValueError(f'part must be "whole", "head" or "full", not {part!r}')
    file = str(raw.get("file", "recorded.log"))
    return LogEvent(
        source=str(raw.get("source", "recorded")),
        file=file,
        file_id=str(raw.get("file_id", file)),
        offset=int(raw.get("offset", at_ns)),
        part=part,
        severity=int(Severity[name]),
        component=str(raw.get("component", "")),
        message=message,
        template=template,
        fingerprint=str(raw.get("fingerprint", template)),
        count=int(raw.get("count", 1)),
        logged_ns=at_ns,
        truncated=False,
    )


def _samples(raw: Mapping[str, Any], at_ns: int) -> Samples:
    values = raw["values"]
    if not isinstance(values, list) or not values:
        raise ValueError("values must be a list of numbers, with null where there is none")
    labels = raw.get("labels", {})
    if not isinstance(labels, dict):
        raise ValueError("labels must be an object of texts")
    series = Series(str(raw["name"]), tuple(sorted((str(k), str(v)) for k, v in labels.items())), "")
    step_ns = round(float(raw.get("step_s", 10)) * SECOND_NS)
    column = tuple(math.nan if value is None else float(value) for value in values)
    return Samples("", (series,), tuple(at_ns + i * step_ns for i in range(len(column))), (column,), False)


def _time(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= LATEST_NS:
            raise ValueError(f"the time {value!s:.40} is not in nanoseconds since 1970")
        return value
    when = datetime.fromisoformat(str(value))
    if when.tzinfo is None:
        raise ValueError(f"the time {value!r} needs its zone, such as 2026-11-24T03:10:00Z")
    return round(when.timestamp() * 1_000_000) * 1000
