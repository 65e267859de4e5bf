"""Threshold rules over blocks of samples, with hysteresis.

A block is looked at by its columns: as long as its greatest value is not past the level and the rule is quiet, nothing
else is done. Only where a level is crossed are the ticks gone through, in their order, so that the result does not
depend on how samples were cut into blocks.

What is older than the newest that a level has seen is left out: it neither stretches the time that a level was passed,
nor says that it is over, nor opens again what recovered since. For that a level that fired is remembered for a while
after its recovery (`over`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sitewarden_alerting.identity import key
from sitewarden_alerting.model import SECOND_NS, Evidence, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import Observation, Samples, Series
from sitewarden_alerting.rules.columns import Column
from sitewarden_alerting.rules.rulebook import Threshold
from sitewarden_alerting.rules.state import OVER_NS, Level, SiteState, Working
from sitewarden_alerting.wording import duration, quantity, series_text


def threshold(
    work: Working, rule: Threshold, observation: Observation, column: Column, samples: Samples, *, now_ns: int
) -> None:
    """Apply a rule to one series of a block."""
    values = samples.columns[column.place]
    under = None if column.under is None else samples.columns[column.under]
    name = key(rule.name, observation.place.agent_id, column.text)
    if name in work.levels or _may_be_past(rule, values, under):
        _walk(work, rule, observation, column.series, name, samples.times_ns, values, under, now_ns=now_ns)


def _may_be_past(rule: Threshold, values: Sequence[float], under: Sequence[float] | None) -> bool:
    """Whether any tick can be past the level. A NaN at the start makes it true: then the ticks are gone through."""
    if not len(values):
        return False
    if under is not None:
        return True  # ratios are few and their blocks short
    if rule.above is not None and not max(values) <= rule.above:
        return True
    return rule.below is not None and not min(values) >= rule.below


def _past(rule: Threshold, value: float) -> bool:
    return (rule.above is not None and value > rule.above) or (rule.below is not None and value < rule.below)


def _cleared(rule: Threshold, value: float) -> bool:
    if rule.clear is None:
        return not _past(rule, value)
    return value <= rule.clear if rule.above is not None else value >= rule.clear


def _walk(
    work: Working,
    rule: Threshold,
    observation: Observation,
    series: Series,
    name: str,
    times_ns: Sequence[int],
    values: Sequence[float],
    under: Sequence[float] | None,
    *,
    now_ns: int,
) -> None:
    level = work.levels.get(name)
    for tick, raw in enumerate(values):
        value = raw if under is None else (raw / under[tick] if under[tick] > 0 else math.nan)
        if not math.isfinite(value):
            continue
        at_ns = min(times_ns[tick], now_ns)
        if level is not None and at_ns < level.last_ns:
            continue
        if level is not None and level.signal is not None:
            if _cleared(rule, value):
                work.signals.append(_recovered(rule, level.signal, value, at_ns))
                level = Level(at_ns, at_ns, value, over=True)
            else:
                level = replace(level, last_ns=at_ns, value=value)
        elif _past(rule, value):
            since_ns = at_ns if level is None or level.over else level.since_ns
            level = Level(since_ns, at_ns, value)
            if at_ns - since_ns >= rule.for_s * SECOND_NS:
                signal = _firing(rule, observation, series, level)
                work.signals.append(signal)
                level = replace(level, signal=signal)
        elif level is not None and level.over and at_ns - level.since_ns < OVER_NS:
            level = replace(level, last_ns=at_ns, value=value)
        else:
            level = None
    if level is None:
        work.levels.pop(name, None)
    else:
        work.levels[name] = level


def _firing(rule: Threshold, observation: Observation, series: Series, level: Level) -> Signal:
    shown = f"{rule.series}_ratio" if rule.divide_by else rule.series
    limit, side = (rule.above, "over") if rule.above is not None and level.value > rule.above else (rule.below, "under")
    assert limit is not None
    where = ", ".join(value for _, value in series.labels)
    host = observation.place.hostname or observation.place.agent_id
    said = f"{series_text(series)} on {host} is {quantity(level.value, shown)}, {side} {quantity(limit, shown)}"
    if level.last_ns > level.since_ns:
        said += f" for {duration(level.last_ns - level.since_ns)}"
    return Signal(
        rule=rule.name,
        kind=SignalKind.LEVEL,
        site_id=observation.place.site_id,
        customer_id=observation.place.customer_id,
        fault=f"level:{key(rule.name, observation.place.agent_id, series_text(series))}",
        subject=f"{host}: {series_text(series)}",
        state=SignalState.FIRING,
        severity=int(rule.severity),
        title=f"{rule.title or rule.series}: {where + ' on ' if where else ''}{host}, {quantity(level.value, shown)}",
        reason=said,
        at_ns=level.last_ns,
        evidence=(
            Evidence(
                agent_id=observation.place.agent_id,
                epoch=observation.key.epoch,
                seq=observation.key.seq,
                index=observation.key.index,
                at_ns=level.last_ns,
                hostname=observation.place.hostname,
                text=said,
            ),
        ),
        page=rule.page,
    )


def _recovered(rule: Threshold, fired: Signal, value: float, at_ns: int) -> Signal:
    shown = f"{rule.series}_ratio" if rule.divide_by else rule.series
    said = f"{fired.subject} is {quantity(value, shown)} again"
    return replace(fired, state=SignalState.RECOVERED, count=0, evidence=(), reason=said, at_ns=at_ns)


def levelled(state: SiteState) -> frozenset[str]:
    """The agents of which a level is remembered: their samples must be looked at, however quiet they are."""
    return frozenset(name.split("|", 2)[1] for name in state.levels)
