"""When a growing value reaches its limit: a robust line, and an interval for the date.

The slope is the median of the slopes between all pairs of points (Theil 1950, Sen 1968), on data thinned to medians of
equal spans of time, so that a burst or a bad sample moves nothing. Its interval is Sen's, from the ranks of Kendall's
statistic, widened to what the two halves of the data say by themselves, since neighbouring samples are not
independent. Falls (log rotation, a clean-up) cut the data into segments: with one segment the line is that of the last;
with several the value is a sawtooth, and what counts is whether its teeth grow to the limit, or this tooth passes it
before the next fall is due.

A forecast is only trusted for a multiple of the time that its data span (the caller's `trust_spans`). Times are UTC
nanoseconds, values in the unit of the limit. No NumPy: at most `POINTS` points are compared pair by pair.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from sitewarden_alerting.model import SECOND_NS

POINTS = 60
SHORTEST_NS = 10 * SECOND_NS
MIN_POINTS = 5
MIN_SPAN_S = 5.0
Z_90 = 1.645
LEAST_DOUBT = 0.05  # no interval is narrower than that share of the time to go, however straight the line was
SAME_PACE = 2.0
NEARLY = 0.95  # what came nearer to its limit than that was not saved by habit
NOISE_STEPS = 8.0
FALL_SHARE = 0.1  # a fall is at least that share of the range of the data ...
FALL_SPREAD = 6.0  # ... and that many times the usual step


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through the data: `level` at `at_ns`, slopes per second with their interval, and what it rests on."""

    at_ns: int
    level: float
    slope: float
    slope_low: float
    slope_high: float
    span_ns: int
    points: int
    falls: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """When the limit is reached: the likely time, the earliest and the latest (None: it may never be)."""

    at_ns: int
    early_ns: int
    late_ns: int | None


def fit(times_ns: Sequence[int], values: Sequence[float]) -> Trend | None:
    """The trend of a series, oldest first; None when there are too few points or too little time to say anything."""
    points = [(t, v) for t, v in zip(times_ns, values, strict=True) if not math.isnan(v)]
    segments = _segments(points)
    if len(segments) >= 3:
        return _sawtooth(segments)
    return _line(segments[-1], falls=len(segments) - 1) if segments else None


def reaches(trend: Trend, limit: float, *, trust_spans: float) -> Reach | None:
    """When `trend` reaches `limit`; None when it does not, or later than its data let anybody say.

    A level at the limit already is reached at the trend's own time.
    """
    missing = limit - trend.level
    if missing <= 0:
        return Reach(trend.at_ns, trend.at_ns, trend.at_ns)
    if trend.slope <= 0:
        return None
    away_s = missing / trend.slope
    if away_s * SECOND_NS > trend.span_ns * trust_spans:
        return None
    early_s = min(missing / max(trend.slope_high, trend.slope), away_s * (1 - LEAST_DOUBT))
    late_s = (
        max(missing / min(trend.slope_low, trend.slope), away_s * (1 + LEAST_DOUBT)) if trend.slope_low > 0 else None
    )
    late = None if late_s is None else _later(trend.at_ns, late_s)
    return Reach(_later(trend.at_ns, away_s), _later(trend.at_ns, early_s), late)


def foresee(
    times_ns: Sequence[int], values: Sequence[float], limit: float, *, trust_spans: float
) -> tuple[Trend, Reach] | None:
    """The most urgent forecast that the data bear: from the shortest of their last stretches (each four times as long
    as the one before) that reaches `limit` within what it may be trusted for; None when none does.

    A short stretch sees a folder that fills within minutes, and is trusted for minutes; the whole sees weeks. A value
    that was seen to fall back before its limit is believed to do so again, whatever a stretch says.
    """
    whole = fit(times_ns, values)
    if whole is None:
        return None
    if whole.falls >= 2:
        reach = reaches(whole, limit, trust_spans=trust_spans)
        return None if reach is None else (whole, reach)
    if whole.falls == 1 and _is_habit(times_ns, values, limit):
        return None
    usual = median(
        abs(v2 - v1 - whole.slope * (t2 - t1) / SECOND_NS)
        for (t1, v1), (t2, v2) in pairwise(zip(times_ns, values, strict=True))
        if not math.isnan(v2 - v1)
    )
    stretch_ns = max(SHORTEST_NS, times_ns[-1] - times_ns[-MIN_POINTS])
    while stretch_ns < 4 * (times_ns[-1] - times_ns[0]):
        start = bisect_left(times_ns, times_ns[-1] - stretch_ns)
        trend = fit(times_ns[start:], values[start:])
        reach = None if trend is None else reaches(trend, limit, trust_spans=trust_spans)
        if trend is not None and reach is not None and (start == 0 or _is_sure(trend, usual)):
            return trend, reach
        stretch_ns *= 4
    return None


def _is_habit(times_ns: Sequence[int], values: Sequence[float], limit: float) -> bool:
    """Whether a value that fell once is only on its way back to where it fell from, not faster than it went before."""
    before, now = _segments(list(zip(times_ns, values, strict=True)))[-2:]
    peak = max(value for _, value in before)
    first, last = _line(before, falls=0), _line(now, falls=0)
    slower = first is not None and last is not None and last.slope <= SAME_PACE * first.slope
    return now[-1][1] < peak < NEARLY * limit and slower


def _is_sure(trend: Trend, usual_step: float) -> bool:
    """Whether a stretch rises for certain, by more than the whole of the data goes up and down anyway."""
    return trend.slope_low > 0 and trend.slope * trend.span_ns / SECOND_NS >= NOISE_STEPS * usual_step


def _later(at_ns: int, seconds: float) -> int:
    return at_ns + round(seconds * SECOND_NS)


def _segments(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """The data between falls."""
    if not points:
        return []
    values = [value for _, value in points]
    steps = [after - before for before, after in pairwise(values)]
    spread = median(abs(step) for step in steps) if steps else 0.0
    least = max(FALL_SHARE * (max(values) - min(values)), FALL_SPREAD * spread)
    segments: list[list[tuple[int, float]]] = [[points[0]]]
    for step, point in zip(steps, points[1:], strict=True):
        if -step > least > 0:
            segments.append([])
        segments[-1].append(point)
    # A point or two between two falls are one fall seen twice: a dip, or an hour told by its lowest and its highest.
    joined = segments[:1]
    for place, segment in enumerate(segments[1:], start=2):
        if len(segment) <= 2 and place < len(segments):
            joined[-1].extend(segment)
        else:
            joined.append(segment)
    return joined


def _thin(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `POINTS` points: the medians of equal spans of time."""
    if len(points) <= POINTS:
        return list(points)
    first, span = points[0][0], points[-1][0] - points[0][0] + 1
    spans: dict[int, list[tuple[int, float]]] = {}
    for point in points:
        spans.setdefault((point[0] - first) * POINTS // span, []).append(point)
    return [(round(median(t for t, _ in inside)), median(v for _, v in inside)) for inside in spans.values()]


def _line(points: Sequence[tuple[int, float]], *, falls: int) -> Trend | None:
    """Theil and Sen's line through one segment."""
    if len(points) < MIN_POINTS:
        return None
    span_ns = points[-1][0] - points[0][0]
    if span_ns < MIN_SPAN_S * SECOND_NS:
        return None
    thinned = _thin(points)
    slopes = _slopes(thinned)
    if not slopes:
        return None
    slope = median(slopes)
    low, high = _sen_interval(slopes, len(thinned))
    half = len(thinned) // 2
    for part in (thinned[: half + 1], thinned[half:]):
        if part_slopes := _slopes(part):
            low, high = min(low, median(part_slopes)), max(high, median(part_slopes))
    if slope > 0 and (late := _slopes(thinned[-max(MIN_POINTS, len(thinned) // 3) :])) and median(late) <= 0.1 * slope:
        slope = low = min(slope, median(late))  # the growth has stopped
    at_ns = points[-1][0]
    level = median(v + slope * (at_ns - t) / SECOND_NS for t, v in thinned[-max(3, len(thinned) // 5) :])
    return Trend(at_ns, level, slope, low, high, span_ns, len(points), falls)


def _slopes(points: Sequence[tuple[int, float]]) -> list[float]:
    """The slopes per second between all pairs, sorted."""
    return sorted(
        (v2 - v1) / (t2 - t1) * SECOND_NS for i, (t1, v1) in enumerate(points) for t2, v2 in points[i + 1 :] if t2 > t1
    )


def _sen_interval(slopes: Sequence[float], n: int) -> tuple[float, float]:
    """The 90 % interval of the median slope by the ranks that Kendall's variance allows (Sen 1968)."""
    spread = Z_90 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = math.floor((len(slopes) - spread) / 2)
    high = math.ceil((len(slopes) + spread) / 2)
    return slopes[max(0, low)], slopes[min(len(slopes) - 1, high)]


def _sawtooth(segments: Sequence[Sequence[tuple[int, float]]]) -> Trend | None:
    """The trend of a value that falls back again and again: that of its peaks, or of this tooth where it would pass
    the former peaks before its next fall is due."""
    done = segments[:-1]
    peaks = [(segment[-1][0], max(value for _, value in segment)) for segment in done]
    first_ns, last = segments[0][0][0], segments[-1]
    tooth = _line(last, falls=len(done))
    if tooth is not None and tooth.slope > 0:
        usual_ns = median(after[0] - before[0] for before, after in pairwise(peaks))
        overdue = last[-1][0] - peaks[-1][0] > 1.5 * usual_ns
        passed = last[-1][1] > max(value for _, value in peaks)
        if overdue or passed:
            return tooth  # it did not fall where it always fell: the habit is broken
    slopes = _slopes(peaks)
    if not slopes:
        return None
    slope = median(slopes)
    low, high = (slopes[0], slopes[-1]) if len(slopes) > 1 else (min(0.0, slope), slope)
    level = median(v + slope * (peaks[-1][0] - t) / SECOND_NS for t, v in peaks)
    at_ns = last[-1][0]
    return Trend(at_ns, level, slope, low, high, at_ns - first_ns, sum(map(len, segments)), len(done))
