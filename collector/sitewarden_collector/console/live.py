"""GET /live: what changed, as server-sent events, for as long as the page is open.

One event `change` carries the topics of everything that changed since the last, as JSON: the kind of the thing
(`ticket`, `site`, ...) and the thing itself (`ticket-ID`). Pages then fetch anew what they show of it. Changes that
come together are told together, at most once in `PAUSE_S`. A reader is told only of what exists for them. The stream
ends after a while, so that a session that has ended since is noticed, and at once when the collector stops; browsers
connect again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store.changes import Change
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need
from sitewarden_collector.web.live import Live

HEARTBEAT_S = 15.0
PAUSE_S = 0.4
LIFE_S = 600.0
RETRY_MS = 2000

router = APIRouter()


@router.get("/live")
async def live(
    request: Request, principal: Annotated[Principal, Depends(need(Permission.TICKETS_READ))]
) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    told = events(context(request).live, principal)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def events(feed: Live, principal: Principal, *, life_s: float = LIFE_S) -> AsyncIterator[str]:
    """The stream's text."""
    loop = asyncio.get_running_loop()
    end = loop.time() + life_s
    async with feed.subscribe() as subscription:
        yield f"retry: {RETRY_MS}\n: welcome\n\n"
        while not feed.closed and loop.time() < end:
            taken = await subscription.take(timeout_s=min(HEARTBEAT_S, max(0.1, end - loop.time())))
            topics = topics_of(taken, principal)
            if topics:
                yield f"event: change\ndata: {json.dumps({'topics': topics})}\n\n"
                await subscription.rest(PAUSE_S)
            elif not taken:
                yield ": still here\n\n"


def topics_of(taken: Iterable[Change | None], principal: Principal) -> list[str]:
    """What a reader may know of these changes; `all` where some were lost."""
    topics: dict[str, None] = {}
    for change in taken:
        if change is None:
            return ["all"]
        if principal.only_customer and not principal.sees_site(change.customer_id, change.site_id):
            continue
        topics[change.topic] = None
        topics[f"{change.topic}-{change.ref}"] = None
    return list(topics)
