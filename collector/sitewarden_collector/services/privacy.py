"""What a customer may ask for: everything that is kept of them in one file, and its erasure. And what goes by itself.

Erasing leaves the audit log whole, without the customer's words, and with a row that says who erased what and why.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection

from sitewarden_collector.config import Retention
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import audit
from sitewarden_collector.store import append_only, privacy, sites
from sitewarden_collector.store import audit as log

REASON_MIN = 5  # characters
ROWS_PER_STEP = 500
_DAY_NS = 86_400 * 1_000_000_000


def export(
    tx: Connection, customer: str, path: Path, key: Fernet, *, by: str, reason: str, now_ns: int
) -> dict[str, int]:
    """Write a zip with one file a table (a JSON object a line); how many rows of each."""
    check_reason(reason)
    customer_id = sites.customer_id_of(tx, customer)
    lines: dict[str, list[str]] = {}
    for table, row in privacy.export(tx, customer_id):
        shown = {name: _shown(value, key) for name, value in row.items()}
        lines.setdefault(table, []).append(json.dumps(shown, ensure_ascii=False, default=str))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, rows in lines.items():
            archive.writestr(f"{table}.jsonl", "\n".join(rows) + "\n")
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(packed.getvalue())
    counts = {table: len(rows) for table, rows in lines.items()}
    data = {"reason": reason, "rows": sum(counts.values())}
    audit.note(tx, by, "export_customer", customer, customer_id=customer_id, data=data, now_ns=now_ns)
    return counts


def erase(tx: Connection, customer: str, *, by: str, reason: str, now_ns: int) -> dict[str, int]:
    """Delete everything that is kept of a customer; how many rows of each table. The reason must not name them."""
    check_reason(reason)
    customer_id = sites.customer_id_of(tx, customer)
    named = privacy.words(tx, customer_id)
    if any(word in reason for word in named):
        raise Invalid("the reason stays in the audit log: leave the customer's names out of it")
    privacy.scour(tx)
    with append_only.unlocked(tx):
        counts = privacy.erase(tx, customer_id, named)
        rows = log.erase_words(tx, customer_id=customer_id, words=named)
    data: dict[str, Any] = {"reason": reason, "counts": counts, "rows": rows}
    audit.note(tx, by, audit.ERASED, customer_id, data=data, now_ns=now_ns)
    return counts


def expire(tx: Connection, policy: Retention, *, now_ns: int) -> int:
    """Let go of what is past its time, some rows a call; how many. Nothing of an open ticket is ever touched."""
    evidence_ns = now_ns - int(policy.evidence_days * _DAY_NS)
    words_ns = now_ns - int(policy.correspondence_days * _DAY_NS)
    count = privacy.expire_evidence(tx, closed_before_ns=evidence_ns, limit=ROWS_PER_STEP)
    with append_only.unlocked(tx):
        count += privacy.expire_words(tx, closed_before_ns=words_ns, limit=ROWS_PER_STEP)
    if count:
        audit.note(tx, "rules", "expire", data={"rows": count}, now_ns=now_ns)
    return count + audit.expire(tx, before_ns=now_ns - int(policy.audit_days * _DAY_NS), now_ns=now_ns)


def check_reason(reason: str) -> None:
    if len(reason.strip()) < REASON_MIN:
        raise Invalid("say why, in a few words: it goes into the audit log")


def _shown(value: object, key: Fernet) -> object:
    """Bytes as base64, opened where they rest encrypted."""
    if not isinstance(value, bytes):
        return value
    with suppress(InvalidToken):
        value = key.decrypt(value)
    return base64.b64encode(value).decode()
