"""Development's tracker tells here how far its items are: known by the signature of its message, not by a token."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.shapes import In, Line, Moment, Out, nanoseconds
from sitewarden_collector.services import tracker_in
from sitewarden_collector.services.desk import tracker
from sitewarden_collector.services.once import Answer, Tx, once
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/hooks", tags=["webhooks"])


class NewsIn(In):
    reference: Line = Field(description="as the report came with it")
    state: Annotated[str, Field(min_length=1, max_length=100)] = Field(examples=["in progress"])
    key: Annotated[str, Field(max_length=100)] = Field("", description="what the tracker calls it", examples=["SHOP-7"])
    url: Annotated[str, Field(max_length=2000)] = ""
    told: Moment | None = Field(None, description="when it became so; older news than is known is left aside")


class HeardOut(Out):
    reference: str
    state: str


@router.post(
    "/tracker",
    operation_id="tellTrackerNews",
    summary="How far an item of the tracker is",
    response_model=HeardOut,
    description="Signed as Standard Webhooks has it, with the secret of `sitewarden tracker set`.",
)
async def news(request: Request, body: Annotated[NewsIn, Body()]) -> Response:
    ctx = context(request)
    raw, headers, now_ns = await request.body(), dict(request.headers), ctx.now_ns()

    def heard(tx: Tx) -> HeardOut:
        told_ns = None if body.told is None else nanoseconds(body.told)
        item = tracker.came_back(
            tx, body.reference, body.state, key=body.key, url=body.url, told_ns=told_ns, now_ns=now_ns
        )
        return HeardOut(reference=item.id, state=item.state)

    def taken(tx: Tx) -> Answer:
        message = tracker_in.verify(tx, ctx.secret, headers, raw, now_ns=now_ns)
        key = sha256(repr(("tracker", message)).encode()).hexdigest()  # a message that is sent again is no news
        asked = sha256(raw).hexdigest()
        return once(
            tx,
            heard,
            lambda _, one: one.model_dump_json().encode(),
            key=key,
            asked=asked,
            status=200,
            sealing=ctx.secret,
            now_ns=now_ns,
        )

    given = await ctx.db.run(taken)
    return Response(given.body, given.status, media_type="application/json")


def _answer(_tx: Tx, heard: HeardOut) -> bytes:
    return heard.model_dump_json().encode()
