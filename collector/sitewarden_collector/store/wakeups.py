"""Telling other processes through PostgreSQL that there is something to do (NOTIFY), each kind on a channel of its own.

    CHANGES   something is different that consoles show: told in the transaction of the change
    ACTIONS   an agent is asked for something, its id told with it: told in the transaction that asks
    ARRIVED   observations wait for evaluation: told after their commit, many at once

What is told in a transaction is heard at its commit, and never if it is taken back. Commits that tell wait for each
other in PostgreSQL, so intake, whose commits are the most, tells of many by one statement beside them. A notification
is a hint: it is lost with its connection, so whoever waits for one also looks by themselves now and then. SQLite has
no notifications, and one process. Not here: hearing them (`store.feed`).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

CHANGES = "sitewarden_changes"
ACTIONS = "sitewarden_actions"
ARRIVED = "sitewarden_arrived"
CHANNELS = (CHANGES, ACTIONS, ARRIVED)

_NOTIFY = text("SELECT pg_notify(:channel, :said)")


def tell(tx: Connection, channel: str, said: str = "") -> None:
    """Let every process hear `said` on `channel` when this transaction commits. Nothing happens on SQLite."""
    if tx.dialect.name == "postgresql":
        tx.execute(_NOTIFY, {"channel": channel, "said": said})
