"""The log around a fault: what the same host said before and after a line of evidence, as far as agents sent it.

Agents send what matters, so these are no complete logs; lines of the same file come first, and each says its file.
Not here: a live look at the site's files.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.model import MINUTE_NS, Evidence
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_collector.store import observations

SPAN_NS = 10 * MINUTE_NS
BEFORE_MAX = 15
AFTER_MAX = 15
READ_MAX = 400  # of each side


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line or record; `own` where it is the evidence itself."""

    at_ns: int
    hostname: str
    file: str
    severity: int
    component: str
    text: str
    count: int
    own: bool


def around(tx: Connection, site_id: str, evidence: Evidence) -> list[LogLine]:
    """The lines before and after `evidence`, with itself between them; only itself where nothing else is kept."""
    at_ns = evidence.at_ns
    before = _logs(tx, site_id, evidence.agent_id, since_ns=at_ns - SPAN_NS, until_ns=at_ns, newest=True)
    after = _logs(tx, site_id, evidence.agent_id, since_ns=at_ns, until_ns=at_ns + SPAN_NS, newest=False)
    found = {(one.key.epoch, one.key.seq, one.key.index): one for one in (*before, *after)}
    own_key = (evidence.epoch, evidence.seq, evidence.index)
    own = found.get(own_key)
    # Of a record there may be its first line and the whole: the evidence stands for both.
    record = _record(own)
    others = [one for key, one in found.items() if key != own_key and (record is None or _record(one) != record)]
    ordered = sorted(others, key=lambda one: (one.wall_ns, one.key.seq, one.key.index))
    place = (at_ns, evidence.seq, evidence.index)
    earlier = [one for one in ordered if (one.wall_ns, one.key.seq, one.key.index) < place]
    later = [one for one in ordered if (one.wall_ns, one.key.seq, one.key.index) >= place]
    middle = _line(own, own=True) if own is not None else _copy(evidence)
    return [
        *(_line(one) for one in earlier[-BEFORE_MAX:]),
        middle,
        *(_line(one) for one in later[:AFTER_MAX]),
    ]


def _logs(
    tx: Connection, site_id: str, agent_id: str, *, since_ns: int, until_ns: int, newest: bool
) -> list[Observation]:
    found = observations.of_site(
        tx, site_id, since_ns=since_ns, until_ns=until_ns, kind="log", limit=READ_MAX, agent_id=agent_id, newest=newest
    )
    return [one for one in found if isinstance(one.what, LogEvent)]


def _record(one: Observation | None) -> tuple[str, int] | None:
    return (one.what.file_id, one.what.offset) if one is not None and isinstance(one.what, LogEvent) else None


def _line(one: Observation, *, own: bool = False) -> LogLine:
    assert isinstance(one.what, LogEvent)
    what = one.what
    return LogLine(
        one.wall_ns, one.place.hostname, what.file, what.severity, what.component, what.message, what.count, own
    )


def _copy(evidence: Evidence) -> LogLine:
    return LogLine(evidence.at_ns, evidence.hostname, "", 0, "", evidence.text, 1, True)
