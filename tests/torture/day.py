"""A day of the torture list at random under load, in compressed time: lost 0, doubled 0.

`python -m tests.torture.day --hours 24`. A real `sitewarden-agent run observe` follows files of all encodings, rotated
in all ways, cut, written anew, deleted, switched and packed, while it is killed and stopped at random; every record
that was written must be in its spool once and whole. An hour is one rotation of every file. The seed decides everything
but the scheduler.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sitewarden_agent.app import SPOOL
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import Change, Gap, LogEvent, RecordPart
from sitewarden_agent.spool import Spool
from tests.torture.day_files import DayFile, Written

QUIET_S = 20.0
"""When nothing new arrived for so long, nothing more is awaited."""
_NUMBER = re.compile(r"posting of entry T-(\d+)- failed")
_LINE = re.compile(r"T-(\d+)-L-(\d+)-")

_CONFIG = """
state_dir = "{folder}/state"
[health]
interval_s = 3600
"""
_LOG = """
[[logs]]
name = "{name}"
paths = ["{folder}/logs/{pattern}"]
from = "start"
storm_per_minute = 0
"""
_PATTERNS = {
    "one": "one/*.log",
    "all": "all/*.log*",
    "wide": "wide/*.log",
    "deep": "deep/*/app.log",
    "links": "links/*.log",
}


@dataclass
class Report:
    seed: int
    hours: int
    written: int = 0
    stored: int = 0
    kills: int = 0
    traps: Counter[str] = field(default_factory=Counter)
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Files that were told as gone, though all that was seen of them had been read."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.torn or self.stray)

    def __str__(self) -> str:
        traps = ", ".join(f"{name} {count}" for name, count in sorted(self.traps.items()))
        kinds = dict(Counter(re.sub(r"^\S+: |\d+", "", gap)[:40] for gap in self.gaps)) or 0
        wrong = ", ".join(
            f"{name} {len(found)}" + (f" {found[:5]}" if found else "")
            for name, found in (
                ("lost", self.lost),
                ("doubled", self.doubled),
                ("torn", self.torn),
                ("stray", self.stray),
            )
        )
        return (
            f"seed {self.seed}, {self.hours} hours: written {self.written}, stored {self.stored}, {wrong}, "
            f"gaps told {kinds}, gone {len(self.gone)}; {self.kills} kills; {traps}; {self.seconds:.0f} s"
        )


class Day:
    def __init__(self, folder: Path, *, seed: int, hours: int, files: int = 14, burst: int = 40) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._burst = burst
        self.report = Report(seed, hours)
        self._written = Written()
        (folder / "state").mkdir()
        logs = (_LOG.format(name=name, folder=folder, pattern=pattern) for name, pattern in _PATTERNS.items())
        (folder / "agent.toml").write_text(_CONFIG.format(folder=folder) + "".join(logs))
        self._spool = Spool.open(folder / "state" / SPOOL, clock=SystemClock())
        self._files = [self._file(number) for number in range(files)]
        self._agent: subprocess.Popen[bytes] | None = None
        self._parts: dict[tuple[str, int], list[LogEvent]] = {}
        self._seq = 0

    def run(self) -> Report:
        began_s = time.monotonic()
        with closing(self._spool):
            try:
                self._start()
                self._seen(self._files)  # what was rotated before anybody looked is nobody's
                for _ in range(self.report.hours):
                    self._hour()
                self._settle()
            finally:
                self._end(signal.SIGTERM)
            self._collect()
        self._judge()
        self.report.seconds = time.monotonic() - began_s
        return self.report

    # The day.

    def _hour(self) -> None:
        chance = self._chance
        files = chance.sample(self._files, len(self._files))
        down_at = chance.sample(range(len(files)), max(1, len(files) // 8))
        for number, file in enumerate(files):
            if number in down_at:
                self._down(file)
            file.append(chance.randrange(self._burst))
            file.rotate()
            if chance.random() < 0.2:
                file.rotate()
            file.append(chance.randrange(5))
        for file in chance.sample(files, max(1, len(files) // 4)):
            file.befall()
        self._seen(files)
        for file in files:
            file.pack()

    def _down(self, file: DayFile) -> None:
        """Killed or stopped; the product goes on meanwhile."""
        self._end(self._chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        self.report.kills += 1
        for _ in range(self._chance.randrange(3)):
            file.append(self._chance.randrange(self._burst))
            file.rotate()
        other = self._chance.choice(self._files)
        other.append(self._chance.randrange(self._burst))
        self._start()

    def _seen(self, files: list[DayFile]) -> None:
        for file in files:
            if file.path.exists() and not file.wait_until_read():
                raise TimeoutError(f"{file.path} is not read to its end")

    def _file(self, number: int) -> DayFile:
        name, logs = list(_PATTERNS)[number % len(_PATTERNS)], self._folder / "logs"
        rotation = ("rename", "packed", "copytruncate")[number // len(_PATTERNS) % 3]
        common = {"written": self._written, "chance": self._chance, "is_read": self._is_read, "rotation": rotation}
        match name:
            case "wide":
                encoding = ("utf-16-le", "gb18030", "utf-16-be")[number // len(_PATTERNS) % 3]
                return DayFile(logs / "wide" / f"{number}.log", encoding=encoding, **common)  # type: ignore[arg-type]
            case "deep":
                return DayFile(logs / "deep" / str(number) / "app.log", line_end="\r\n", **common)  # type: ignore[arg-type]
            case "links":
                target = logs / "pods" / f"{number}.0"
                return DayFile(logs / "links" / f"{number}.log", target=target, **common)  # type: ignore[arg-type]
        return DayFile(logs / name / f"{number}.log", **common)  # type: ignore[arg-type]

    # The agent.

    def _start(self) -> None:
        words = [
            sys.executable,
            "-m",
            "sitewarden_agent",
            "run",
            "observe",
            "--config",
            str(self._folder / "agent.toml"),
        ]
        self._agent = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    def _end(self, number: int) -> None:
        if self._agent is not None:
            self._agent.send_signal(number)
            self._agent.wait(30)
        self._agent = None

    def _is_read(self, path: Path) -> bool:
        """Whether the mark of the file that is at `path` now stands at its end."""
        status = path.stat()
        begun = f"{status.st_dev:x}-{status.st_ino:x}-"
        marks = [mark for mark in self._spool.marks() if mark.file_id.startswith(begun)]
        latest = max(marks, key=lambda mark: int(mark.file_id.rpartition("-")[2], 16), default=None)
        return latest is not None and latest.offset == status.st_size

    # The judge.

    def _settle(self) -> None:
        """Until everything has arrived, or nothing more does."""
        last, since_s = -1, time.monotonic()
        while time.monotonic() - since_s < QUIET_S:
            self._collect()
            found = self._numbers()
            if len(found) != last:
                last, since_s = len(found), time.monotonic()
            if found >= self._written.lines.keys():
                time.sleep(1.5)  # what comes twice comes soon
                return
            time.sleep(0.2)

    def _collect(self) -> None:
        while self._spool.seal(1 << 20, 1_000):
            pass
        while (batch := self._spool.after(self._seq)) is not None:
            self._seq = batch.seq
            for each in batch.observations:
                if isinstance(each.what, LogEvent):
                    self._parts.setdefault((each.what.file_id, each.what.offset), []).append(each.what)
                elif isinstance(each.what, Gap):
                    self.report.gaps.append(each.what.detail)
                elif isinstance(each.what, Change) and each.what.kind == "log_gone":
                    self.report.gone.append(f"{each.what.subject}: {each.what.before}")

    def _numbers(self) -> set[int]:
        return {int(found[1]) for parts in self._parts.values() if (found := _NUMBER.search(parts[-1].message))}

    def _judge(self) -> None:
        report, records = self.report, Counter[int]()
        for parts in self._parts.values():
            kinds = [part.part for part in parts]
            final = next((part for part in parts if part.part is RecordPart.FULL), parts[0])
            found = _NUMBER.search(final.message)
            if found is None:
                report.stray.append(final.message[:80])
                continue
            number = int(found[1])
            once = kinds in ([RecordPart.WHOLE], [RecordPart.HEAD], [RecordPart.HEAD, RecordPart.FULL])
            records[number] += 1 if once else 2
            lines = {int(line) for of, line in _LINE.findall(final.message) if int(of) == number}
            if lines != set(range(1, self._written.lines[number])):
                report.torn.append(number)
        report.written, report.stored = len(self._written.lines), len(records)
        report.lost = sorted(self._written.lines.keys() - records.keys())
        report.doubled = sorted(number for number, count in records.items() if count > 1)
        for file in self._files:
            report.traps.update(file.traps)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--files", type=int, default=25)
    parser.add_argument("--burst", type=int, default=40, help="records that are written at once, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=1, help="with one seed after the other")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a day that failed")
    arguments = parser.parse_args()
    good = True
    for seed in range(arguments.seed, arguments.seed + arguments.days):
        folder = Path(tempfile.mkdtemp(prefix="sitewarden-day-"))
        report = Day(folder, seed=seed, hours=arguments.hours, files=arguments.files, burst=arguments.burst).run()
        print(report, flush=True)
        good = good and report.holds
        if report.holds or not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}", flush=True)
    print("nothing lost, nothing twice" if good else "FAILED: see above; repeat one with --seed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
