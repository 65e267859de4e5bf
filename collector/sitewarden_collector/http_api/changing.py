"""Every change through the API: one transaction that does it, makes the answer, and keeps it under the request's key.

    Idempotency-Key: <whatever is new for each change, up to 255 characters>

The same key with the same request is answered as the first time, with the header Idempotency-Replayed, for 24 hours;
with another request it is refused (422).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from fastapi import Header, Request, Response
from pydantic import BaseModel

from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.once import Tx, once
from sitewarden_collector.web.context import context

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="makes repeating this request safe: new for each change, the same when you try it again",
    ),
]

T = TypeVar("T")


async def change(
    request: Request,
    who: Principal,
    effect: Callable[[Tx], T],
    shape: Callable[[Tx, T], BaseModel | None],
    *,
    key: str,
    status: int = 200,
) -> Response:
    """Call `effect(tx)`, answer with what `shape(tx, result)` makes of it; once for a key."""
    ctx = context(request)
    place = repr((who.account_id or who.name, request.method, request.url.path, key))
    asked = repr((request.scope.get("sitewarden.body_sha256", ""), request.url.query))

    def answer(tx: Tx, result: T) -> bytes:
        shaped = shape(tx, result)
        return b"" if shaped is None else shaped.model_dump_json().encode()

    given = await ctx.db.run(
        once,
        effect,
        answer,
        key=sha256(place.encode()).hexdigest() if key else "",
        asked=sha256(asked.encode()).hexdigest(),
        status=status,
        sealing=ctx.secret,
        now_ns=ctx.now_ns(),
    )
    ctx.wake()
    headers = {"Idempotency-Replayed": "true"} if given.replayed else {}
    return Response(given.body, given.status, headers=headers, media_type="application/json" if given.body else None)


def nothing(_tx: Tx, _result: Any) -> None:
    """The shape of an answer without a body."""
