"""Which collector to try next. Pure: the order is shuffled once by the random numbers given.

Headquarters tells addresses; what is no host and port (gRPC also knows sockets of this host, name servers to ask, and
more) is passed over.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

ADDRESSES_MAX = 64
_ADDRESS = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Za-z:.%]{2,60}\]):[0-9]{1,5}")


def addresses(told: Iterable[str]) -> tuple[str, ...]:
    """Those of `told` that are host:port, each once; not without end."""
    return tuple(dict.fromkeys(each for each in told if _ADDRESS.fullmatch(each)))[:ADDRESSES_MAX]


class Endpoints:
    """Addresses, host:port: first those that never failed, then the one whose failure is longest ago."""

    def __init__(self, told: Iterable[str], chance: random.Random) -> None:
        self._chance = chance
        self._failed_ns: dict[str, int] = {}
        self._addresses: list[str] = []
        self.learn(told)

    def learn(self, told: Iterable[str]) -> None:
        """Take these instead of the ones before; what is known of an address stays."""
        fresh = list(addresses(told))
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
