"""The newest number of each series in a block that is still packed: looked up when it is asked for, as of several
blocks of one agent only the newest is, and for hundreds of blocks in one go. Not here: the block's form
(`sitewarden_protos.blocks`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np


class Newest(Sequence[float]):
    """NaN where a series has no number. `shuffled`: the block's values, still XORed and shuffled; `width`: series."""

    __slots__ = ("shuffled", "width")

    def __init__(self, shuffled: bytes, width: int) -> None:
        self.shuffled = shuffled
        self.width = width

    def __len__(self) -> int:
        return self.width

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[float]: ...
    def __getitem__(self, place: int | slice) -> float | Sequence[float]:
        return looked_up([self])[0][place]

    def __iter__(self) -> Iterator[float]:
        return iter(looked_up([self])[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def looked_up(asked: Sequence[Sequence[float]]) -> list[list[float]]:
    """The numbers of each; blocks of one shape are looked at together."""
    found: list[list[float]] = [[]] * len(asked)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, one in enumerate(asked):
        if isinstance(one, Newest):
            alike[one.width, len(one.shuffled)].append(place)
        else:
            found[place] = list(one)
    for (width, _), places in alike.items():
        shuffled = b"".join([asked[place].shuffled for place in places])  # type: ignore[attr-defined]
        planes = np.frombuffer(shuffled, np.uint8).reshape(len(places), 8, width, -1)
        # Each value is XORed with the one before it: all of a series together are its last one.
        ends = np.bitwise_xor.reduce(planes, axis=3).transpose(0, 2, 1)
        numbers = np.ascontiguousarray(ends).view("<f8")[:, :, 0]
        told = numbers.tolist()
        for at in np.flatnonzero(np.isnan(numbers).any(axis=1)).tolist():
            _fill(told[at], planes[at])
        for place, its in zip(places, told, strict=True):
            found[place] = its
    return found


def _fill(newest: list[float], planes: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> None:
    """Look further back where the last value of a series is none. `planes`: 8 x series x ticks."""
    missing = [row for row, number in enumerate(newest) if number != number]
    words = np.ascontiguousarray(planes[:, missing, :].transpose(1, 2, 0)).view("<u8")[:, :, 0]
    for row, values in zip(missing, np.bitwise_xor.accumulate(words, axis=1).view("<f8"), strict=True):
        there = values[~np.isnan(values)]
        newest[row] = float(there[-1]) if len(there) else math.nan
