"""Which rules look at which columns of a block, worked out once for each way of telling series.

A schema is told once and its blocks come for years. `Plans` knows a tuple of series by its identity, so whoever reads
blocks hands in the same tuple for the same schema; another tuple of the same series is merely worked out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sitewarden_alerting.observations import Series
from sitewarden_alerting.rules.rulebook import Absence, AnyRule, Threshold
from sitewarden_alerting.wording import series_text

SCHEMAS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Column:
    """A series that a threshold rule judges: its place in the block, that of its divisor, and what it is called."""

    rule: Threshold
    place: int
    under: int | None
    series: Series
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a block, in the order of the rules. `awaited`: that it came at all matters to a rule."""

    steps: tuple[Column | Absence, ...]
    columns: tuple[Column, ...]
    awaited: bool


class Plans:
    """The plans of some rules, made when they are first asked for."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        self._rules = tuple(rule for rule in rules if isinstance(rule, Threshold | Absence))
        self._made: dict[int, tuple[tuple[Series, ...], Plan]] = {}

    def of(self, series: tuple[Series, ...]) -> Plan:
        """The plan for blocks of these series."""
        found = self._made.get(id(series))
        if found is not None and found[0] is series:
            return found[1]
        steps = tuple(self._steps(series))
        columns = tuple(step for step in steps if isinstance(step, Column))
        plan = Plan(steps, columns, awaited=len(columns) < len(steps))
        if len(self._made) >= SCHEMAS_MAX:
            self._made.clear()
        self._made[id(series)] = series, plan
        return plan

    def _steps(self, series: tuple[Series, ...]) -> Iterator[Column | Absence]:
        for rule in self._rules:
            if isinstance(rule, Absence):
                if rule.series and any(one.name == rule.series for one in series):
                    yield rule
            else:
                yield from _columns(rule, series)


def _columns(rule: Threshold, series: tuple[Series, ...]) -> Iterator[Column]:
    for place, one in enumerate(series):
        if one.name != rule.series or not _labels_match(rule, one):
            continue
        under = _divisor(rule, series, one) if rule.divide_by else None
        if under is not None or not rule.divide_by:
            yield Column(rule, place, under, one, series_text(one))


def _labels_match(rule: Threshold, series: Series) -> bool:
    given = dict(series.labels)
    return all(fnmatchcase(given.get(name, ""), pattern) for name, pattern in rule.labels)


def _divisor(rule: Threshold, series: tuple[Series, ...], one: Series) -> int | None:
    wanted = sorted(one.labels)
    found = (at for at, other in enumerate(series) if other.name == rule.divide_by and sorted(other.labels) == wanted)
    return next(found, None)
