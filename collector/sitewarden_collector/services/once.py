"""Doing a thing once, however often it is asked for under the same key: the effect, the answer and the key are written
in one transaction.

Of two at the same time one waits for the other. An effect that is refused keeps nothing: after it the key may be used
again. Not here: what the effect is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.store import idempotency

T = TypeVar("T")
Tx: TypeAlias = Connection  # for those above who hand functions down and speak no SQL


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. `replayed`: the effect was there already."""

    status: int
    body: bytes
    replayed: bool = False


def once(
    tx: Connection,
    effect: Callable[[Connection], T],
    answer: Callable[[Connection, T], bytes],
    *,
    key: str,
    asked: str,
    status: int,
    sealing: Fernet,
    now_ns: int,
) -> Answer:
    """Call `effect(tx)` and answer with what `answer(tx, result)` makes of it, or as before under this key.

    `key` names who asks for what, `asked` what the request holds, both as hashes; an empty key promises nothing.
    What was answered rests sealed: it may hold a secret that is shown once.
    Raises Invalid for a key that was used for something else.
    """
    if key and (before := idempotency.claim(tx, key, request=asked, now_ns=now_ns)) is not None:
        if before.request != asked:
            raise Invalid("this Idempotency-Key was used for another request; take a new one for a new change")
        if not before.status:
            raise Conflict("the same request is under way; ask again in a second")
        return Answer(before.status, sealing.decrypt(before.body), replayed=True)
    body = answer(tx, effect(tx))
    if key:
        idempotency.settle(tx, key, status=status, body=sealing.encrypt(body))
    return Answer(status, body)
