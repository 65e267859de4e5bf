"""Charts that reach further back than what is kept here: the older part out of the remote store that samples went to.

Asked by Prometheus's query API: of each stretch of time the lowest and the highest sample, as charts are thinned out
here. Only series that an agent of the site told are taken from the answer. When the store cannot be read, what is kept
here is shown alone, and a sentence says so. Not here: what is kept here (`services.charts`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sitewarden_alerting.model import DAY_NS, SECOND_NS
from sitewarden_alerting.observations import Series
from sitewarden_collector.channels.remote_store import Curve, RemoteStore
from sitewarden_collector.config import Config, Retention
from sitewarden_collector.errors import ChannelUnavailable, ConfigError
from sitewarden_collector.services import charts, remote_names
from sitewarden_collector.store import remote_places
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.tracks import Track

DEADLINE_S = 10.0
AT_ONCE = 4
STEP_MIN_S = 1
MS_MAX = (2**63 - 1) // 1_000_000

Told = Mapping[str, Collection[Series]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers for one name: of each stretch of `step_ms` the lowest and the highest, told at its end."""

    name: str
    step_ms: int
    lowest: list[Curve]
    highest: list[Curve]


@dataclass(frozen=True, slots=True)
class Older:
    """What a remote store keeps of a stretch of time that is not kept here. `note`: why it could not be read."""

    tracks: tuple[Track, ...] = ()
    note: str = ""


def kept_since_ns(policy: Retention, *, since_ns: int, until_ns: int, now_ns: int) -> int:
    """Since when what a chart of such a span is drawn from is kept here."""
    span_ns = min(until_ns - since_ns, charts.SPAN_MAX_NS)
    days = policy.samples_days if span_ns <= charts.SAMPLES_SPAN_NS else max(policy.samples_days, policy.rollups_days)
    return now_ns - round(days * DAY_NS)


async def older(
    db: Database,
    config: Config,
    site_id: str,
    names: Collection[str],
    *,
    since_ns: int,
    until_ns: int,
    now_ns: int,
    points: int = charts.POINTS_MAX,
) -> Older:
    """The series called `names` of a site from before what is kept here; nothing where all of it is, or where no store
    is read from."""
    since_ns = max(since_ns, until_ns - charts.SPAN_MAX_NS)
    kept_ns = kept_since_ns(config.retention, since_ns=since_ns, until_ns=until_ns, now_ns=now_ns)
    if not config.export.remote_write.read_url or since_ns >= kept_ns:
        return Older()
    told = await db.read(remote_places.told, site_id, names)
    if not told:
        return Older()
    step_s = max(STEP_MIN_S, -(-(until_ns - since_ns) // (SECOND_NS * max(1, points // 2))))
    end_ns = min(until_ns, kept_ns)
    why = ""
    try:
        store = RemoteStore(config.export.remote_write)
        try:
            async with asyncio.timeout(DEADLINE_S):
                found = await _ask(store, told, since_ns=since_ns, end_ns=end_ns, step_s=step_s)
        finally:
            await store.close()
    except TimeoutError:
        why = f"it gave no answer within {DEADLINE_S:.0f} s"
    except (ChannelUnavailable, ConfigError) as error:
        why = str(error)
    if why:
        return Older(note=f"what is not kept here any more could not be read from the remote store: {why}")
    return Older(tuple(_tracks(found, told, config.export.remote_write.labels, since_ns=since_ns, end_ns=end_ns)))


async def _ask(store: RemoteStore, told: Told, *, since_ns: int, end_ns: int, step_s: int) -> list[Asked]:
    """Of every name its lowest and its highest in each stretch. Raises ChannelUnavailable."""
    agents = "|".join(sorted(told))
    turns = asyncio.Semaphore(AT_ONCE)
    # A stretch is told at its end, and its beginning is not in it.
    start_s = since_ns / SECOND_NS + step_s - 0.001
    end_s = start_s + max(0, -(-(end_ns - since_ns) // (SECOND_NS * step_s)) - 1) * step_s

    async def one(name: str) -> Asked:
        metric = remote_names.metric(name)
        both = []
        for which in ("min", "max"):
            query = f'{which}_over_time({metric}{{agent=~"{agents}"}}[{step_s}s])'
            async with turns:
                both.append(await store.curves(query, start_s=start_s, end_s=end_s, step_s=step_s))
        return Asked(name, step_s * 1000, *both)

    names = sorted({series.name for some in told.values() for series in some})
    answers = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if isinstance(answer, Asked)]


def _tracks(
    found: Sequence[Asked], told: Told, further: Mapping[str, str], *, since_ns: int, end_ns: int
) -> Iterator[Track]:
    """The answers as tracks of the series that they are of."""
    for asked in found:
        highest = {_key(curve): curve for curve in asked.highest}
        for low in asked.lowest:
            high = highest.get(_key(low))
            agent_id = low.labels.get("agent", "")
            series = _series_of(low, asked.name, told.get(agent_id, ()), further)
            if high is None or series is None or not np.array_equal(high.times_ms, low.times_ms):
                continue  # not of this site; or written at this very moment, and the next look has it
            both = low.values != high.values
            quarter = asked.step_ms // 4
            # Where in its stretch a sample was is not known: a single one stands in its middle.
            times_ms = np.concatenate(
                [low.times_ms[both] - 3 * quarter, high.times_ms - np.where(both, 1, 2) * quarter]
            )
            values = np.concatenate([low.values[both], high.values])
            times = times_ms * 1_000_000
            sane = (times_ms >= 0) & (times_ms <= MS_MAX)  # beyond it the product is another time
            there = sane & (times >= since_ns) & (times < end_ns) & ~np.isnan(values)
            if there.any():
                order = np.argsort(times[there], kind="stable")
                yield Track(agent_id, series, times[there][order], values[there][order])


def _key(curve: Curve) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in curve.labels.items() if name != remote_names.NAME))


def _series_of(curve: Curve, name: str, told: Collection[Series], further: Mapping[str, str]) -> Series | None:
    """Of the series of that name that an agent told, the one with most labels that are all the curve's."""
    best: Series | None = None
    most = -1
    for series in told:
        labels = remote_names.own(series, further)
        if series.name == name and len(labels) > most and labels.items() <= curve.labels.items():
            best, most = series, len(labels)
    return best
