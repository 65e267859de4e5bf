"""The judge: what was written against what is stored.

Every record that the workload wrote must be in the collector's database exactly once: as WHOLE, or as HEAD with at most
one FULL; and what it says at last must hold every line of it. Of a crash loop only samples arrive: their counts
together must be the number of records written. Gaps are not an excuse here: the torture leaves enough room and keeps
every file.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.observations import observations

_HEAD = re.compile(r"posting of entry T-(\d+)- failed")
_ANY = re.compile(r"T-(\d+)-")


@dataclass(frozen=True, slots=True)
class Stored:
    number: int
    part: str
    file_id: str
    offset: int
    message: str


@dataclass(slots=True)
class Verdict:
    written: int
    stored: int = 0
    looped: int = 0
    """Records of the crash loop that were written."""
    counted: int = 0
    """How many of them the samples that arrived stand for."""
    missing: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not (self.missing or self.doubled or self.torn or self.stray or self.counted != self.looped)

    def __str__(self) -> str:
        def some(found: list[int] | list[str]) -> str:
            return f"{len(found)}" + (f" {found[:5]}" if found else "")

        return (
            f"written {self.written}, stored {self.stored}, looped {self.looped}, counted {self.counted}, "
            f"missing {some(self.missing)}, "
            f"doubled {some(self.doubled)}, torn {some(self.torn)}, stray {some(self.stray)}, gaps {some(self.gaps)}"
        )


def judge(db: Database, written: Mapping[int, str], *, looped: int = 0) -> Verdict:
    rows = db.read_now(_log_rows)
    verdict = Verdict(written=len(written), looped=looped, gaps=db.read_now(_gaps))
    records: dict[int, list[Stored]] = defaultdict(list)
    for part, file_id, offset, payload in rows:
        event = json.loads(payload)
        message = event["message"]
        verdict.counted += event["count"] if event["source"] == "loop" and part != "full" else 0
        if found := _HEAD.search(message):
            records[int(found[1])].append(Stored(int(found[1]), part, file_id, offset, message))
        elif _ANY.search(message):
            verdict.stray.append(message[:80])
    verdict.stored = len(records)
    verdict.missing = sorted(written.keys() - records.keys())
    for number, stored in records.items():
        parts = Counter(each.part for each in stored)
        once = parts in (Counter(["whole"]), Counter(["head"]), Counter(["head", "full"]))
        if not once or len({(each.file_id, each.offset) for each in stored}) > 1:
            verdict.doubled.append(number)
        final = next((each for each in stored if each.part == "full"), stored[0])
        # Lines as they were written, less the header of the first, which the agent takes apart.
        if any(line.strip() not in final.message for line in written.get(number, "").splitlines()[1:]):
            verdict.torn.append(number)
    return verdict


def _log_rows(tx: Connection) -> list[tuple[str, str, int, str]]:
    table = observations.c
    query = select(table.part, table.file_id, table.offset, table.payload).where(table.kind == "log")
    return [(row[0], row[1], row[2], row[3]) for row in tx.execute(query)]


def _gaps(tx: Connection) -> list[str]:
    return list(tx.execute(select(observations.c.payload).where(observations.c.kind == "gap")).scalars())
