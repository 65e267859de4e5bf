"""Whether a transaction wrote something that is to be sent: a hint, so that no outbox is asked for nothing.

Whoever writes a message notes it; whoever runs the transaction asks once before its end. A savepoint that was taken
back leaves the hint behind, and then an outbox is asked in vain.
"""

from __future__ import annotations

from sqlalchemy import Connection

_KEY = "sitewarden.to_send"


def note(tx: Connection) -> None:
    """A message was written in this transaction."""
    tx.info[_KEY] = True


def noted(tx: Connection) -> bool:
    """Whether one was, since it was last asked."""
    return bool(tx.info.pop(_KEY, False))
