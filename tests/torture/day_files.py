"""The files of a day: each with its encoding, its kind of rotation and its writer, and the traps that befall it.

What was written is known here to the last record. Nothing is done to a file that would lose records for any reader: it
is cut or deleted only when `is_read` says that all of it was read, and an archive is made only of what was seen.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
READ_TIMEOUT_S = 60.0
PARTIAL_PAUSES_S = (0.0, 0.05, 1.3)


@dataclass
class Written:
    """Every record of the day by its number: how many lines it has."""

    lines: dict[int, int] = field(default_factory=dict)

    def record(self, chance: random.Random, *, wide: bool) -> str:
        number = len(self.lines)
        count = chance.choice((1, 1, 1, 1, 2, 6, 20))
        self.lines[number] = count
        head = f"ERROR posting of entry T-{number}- failed" + ("：连接被拒绝" if wide else "")
        if chance.random() < 0.01:
            head += " " + "x" * 20_000
        return "\n".join([head, *(f"\tat a.B.c(T-{number}-L-{line}-)" for line in range(1, count))])


@dataclass
class DayFile:
    """One log. `rotation`: rename, packed (renamed and compressed later) or copytruncate."""

    path: Path
    written: Written
    chance: random.Random
    is_read: Callable[[Path], bool]
    encoding: str = "utf-8"
    line_end: str = "\n"
    rotation: str = "rename"
    target: Path | None = None
    """Where `path` leads, when it is a link."""
    traps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.target is not None:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.target.touch()
            self.path.symlink_to(self.target)
        self.path.touch()

    # Writing.

    def append(self, count: int) -> None:
        in_parts = min(0.2, 8 / max(1, count))
        for _ in range(count):
            if self.chance.random() < 0.3:
                self._write(self._noise())
            text = self.written.record(self.chance, wide=self.encoding != "utf-8")
            data = (text.replace("\n", self.line_end) + self.line_end).encode(self.encoding)
            if "\n" in text or self.chance.random() > in_parts:
                self._write(data)
            else:
                self._write_in_parts(data)

    def _noise(self) -> bytes:
        """What no reader need send: most of a log."""
        line = f"INFO entry posted in {self.chance.randrange(1_000)} ms{self.line_end}"
        return (line * self.chance.choice((1, 10, 300))).encode(self.encoding)

    def _write(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(data)

    def _write_in_parts(self, data: bytes) -> None:
        cut = self.chance.randrange(1, len(data))
        self._write(data[:cut])
        time.sleep(self.chance.choice(PARTIAL_PAUSES_S))
        self._write(data[cut:])

    # Rotation.

    def rotate(self) -> None:
        """As its logrotate would, with what is unread in it."""
        if not self.path.exists() or self.target is not None:
            return
        self.traps.append(self.rotation)
        self._shift()
        old = self._named(1)
        if self.rotation == "copytruncate":
            shutil.copyfile(self.path, old)
            os.truncate(self.path, 0)
            return
        with self.path.open("ab", buffering=0) as late:
            self.path.rename(old)
            if self.chance.random() < 0.3:  # its writer has not noticed yet
                text = self.written.record(self.chance, wide=self.encoding != "utf-8")
                late.write((text.replace("\n", self.line_end) + self.line_end).encode(self.encoding))
        if self.chance.random() < 0.8:
            self.append(self.chance.randrange(0, 5))

    def pack(self) -> None:
        """Compress what was rotated last, once it was seen, as delaycompress does."""
        ending = self.chance.choice(list(PACKERS))
        for number in range(2, 100):
            old = self._named(number)
            if self.rotation == "packed" and old.exists():
                status = old.stat()
                packed = old.with_name(f"{old.name}{ending}")
                packed.write_bytes(PACKERS[ending](old.read_bytes()))
                os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
                old.unlink()
                self.traps.append(f"packed{ending}")

    def _shift(self) -> None:
        for number in range(99, 0, -1):
            for ending in ("", *PACKERS):
                old = Path(f"{self._named(number)}{ending}")
                if old.exists():
                    old.rename(f"{self._named(number + 1)}{ending}")

    def _named(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    # Traps. Each waits until all was read, for what is done would take unread records from any reader.

    def befall(self) -> None:
        if not self.path.exists():
            self.append(1)  # its writer comes back
        trap = self.chance.choice((self._cut, self._written_anew, self._deleted, self._switched, self._hole))
        if not self.wait_until_read():
            raise TimeoutError(f"{self.path} is not read to its end")
        trap()

    def wait_until_read(self) -> bool:
        end_s = time.monotonic() + READ_TIMEOUT_S
        while not self.is_read(self.path) and time.monotonic() < end_s:
            time.sleep(0.05)
        return self.is_read(self.path)

    def _cut(self) -> None:
        self.traps.append("cut")
        os.truncate(self.path, 0)
        self.append(self.chance.randrange(1, 4))

    def _written_anew(self) -> None:
        self.traps.append("written anew")
        with self.path.open("wb"):
            pass
        self.append(self.chance.randrange(1, 60))

    def _deleted(self) -> None:
        if self.target is not None:
            return
        self.traps.append("deleted")
        self.path.unlink()
        if self.chance.random() < 0.5:
            time.sleep(self.chance.choice((0, 1.2)))
        self.append(self.chance.randrange(1, 10))

    def _switched(self) -> None:
        if self.target is None:
            return
        self.traps.append("link switched")
        number = int(self.target.suffix[1:]) + 1
        self.target = self.target.with_suffix(f".{number}")
        self.target.touch()
        link = self.path.with_name("next")
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(self.target)
        link.rename(self.path)
        self.append(self.chance.randrange(1, 10))

    def _hole(self) -> None:
        """Cut by another hand, while its writer keeps its place: zeros stand before what it writes."""
        if self.encoding != "utf-8":
            return
        self.traps.append("hole")
        size = self.path.stat().st_size
        os.truncate(self.path, 0)
        os.truncate(self.path, size)
        self.append(self.chance.randrange(1, 5))
