"""Follows the systemd journal for one log of the configuration, and saves what it gave with the cursor as the mark.

Promises: each entry once, whatever is killed when: records and the cursor behind them go into one transaction, and
nothing is open across it; while the spool has no room nothing is read, the journal is the buffer. Not here: entries
(`journal`), the child that reads them (`journalctl`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.config import Log
from sitewarden_agent.model import FileMark, Gap, GapReason, RecordPart
from sitewarden_agent.observe.gathered import Gathered
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.journal import Entry, Joining, entry_of
from sitewarden_agent.observe.journalctl import Journalctl, JournalEnded
from sitewarden_agent.observe.records import Reader
from sitewarden_alerting.reading.redact import RedactionError

AGAIN_S = 30.0
"""Between two tries where journalctl is missing or ends."""
SILENCE_S = 0.25
"""A record that nothing was added to for this long is complete."""
ENTRIES_MAX = 1_000
"""Entries that are held before they are saved, however busy the journal is."""
FULL_RETRY_S = 0.5
PATH = "journal"


class Journals(Job):
    """One for each log with `journal`."""

    def __init__(self, ground: Ground, log: Log) -> None:
        super().__init__(ground)
        self.name = f"journal {log.name}"
        self._log = log
        self._gathered = Gathered(ground.spool, ground.clock)
        self._reader = Reader.of(log, ground.redact)
        self._file_id = f"{PATH}-{log.name}"
        self._shown: dict[str, str] = {}
        self._cursor: str | None = None

    async def run(self) -> None:
        while True:
            self._gathered.begin()
            marks = await asyncio.to_thread(self.ground.spool.marks, self._log.name)
            self._gathered.recall(marks)
            self._cursor = next((mark.signature for mark in marks if mark.file_id == self._file_id), None)
            try:
                await self._follow()
            except JournalEnded as error:
                self.ground.complaints[self.name] = [f"log {self._log.name}: {error}; trying again in {AGAIN_S:g} s"]
            await self.ground.clock.sleep(AGAIN_S)

    async def _follow(self) -> None:
        began_us = self.ground.clock.wall_ns() // 1_000
        passing = self._cursor is None and self._log.start == "end"
        journal = await asyncio.to_thread(Journalctl, self._log, cursor=self._cursor)
        try:
            joining, held, dropped = Joining(), 0, 0
            while True:
                raw = await journal.read(self._wait_s(joining))
                for entry in filter(None, map(entry_of, raw)):
                    self._cursor = entry.cursor
                    held += 1
                    if not (passing and entry.time_us < began_us):  # the last one before: only where to go on from
                        joining.add(entry)
                    passing = False
                if journal.dropped > dropped:
                    dropped = journal.dropped
                    self._lost()
                if held and (not raw or not joining.is_open or held >= ENTRIES_MAX):
                    self._gather(joining)
                    held = 0
                await self._save()
                said = journal.said
                self.ground.complaints[self.name] = [f"log {self._log.name}: journalctl says: {said}"] if said else []
        finally:
            await asyncio.shield(asyncio.to_thread(journal.close))

    def _wait_s(self, joining: Joining) -> float | None:
        """How long to wait for entries until something else is due; None: for ever."""
        if joining.is_open:
            return SILENCE_S
        due_ns = self._gathered.due_ns
        if due_ns is not None:
            return max(0.0, (due_ns - self.ground.clock.monotonic_ns()) / 1e9)
        return 1.0 if self._gathered.waits else None

    def _gather(self, joining: Joining) -> None:
        """Everything that is in hand, with the place behind it."""
        now_ns = self.ground.clock.wall_ns()
        for entry, record in joining.close():
            event = self._reader.event(
                record, RecordPart.WHOLE, file=self._shown_as(entry), file_id=self._file_id, now_ns=now_ns
            )
            if event is not None:
                self._gathered.observe(event)
        if self._reader.dropped:
            detail = f"redaction failed on records of {self.name}; they were dropped"
            gap = Gap(GapReason.REDACTION, "log", self._reader.dropped, from_ns=now_ns, to_ns=now_ns, detail=detail)
            self._gathered.observe(gap)
            self._reader.dropped = 0
        if self._cursor is not None:
            self._gathered.mark(FileMark(self._log.name, PATH, self._file_id, 0, signature=self._cursor))

    async def _save(self, *, at_once: bool = False) -> None:
        while not await asyncio.to_thread(lambda: self._gathered.save(at_once=at_once)):
            await self.ground.clock.sleep(FULL_RETRY_S)

    def _lost(self) -> None:
        now_ns = self.ground.clock.wall_ns()
        detail = f"{self.name}: an entry was too long to be read"
        self._gathered.observe(Gap(GapReason.FILE_LOST, "log", 1, from_ns=now_ns, to_ns=now_ns, detail=detail))

    def _shown_as(self, entry: Entry) -> str:
        """The place of an entry as headquarters may see it."""
        name = entry.unit or entry.program
        if name not in self._shown:
            if len(self._shown) > ENTRIES_MAX:
                self._shown.clear()
            try:
                self._shown[name] = f"{PATH}/{self.ground.redact(name)}"
            except RedactionError:
                self._shown[name] = PATH
        return self._shown[name]

    def status(self) -> Mapping[str, Any]:
        shown = f"{PATH} ({', '.join(self._log.units)})" if self._log.units else PATH
        return {"files": [{"log": self._log.name, "path": shown, "offset": 0, "size": 0}]}

    async def stopped(self) -> None:
        """Only marks are in hand: what was not saved is read again after the next start."""
        await asyncio.to_thread(lambda: self._gathered.save(at_once=True))
