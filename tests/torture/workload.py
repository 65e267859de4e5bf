"""The traffic of the torture: records whose every id the writer remembers.

Each record is an error line with a unique id `T-<n>-`, a quarter of them with a stack trace behind it. The log is
rotated by renaming now and then, as logrotate does. Beside it a crash loop fills a log with one line again and again.
The writer lives in the torturing process, so what it wrote is known whatever dies. Not here: reading anything back
(`oracle`).
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

TRACE = (
    "java.lang.IllegalStateException: ledger refused entry T-{n}-end\n"
    "\tat com.acme.ledger.Ledger.post(Ledger.java:{line})\n"
    "\tat com.acme.api.PostController.handle(PostController.java:88)\n"
    "Caused by: java.sql.SQLException: connection T-{n}-cause was closed\n"
    "\tat com.acme.db.Pool.take(Pool.java:112)\n"
    "\t... 2 more\n"
)


@dataclass
class Workload:
    """Appends records to `log` on a thread, at about `records_per_s`, until `stop()`."""

    log: Path
    seed: int
    records_per_s: float = 200.0
    rotate_every: int = 400  # records
    loops: int = 20  # lines of the crash loop for each few records
    first: int = 0  # the number before that of the first record: beside other workloads each has numbers of its own
    written: dict[int, str] = field(default_factory=dict)  # id -> the whole record as written
    looped: int = 0  # lines of the crash loop

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number, rotation = self.first, 0
        file = self.log.open("a", buffering=1)
        while not self._stop.is_set():
            for _ in range(self._random.randint(1, 8)):
                number += 1
                record = self._record(number)
                self._write(file, record)
                self.written[number] = record.rstrip("\n")
                if number % self.rotate_every == 0:
                    rotation += 1
                    file.close()
                    self.log.rename(self.log.with_name(f"{self.log.name}.{rotation}"))
                    file = self.log.open("a", buffering=1)
            self._loop()
            time.sleep(4.5 / self.records_per_s)
        file.close()

    def _loop(self) -> None:
        loop = self.log.with_name("loop.log")
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        with loop.open("a") as file:
            for _ in range(self.loops):
                self.looped += 1
                file.write(f"{stamp} ERROR [worker] attempt {self.looped} to start has failed\n")
        if self._random.random() < 0.01:
            loop.rename(self.log.with_name(f"loop.log.{self.looped}"))

    def _write(self, file: object, record: str) -> None:
        # Now and then a record arrives in two writes with its line torn, as a program that flushes does it.
        if self._random.random() < 0.1:
            cut = self._random.randrange(1, len(record))
            file.write(record[:cut])  # type: ignore[attr-defined]
            file.flush()  # type: ignore[attr-defined]
            time.sleep(self._random.random() * 0.02)
            file.write(record[cut:])  # type: ignore[attr-defined]
        else:
            file.write(record)  # type: ignore[attr-defined]
        file.flush()  # type: ignore[attr-defined]

    def _record(self, number: int) -> str:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        head = f"{stamp} ERROR [ledger] posting of entry T-{number}- failed\n"
        if self._random.random() < 0.25:
            return head + TRACE.format(n=number, line=self._random.randint(10, 900))
        return head
