"""What engineers correct: two faults are one, or one is not what it was taken for. Tickets and silences follow.

A correction wins over everything that was or will be learned, and can be undone by the other one. Names are
fingerprints or tickets' numbers. Not here: learning, and what a fault stands for (`services.faults`).
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting.grouping import Alias
from sitewarden_alerting.model import Policy
from sitewarden_collector.errors import Conflict, DatabaseBusy
from sitewarden_collector.services import evaluation, faults
from sitewarden_collector.store import lock


def merge(tx: Connection, name: str, into: str, *, by: str, reason: str = "", now_ns: int) -> tuple[Alias, ...]:
    """Make one fault of two; what changed. Raises NotFound, Conflict where they are one already, DatabaseBusy."""
    _be_alone(tx)
    one, other = faults.fingerprint_of(tx, name), faults.fingerprint_of(tx, into)
    aliases = faults.merge(tx, one, other, by=by, reason=reason)
    if not aliases:
        raise Conflict(f"{name} and {into} are one fault already: see `sitewarden fault show {into}`")
    evaluation.follow(tx, aliases, Policy(), now_ns=now_ns)
    return aliases


def split(tx: Connection, name: str, *, by: str, now_ns: int) -> tuple[Alias, ...]:
    """Undo the merge of a fingerprint (of a fault: every merge into it); what changed. It is not merged by learning
    again. Raises NotFound, Conflict where nothing is merged, DatabaseBusy."""
    _be_alone(tx)
    aliases = faults.split(tx, faults.fingerprint_of(tx, name), by=by)
    evaluation.follow(tx, aliases, Policy(), now_ns=now_ns)
    return aliases


def _be_alone(tx: Connection) -> None:
    """Evaluation keeps what grouping learned as well: of two at once, one would forget what the other did."""
    if not lock.alone(tx, "evaluation"):
        raise DatabaseBusy("a collector is just evaluating what arrived; try again in a moment")
