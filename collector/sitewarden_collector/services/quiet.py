"""Which blocks of samples can change nothing, found by looking at many of them at once as arrays.

Most samples of most hosts are far from every level. Promise: for a host of which the rules remember no level, a block
that is not in the answer would leave `rules.evaluate` with the same state and without a signal. Not here: what becomes
of the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sitewarden_alerting.observations import Series
from sitewarden_alerting.rules import Column, Plan, Plans
from sitewarden_protos import blocks as codec

VALUES_AT_ONCE = 16_384  # what fits into a processor's cache is looked at fastest
PLANS_MAX = 4_096

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Some columns, by their place among those that are opened, with the levels between which nothing happens."""

    places: npt.NDArray[np.intp]
    unders: npt.NDArray[np.intp] | None
    above: Floats
    below: Floats

    def passed(self, values: Floats) -> npt.NDArray[np.bool_]:
        """For each block whether a number of it is beyond a level. `values` is block x column x tick."""
        mine = values[:, self.places, :]
        if self.unders is not None:
            under = values[:, self.unders, :]
            mine = np.where(under > 0, mine / under, np.nan)
        high, low = np.fmax.reduce(mine, axis=2), np.fmin.reduce(mine, axis=2)
        beyond: npt.NDArray[np.bool_] = ((high > self.above) | (low < self.below)).any(axis=1)
        return beyond


@dataclass(frozen=True, slots=True)
class _Look:
    """What of a schema is opened, and what is asked of it."""

    plan: Plan  # held, so that its identity is its own
    series: int
    wanted: npt.NDArray[np.intp]
    bounds: tuple[_Bounds, ...]


class Looks:
    """How to look at blocks for the sake of one rulebook; worked out once a schema."""

    def __init__(self, plans: Plans) -> None:
        self.plans = plans
        self._made: dict[int, _Look] = {}

    def beyond(self, blocks: Sequence[tuple[tuple[Series, ...], bytes]]) -> set[int]:
        """The places in `blocks` of those that may matter to a rule, or that cannot be read."""
        found: set[int] = set()
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        looks: dict[int, _Look] = {}
        for at, (series, block) in enumerate(blocks):
            known = id(series)
            look = looks.get(known)
            if look is None:
                look = looks[known] = self._look(series)
            if look.plan.awaited:
                found.add(at)
            elif look.bounds:
                alike[known, codec.ticks_of(block)].append(at)
        for (known, ticks), places in alike.items():
            look = looks[known]
            step = max(1, VALUES_AT_ONCE // max(1, look.series * ticks))
            for start in range(0, len(places), step):
                some = places[start : start + step]
                found.update(_beyond(look, ticks, some, blocks))
        return found

    def _look(self, series: tuple[Series, ...]) -> _Look:
        plan = self.plans.of(series)
        made = self._made.get(id(plan))
        if made is None or made.plan is not plan:
            if len(self._made) >= PLANS_MAX:
                self._made.clear()
            made = self._made[id(plan)] = _look(plan, len(series))
        return made


def _look(plan: Plan, series: int) -> _Look:
    plain = [one for one in plan.columns if one.under is None]
    shares = [one for one in plan.columns if one.under is not None]
    wanted = sorted({one.place for one in plan.columns} | {one.under for one in shares if one.under is not None})
    at = {place: number for number, place in enumerate(wanted)}
    bounds = tuple(_bounds(some, at) for some in (plain, shares) if some)
    return _Look(plan, series, np.array(wanted, np.intp), bounds)


def _bounds(columns: Iterable[Column], at: dict[int, int]) -> _Bounds:
    some = list(columns)
    unders = [at[one.under] for one in some if one.under is not None]
    return _Bounds(
        np.array([at[one.place] for one in some], np.intp),
        np.array(unders, np.intp) if unders else None,
        np.array([np.inf if one.rule.above is None else one.rule.above for one in some]),
        np.array([-np.inf if one.rule.below is None else one.rule.below for one in some]),
    )


def _beyond(look: _Look, ticks: int, places: Sequence[int], blocks: Sequence[tuple[object, bytes]]) -> list[int]:
    parts, readable, damaged = [], [], []
    for at in places:
        try:
            parts.append(codec.values(blocks[at][1], series=look.series))
            readable.append(at)
        except codec.BlockError:
            damaged.append(at)
    if not parts or not ticks:
        return damaged
    planes = np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), 8, look.series, ticks)
    words = np.ascontiguousarray(planes[:, :, look.wanted, :].transpose(0, 2, 3, 1)).view("<u8")[..., 0]
    values = np.bitwise_xor.accumulate(words, axis=2).view(np.float64)
    with np.errstate(all="ignore"):
        passed = np.logical_or.reduce([one.passed(values) for one in look.bounds])
    return damaged + [at for at, loud in zip(readable, passed.tolist(), strict=True) if loud]
