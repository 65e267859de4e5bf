"""What the desk does by itself as time passes: gives tickets out, opens problems, sees to major incidents, tells of
contracts that end."""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_collector.services import contract_ends
from sitewarden_collector.services.desk import assigning, majors, problems
from sitewarden_collector.store import lock


def step(tx: Connection, *, now_ns: int) -> int:
    """How much was done. Only one collector at a time does it."""
    if not lock.alone(tx, "desk"):
        return 0
    done = assigning.step(tx, now_ns=now_ns) + problems.step(tx, now_ns=now_ns) + majors.step(tx, now_ns=now_ns)
    return done + contract_ends.step(tx, now_ns=now_ns)
