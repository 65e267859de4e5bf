"""Which collector to try next. Pure: the order is shuffled once by the random numbers given."""

from __future__ import annotations

import random
from collections.abc import Iterable


class Endpoints:
    """Addresses, host:port: first those that never failed, then the one whose failure is longest ago."""

    def __init__(self, addresses: Iterable[str], chance: random.Random) -> None:
        self._chance = chance
        self._failed_ns: dict[str, int] = {}
        self._addresses: list[str] = []
        self.learn(addresses)

    def learn(self, addresses: Iterable[str]) -> None:
        """Take these instead of the ones before; what is known of an address stays."""
        fresh = list(dict.fromkeys(addresses))
        if set(fresh) == set(self._addresses):
            return
        self._chance.shuffle(fresh)
        self._addresses = fresh
        self._failed_ns = {each: at for each, at in self._failed_ns.items() if each in fresh}

    def next(self) -> str | None:
        """None when no address is known."""
        return min(self._addresses, key=lambda each: self._failed_ns.get(each, 0), default=None)

    def failed(self, address: str, *, at_ns: int) -> None:
        self._failed_ns[address] = at_ns

    def worked(self, address: str) -> None:
        self._failed_ns.pop(address, None)
