"""Who asks, and what was seen and done here (the audit log, read)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import Auditor, Moment, Out, instant, nanoseconds
from sitewarden_collector.services.access import Principal
from sitewarden_collector.store import audit
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import principal

router = APIRouter(tags=["accounts"])


class MeOut(Out):
    """Who asks, and what they may."""

    name: str
    role: str
    customer_id: str = Field(description="of a customer's account: whose things it sees")
    permissions: list[str]
    locale: str
    timezone: str


class AuditOut(Out):
    """One line of the audit log. `sha256` holds the line before it fast."""

    seq: int
    at: datetime
    who: str
    action: str
    what: str
    customer_id: str
    data: dict[str, Any]
    sha256: str


@router.get("/me", operation_id="getMe", summary="Who I am, and what I may")
async def me(request: Request, who: Annotated[Principal, Depends(principal)]) -> MeOut:
    return MeOut(
        name=who.name,
        role=who.role.value,
        customer_id=who.customer_id,
        permissions=sorted(who.permissions),
        locale=who.locale,
        timezone=who.timezone,
    )


@router.get(
    "/audit", operation_id="listAudit", summary="Who saw and did what, the newest first", response_model=Page[AuditOut]
)
async def list_audit(
    request: Request,
    who: Auditor,
    account: Annotated[str, Query(max_length=200, description="only what this account did")] = "",
    action: Annotated[str, Query(max_length=64)] = "",
    since: Annotated[Moment | None, Query()] = None,
    until: Annotated[Moment | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    asked = window(request, cursor=cursor, limit=limit)
    rows = await context(request).db.read(
        audit.some,
        who=account,
        action=action,
        since_ns=0 if since is None else nanoseconds(since),
        until_ns=0 if until is None else nanoseconds(until),
        before_seq=asked.after[0] if asked.after else 0,
        limit=asked.limit + 1,
    )
    return page(request, rows, asked, shape=_entry, keys=lambda row: (row.seq,))


def _entry(row: audit.Row) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "at": instant(row.at_ns),
        "who": row.who,
        "action": row.action,
        "what": row.what,
        "customer_id": row.customer_id,
        "data": msgspec.json.decode(row.data or "{}"),
        "sha256": row.sha256,
    }
