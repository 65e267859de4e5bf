"""Charts of a site's health over time: series thinned out to what a screen can show, without losing a peak.

One question opens each block once, whatever the number of charts; spans of more than a few days are drawn from what
each hour came to. Thinning keeps of each stretch of time its lowest and its highest sample, so that a spike of ten
seconds is seen in a week. Not here: drawing (the browser), and what is stored (`store.tracks`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import agents, matrices, sample_days, tracks
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_days import HIGHEST, HOUR_NS, LOWEST
from sitewarden_collector.store.tracks import Track

POINTS_MAX = 400  # of a line
LINES_MAX = 8  # of a chart; the ones with the highest peaks are shown
SPAN_MAX_NS = 31 * 86_400 * 1_000_000_000
SAMPLES_SPAN_NS = 3 * 86_400 * 1_000_000_000
"""Up to this span every sample is looked at."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One chart: the series it shows and the labels that tell its lines apart; of several series each has a name in
    `names`. `scale`: the least and the most that the axis shows; None: what there is."""

    series: str
    labels: tuple[str, ...]
    unit: str
    scale: tuple[float, float] | None = None
    names: tuple[tuple[str, str], ...] = ()
    joined: bool = False
    """Whether all these labels together tell lines apart, not the first that is there; without any: all there are."""

    def all_series(self) -> tuple[str, ...]:
        return tuple(series for series, _ in self.names) or (self.series,)


KINDS: dict[str, Kind] = {
    "cpu": Kind("cpu_used_ratio", (), "%", (0.0, 1.0)),
    "memory": Kind("memory_used_ratio", (), "%", (0.0, 1.0)),
    "load": Kind("load1", (), ""),
    "disk": Kind("filesystem_used_ratio", ("mountpoint",), "%", (0.0, 1.0)),
    "folder": Kind("folder_used_ratio", ("folder",), "%", (0.0, 1.0)),
    "probes": Kind("probe_duration_seconds", ("probe", "name"), "s"),
    "process_cpu": Kind("process_cpu_used_ratio", ("process",), "%"),
    "process_memory": Kind("process_resident_memory_bytes", ("process",), "B"),
    "process_handles": Kind("process_open_fds", ("process",), ""),
    "top_cpu": Kind("top_process_cpu_used_ratio", ("process",), "%"),
    "top_memory": Kind("top_process_memory_bytes", ("process",), "B"),
    "container": Kind(
        "",
        ("process",),
        "%",
        names=(("cgroup_memory_used_ratio", "memory"), ("cgroup_cpu_throttled_ratio", "cpu throttled")),
    ),
    "waits": Kind("", (), "%", names=(("cpu_iowait_ratio", "iowait"), ("cpu_steal_ratio", "steal"))),
    "pressure": Kind(
        "",
        (),
        "%",
        names=(
            ("pressure_cpu_some_ratio", "cpu"),
            ("pressure_memory_some_ratio", "memory"),
            ("pressure_io_some_ratio", "io"),
        ),
    ),
    "swap": Kind("swap_used_ratio", (), "%", (0.0, 1.0)),
    "disk_busy": Kind("disk_busy_ratio", ("device",), "%", (0.0, 1.0)),
    "network": Kind(
        "",
        (),
        "B/s",
        names=(("network_receive_bytes_per_second", "\u2193"), ("network_transmit_bytes_per_second", "\u2191")),
    ),
    "temperature": Kind("temperature_celsius", ("sensor",), "\u00b0C"),
    "certificates": Kind("certificate_left_days", ("probe",), "d"),
    "file_age": Kind("file_age_seconds", ("probe",), "s"),
    "file_size": Kind("file_size_bytes", ("probe",), "B"),
    "restarts": Kind("unit_restarts_total", ("probe",), ""),
    "database": Kind("", ("probe",), "s", names=(("sql_connect_seconds", "connect"), ("sql_query_seconds", "query"))),
    "database_value": Kind("sql_value", ("probe",), ""),
    "check_seconds": Kind("plugin_seconds", ("probe", "label"), "s", joined=True),
    "check_ratio": Kind("plugin_ratio", ("probe", "label"), "%", joined=True),
    "check_bytes": Kind("plugin_bytes", ("probe", "label"), "B", joined=True),
    "check_value": Kind("plugin_value", ("probe", "label"), "", joined=True),
}
OWN = "own:"
"""Before the name of a series that the product tells of itself: such a chart is drawn of each."""
_OWN_UNITS = {"seconds": "s", "bytes": "B", "ratio": "%", "celsius": "\u00b0C"}


def kind_of(what: str) -> Kind | None:
    """The chart called so; None when there is none."""
    if what.startswith(OWN):
        name = what.removeprefix(OWN)
        return Kind(name, (), _OWN_UNITS.get(name.removesuffix("_total").rpartition("_")[2], ""), joined=True)
    return KINDS.get(what)


def _kind(what: str) -> Kind:
    found = kind_of(what)
    if found is None:
        raise KeyError(what)
    return found


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
    older: Sequence[Track] = (),
) -> dict[str, Chart]:
    """The charts called `kinds` of a site between two times, of some of its agents or of all. Spans longer than
    `SPAN_MAX_NS` are cut at their beginning. `older`: what a remote store keeps (`remote_read`)."""
    since_ns = max(since_ns, until_ns - SPAN_MAX_NS)
    wanted = {series: kind for kind in kinds for series in _kind(kind).all_series()}
    hosts = {agent.id: agent.hostname or agent.id for agent in agents.of_site(tx, site_id)}
    of_kind: dict[str, list[Track]] = {kind: [] for kind in kinds}
    for track in tracks_between(tx, site_id, wanted, since_ns=since_ns, until_ns=until_ns, older=older):
        if not agent_ids or track.agent_id in agent_ids:
            of_kind[wanted[track.series.name]].append(track)
    return {kind: _chart(kind, found, hosts, since_ns=since_ns, until_ns=until_ns) for kind, found in of_kind.items()}


def names_of(kinds: Collection[str]) -> set[str]:
    """The names of all series that these charts show."""
    return {series for kind in kinds for series in _kind(kind).all_series()}


def tracks_between(
    tx: Connection,
    site_id: str,
    names: Collection[str],
    *,
    since_ns: int,
    until_ns: int,
    older: Sequence[Track] = (),
) -> list[Track]:
    """Every sample of a few days; of more the lowest and the highest of each hour, and samples where it is not summed
    up yet. Before them `older`, what is not kept here any more."""
    here = _kept_here(tx, site_id, names, since_ns=since_ns, until_ns=until_ns)
    if not older:
        return here
    joined: dict[tuple[str, Series], list[Track]] = {}
    for track in (*older, *here):
        joined.setdefault((track.agent_id, track.series), []).append(track)
    return [
        Track(agent_id, one, np.concatenate([part.times for part in parts]), np.concatenate([p.values for p in parts]))
        for (agent_id, one), parts in joined.items()
    ]


def _kept_here(tx: Connection, site_id: str, names: Collection[str], *, since_ns: int, until_ns: int) -> list[Track]:
    if until_ns - since_ns <= SAMPLES_SPAN_NS:
        return tracks.named(tx, site_id, names, since_ns, until_ns=until_ns)
    briefs = sample_days.briefs(tx, site_id, names, since_ns, until_ns)
    summed_ns = max((int(brief.times[-1]) + HOUR_NS for brief in briefs), default=since_ns)
    fresh = tracks.named(tx, site_id, names, max(summed_ns, until_ns - SAMPLES_SPAN_NS), until_ns=until_ns)
    joined: dict[tuple[str, Series], list[tuple[Times, Matrix]]] = {}
    for brief in briefs:
        # Where in its hour the lowest was and where the highest is not known: one stands at its beginning.
        times = np.stack([brief.times, brief.times + HOUR_NS // 2], axis=1).ravel()
        values = np.stack([brief.figures[LOWEST], brief.figures[HIGHEST]], axis=1).ravel()
        joined.setdefault((brief.agent_id, brief.series), []).append((times, values))
    for track in fresh:
        joined.setdefault((track.agent_id, track.series), []).append((track.times, track.values))
    return [
        Track(agent_id, one, np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
        for (agent_id, one), parts in joined.items()
    ]


def _chart(kind: str, found: Sequence[Track], hosts: dict[str, str], *, since_ns: int, until_ns: int) -> Chart:
    shape = _kind(kind)
    highest = sorted(found, key=lambda track: -float(track.values.max()))[:LINES_MAX]
    several = len({track.agent_id for track in highest}) > 1
    lines = [
        Line(
            _name(shape, track, hosts.get(track.agent_id, track.agent_id), several=several),
            thinned(track.times, track.values),
        )
        for track in highest
    ]
    return Chart(kind, shape.unit, since_ns, until_ns, shape.scale, tuple(sorted(lines, key=lambda line: line.name)))


def _name(shape: Kind, track: Track, host: str, *, several: bool) -> str:
    labels = dict(track.series.labels)
    if shape.joined:
        own = " ".join(labels[label] for label in shape.labels or _telling(labels) if label in labels)
    else:
        own = next((labels[label] for label in shape.labels if label in labels), "")
    which = dict(shape.names).get(track.series.name, "")
    return " ".join(part for part in (host if several or not (own or which) else "", own, which) if part)


def _telling(labels: dict[str, str]) -> list[str]:
    """Of a product's own series: all labels but the probe's name, unless that is the only one."""
    return sorted(set(labels) - {"probe"}) or list(labels)


def thinned(times: Times, values: Matrix, *, points: int = POINTS_MAX) -> tuple[tuple[int, float], ...]:
    """At most `points` of the samples, as (UTC milliseconds, value): of each equal stretch of time its lowest and its
    highest, in their order."""
    times, matrix = matrices.in_order(times, values[np.newaxis, :])  # a clock may have been set back
    values = matrix[0]
    if len(times) > points:
        kept: list[int] = []
        stretches = max(1, points // 2)
        width_ns = max(1, -(-(int(times[-1]) - int(times[0]) + 1) // stretches))
        begins = np.flatnonzero(np.diff((times - times[0]) // width_ns, prepend=-1))
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(times)], strict=True):
            some = values[begin:end]
            kept += sorted({begin + int(some.argmin()), begin + int(some.argmax())})
        times, values = times[kept], values[kept]
    return tuple(zip((times // 1_000_000).tolist(), values.tolist(), strict=True))
