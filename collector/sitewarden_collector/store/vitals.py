"""How large the database is, how many agents are heard, and what waits for them: counts, for whoever watches."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from sitewarden_collector.store.actions import actions
from sitewarden_collector.store.agents import agents


def size_bytes(tx: Connection) -> int:
    """What the database takes on its disk, free pages within it included."""
    if tx.dialect.name == "sqlite":
        question = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        question = "SELECT pg_database_size(current_database())"
    return int(tx.execute(text(question)).scalar_one())


def listened(tx: Connection, *, since_ns: int) -> tuple[int, int]:
    """How many agents should be heard, and how many of them were since then."""
    lately = func.count().filter(agents.c.last_seen_ns >= since_ns)
    row = tx.execute(select(func.count(), lately).where(agents.c.state == "active")).one()
    return int(row[0]), int(row[1])


def commands_waiting(tx: Connection) -> int:
    """How many actions were not handed to their agents yet."""
    return int(tx.execute(select(func.count()).select_from(actions).where(actions.c.state == "queued")).scalar_one())
