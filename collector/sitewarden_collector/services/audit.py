"""Who saw and did what: noted in the transaction of what was done, and proven to be whole.

    note(tx, who, action, what, customer_id=, data=, now_ns=)   the last thing that a change does in its transaction
    verify(tx, anchors)                                         edited, removed, reordered and cut-off rows

A chain alone does not show that its end was cut off: an anchor does, the number and hash of a row that was kept
elsewhere. The collector keeps one in a file beside the database, others can be written anywhere by `sitewarden audit
head`. Names and texts of an erased customer are gone from it, and the erasure itself has its row.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from sitewarden_collector.store import append_only, audit, settings
from sitewarden_collector.store.audit import FIRST, Entry

BASE = "audit_base"  # the last row that was let go of by age
ERASED = "erase_customer"
EXPIRED = "expire_audit"
ANCHOR_FILE = "audit-head"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest row at some time."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`faults` is empty when the chain is whole."""

    rows: int
    erased: int
    head: Anchor
    faults: tuple[str, ...] = field(default=())


def note(
    tx: Connection,
    who: str,
    action: str,
    what: str = "",
    *,
    customer_id: str = "",
    data: Mapping[str, Any] | None = None,
    now_ns: int,
) -> None:
    """Write down that somebody did something. `data` holds no secrets."""
    note_all(tx, [entry(who, action, what, customer_id=customer_id, data=data, now_ns=now_ns)])


def note_all(tx: Connection, entries: Iterable[Entry]) -> None:
    audit.add(tx, entries)


def entry(
    who: str,
    action: str,
    what: str = "",
    *,
    customer_id: str = "",
    data: Mapping[str, Any] | None = None,
    now_ns: int,
) -> Entry:
    said = msgspec.json.encode(dict(data or {}), order="deterministic").decode()
    return Entry(who, action, what, customer_id, said, now_ns)


def head(tx: Connection) -> Anchor:
    return Anchor(*audit.head(tx))


def verify(tx: Connection, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Walk the whole chain."""
    base = _base(tx)
    wanted = {anchor.seq: anchor.sha256 for anchor in anchors if anchor.seq}
    faults: list[str] = []
    erased: dict[str, list[int]] = {}
    pardoned: dict[int, int] = {}
    seq, before, count = base.seq, base.sha256, 0
    for row in audit.walk(tx):
        count += 1
        if row.seq <= base.seq:
            faults.append(f"row {row.seq} should have been let go of")
            continue
        if row.seq != seq + 1:
            faults.append(f"rows {seq + 1} to {row.seq - 1} are missing")
        elif row.before_sha256 != before:
            faults.append(f"row {row.seq} does not follow on row {seq}: one of them was changed or put elsewhere")
        if not row.salt and not row.who and not row.what and row.data == "{}":
            erased.setdefault(row.customer_id, []).append(row.seq)
        elif audit.words_hash(row.salt, row.who, row.what, row.data) != row.words_sha256:
            faults.append(f"row {row.seq} was changed: its words are not those that were written")
        hashed = audit.row_hash(
            seq=row.seq,
            at_ns=row.at_ns,
            action=row.action,
            customer_id=row.customer_id,
            words_sha256=row.words_sha256,
            before_sha256=row.before_sha256,
        )
        if hashed != row.sha256:
            faults.append(f"row {row.seq} was changed")
        if row.seq in wanted and wanted.pop(row.seq) != row.sha256:
            faults.append(f"row {row.seq} is not the one that the anchor names: the log was rewritten")
        if row.action == ERASED and row.salt:
            pardoned.update(dict.fromkeys(msgspec.json.decode(row.data).get("rows", []), row.seq))
        seq, before = row.seq, row.sha256
    for wanted_seq in sorted(wanted):
        if wanted_seq > seq:
            faults.append(f"the log ends at row {seq}, and an anchor names row {wanted_seq}: its end was cut off")
    blank = sorted(one for seqs in erased.values() for one in seqs)
    faults += [f"row {one} lost its words, and no erasure says so" for one in blank if one not in pardoned]
    return Verdict(count, len(blank), Anchor(seq, before), tuple(faults))


def expire(tx: Connection, *, before_ns: int, now_ns: int) -> int:
    """Let go of rows older than a time, noting how many and where the chain begins now."""
    last = audit.last_before(tx, before_ns)
    if last is None:
        return 0
    with append_only.unlocked(tx):
        gone = audit.drop_until(tx, last.seq)
    settings.put(tx, BASE, {"seq": last.seq, "sha256": last.sha256})
    note(tx, "rules", EXPIRED, data={"rows": gone, "until": last.seq, "sha256": last.sha256}, now_ns=now_ns)
    return gone


def _base(tx: Connection) -> Anchor:
    found = settings.get(tx, BASE)
    return Anchor(0, FIRST) if found is None else Anchor(int(found["seq"]), str(found["sha256"]))


def keep_anchor(tx: Connection, data_dir: Path) -> None:
    """Write where the log ends into a file beside the database: whoever cuts the log off has to know of it."""
    now = head(tx)
    path = data_dir / ANCHOR_FILE
    if now.seq and read_anchor(path) != now:
        fresh = path.with_name(f"{ANCHOR_FILE}.{os.getpid()}.new")
        fresh.write_text(f"{now.seq} {now.sha256}\n", encoding="ascii")
        fresh.replace(path)


def read_anchor(path: Path) -> Anchor | None:
    """The anchor in a file; None where there is none."""
    try:
        seq, sha256 = path.read_text(encoding="ascii").split()
        return Anchor(int(seq), sha256)
    except (OSError, ValueError):
        return None
