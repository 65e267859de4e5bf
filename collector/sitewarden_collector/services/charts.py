"""Charts of a site's health over time: series thinned out to what a screen can show, without losing a peak.

One question opens each block once, whatever the number of charts; spans of more than a few days are drawn from what
each hour came to. Thinning keeps of each stretch of time its lowest and its highest sample, so that a spike of ten
seconds is seen in a week. Not here: drawing (the browser), and what is stored (`store.tracks`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import gt

from sqlalchemy import Connection

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import agents, sample_days, tracks
from sitewarden_collector.store.sample_days import HOUR_NS
from sitewarden_collector.store.tracks import Track

POINTS_MAX = 400  # of a line
LINES_MAX = 8  # of a chart; the ones with the highest peaks are shown
SPAN_MAX_NS = 31 * 86_400 * 1_000_000_000
SAMPLES_SPAN_NS = 3 * 86_400 * 1_000_000_000
"""Up to this span every sample is looked at."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One chart: the series it shows and the labels that tell its lines apart. `scale`: the least and the most that the
    axis shows; None: what there is."""

    series: str
    labels: tuple[str, ...]
    unit: str
    scale: tuple[float, float] | None = None


KINDS: dict[str, Kind] = {
    "cpu": Kind("cpu_used_ratio", (), "%", (0.0, 1.0)),
    "memory": Kind("memory_used_ratio", (), "%", (0.0, 1.0)),
    "load": Kind("load1", (), ""),
    "disk": Kind("filesystem_used_ratio", ("mountpoint",), "%", (0.0, 1.0)),
    "folder": Kind("folder_used_ratio", ("folder",), "%", (0.0, 1.0)),
    "probes": Kind("probe_duration_seconds", ("probe", "name"), "s"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """`points` are (UTC milliseconds, value), in order."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    kind: str
    unit: str
    since_ns: int
    until_ns: int
    scale: tuple[float, float] | None
    lines: tuple[Line, ...]


def charts(
    tx: Connection,
    site_id: str,
    kinds: Collection[str],
    *,
    since_ns: int,
    until_ns: int,
    agent_ids: Collection[str] = (),
) -> dict[str, Chart]:
    """The charts called `kinds` of a site between two times, of some of its agents or of all. Spans longer than
    `SPAN_MAX_NS` are cut at their beginning."""
    since_ns = max(since_ns, until_ns - SPAN_MAX_NS)
    wanted = {KINDS[kind].series: kind for kind in kinds}
    hosts = {agent.id: agent.hostname or agent.id for agent in agents.of_site(tx, site_id)}
    of_kind: dict[str, list[Track]] = {kind: [] for kind in kinds}
    for track in tracks_between(tx, site_id, wanted, since_ns=since_ns, until_ns=until_ns):
        if not agent_ids or track.agent_id in agent_ids:
            of_kind[wanted[track.series.name]].append(track)
    return {kind: _chart(kind, found, hosts, since_ns=since_ns, until_ns=until_ns) for kind, found in of_kind.items()}


def tracks_between(
    tx: Connection, site_id: str, names: Collection[str], *, since_ns: int, until_ns: int
) -> list[Track]:
    """Every sample of a few days; of more the lowest and the highest of each hour, and samples where it is not summed
    up yet."""
    if until_ns - since_ns <= SAMPLES_SPAN_NS:
        return tracks.named(tx, site_id, names, since_ns, until_ns=until_ns)
    briefs = sample_days.briefs(tx, site_id, names, since_ns, until_ns)
    summed_ns = max((brief.times_ns[-1] + HOUR_NS for brief in briefs), default=since_ns)
    fresh = tracks.named(tx, site_id, names, max(summed_ns, until_ns - SAMPLES_SPAN_NS), until_ns=until_ns)
    joined: dict[tuple[str, Series], tuple[list[int], list[float]]] = {}
    for brief in briefs:
        times_ns, numbers = joined.setdefault((brief.agent_id, brief.series), ([], []))
        for at_ns, lowest, highest in zip(brief.times_ns, brief.lowest, brief.highest, strict=True):
            times_ns += (at_ns, at_ns + HOUR_NS // 2)
            numbers += (lowest, highest)
    for track in fresh:
        times_ns, numbers = joined.setdefault((track.agent_id, track.series), ([], []))
        times_ns += track.times_ns
        numbers += track.numbers
    return [Track(agent_id, one, tuple(t), tuple(n)) for (agent_id, one), (t, n) in joined.items()]


def _chart(kind: str, found: Sequence[Track], hosts: dict[str, str], *, since_ns: int, until_ns: int) -> Chart:
    shape = KINDS[kind]
    highest = sorted(found, key=lambda track: -max(track.numbers))[:LINES_MAX]
    several = len({track.agent_id for track in highest}) > 1
    lines = [
        Line(
            _name(shape, track, hosts.get(track.agent_id, track.agent_id), several=several),
            thinned(track.times_ns, track.numbers),
        )
        for track in highest
    ]
    return Chart(kind, shape.unit, since_ns, until_ns, shape.scale, tuple(sorted(lines, key=lambda line: line.name)))


def _name(shape: Kind, track: Track, host: str, *, several: bool) -> str:
    labels = dict(track.series.labels)
    own = next((labels[label] for label in shape.labels if label in labels), "")
    return " ".join(part for part in (host if several or not own else "", own) if part)


def thinned(
    times_ns: Sequence[int], numbers: Sequence[float], *, points: int = POINTS_MAX
) -> tuple[tuple[int, float], ...]:
    """At most `points` of the samples: of each equal stretch of time its lowest and its highest, in their order."""
    count = len(times_ns)
    if count <= points:
        return tuple((at_ns // 1_000_000, number) for at_ns, number in zip(times_ns, numbers, strict=True))
    if any(map(gt, times_ns, times_ns[1:])):  # a clock was set back
        times_ns, numbers = zip(*sorted(zip(times_ns, numbers, strict=True)), strict=True)
    stretches = max(1, points // 2)
    width_ns = max(1, -(-(times_ns[-1] - times_ns[0] + 1) // stretches))
    kept: list[int] = []
    begin = 0
    while begin < count:
        stretch = (times_ns[begin] - times_ns[0]) // width_ns
        end = bisect_left(times_ns, times_ns[0] + (stretch + 1) * width_ns, begin)
        some = numbers[begin:end]
        kept += sorted({begin + some.index(min(some)), begin + some.index(max(some))})
        begin = end
    return tuple((times_ns[place] // 1_000_000, numbers[place]) for place in kept)
