"""A channel that is outside the process in name only: it remembers what it took and fails when told to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt


class FakeChannel:
    """`failures` are raised by the next calls in turn; then every call succeeds. `taken` is what arrived."""

    def __init__(
        self, name: str = "fake", *, failures: Iterable[Exception] = (), deadline_s: float = DEADLINE_S
    ) -> None:
        self.name = name
        self.deadline_s = deadline_s
        self.taken: list[Notice] = []
        self.failures = deque(failures)
        self.hold = threading.Event()
        self.hold.set()

    def send(self, notice: Notice) -> Receipt:
        self.hold.wait(30)
        if self.failures:
            raise self.failures.popleft()
        self.taken.append(notice)
        return Receipt(detail="remembered")
