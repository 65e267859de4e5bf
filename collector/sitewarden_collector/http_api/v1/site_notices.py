"""Notices to the people at a site: shown there by the agent."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Out, TicketsWorker
from sitewarden_collector.services import actions
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import sites
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/sites", tags=["sites"])
Name = Annotated[str, Path(max_length=200, description="the site's name", examples=["acme-berlin"])]


class SiteNoticeIn(In):
    subject: Annotated[str, Field(min_length=1, max_length=actions.SUBJECT_MAX)]
    body: Annotated[str, Field(max_length=actions.BODY_MAX)] = ""
    category: Literal["patch", "advisory", "maintenance", "information"] = "information"
    reference: Annotated[str, Field(max_length=200)] = ""


class QueuedOut(Out):
    site: str
    actions: list[str] = Field(description="one for each active agent: their ids")


@router.post(
    "/{name}/notices",
    operation_id="sendSiteNotice",
    summary="Tell the people at a site something",
    status_code=202,
    response_model=QueuedOut,
)
async def send(
    request: Request, who: TicketsWorker, name: Name, body: Annotated[SiteNoticeIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> QueuedOut:
        site = sites.by_name(tx, name)
        made = actions.send_notice(
            tx,
            site.id,
            subject=body.subject,
            body=body.body,
            category=body.category,
            reference=body.reference,
            now_ns=now_ns,
        )
        return QueuedOut(site=site.name, actions=made)

    return await change(request, who, effect, lambda _tx, made: made, key=key, status=202)
