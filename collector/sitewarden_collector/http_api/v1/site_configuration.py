"""What is configured at a site's agents from here: its versions, and a new one. How each host stands to it, `GET
/sites/{name}` says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import Field

from sitewarden_collector.errors import NotFound
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Out, SettingsWriter, SitesReader, instant
from sitewarden_collector.services import site_configs
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store.site_configs import SiteConfig
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/sites", tags=["sites"])
Name = Annotated[str, Path(max_length=200, description="the site's name", examples=["acme-berlin"])]


class VersionIn(In):
    """What the site's agents are to run, within what their own files allow."""

    document: Annotated[
        str,
        Field(
            max_length=site_configs.DOCUMENT_MAX_BYTES,
            description="TOML in the shape of the agent's own file; empty: each agent's own file alone",
            examples=["[health]\ninterval_s = 30.0\n"],
        ),
    ]
    note: Annotated[str, Field(max_length=site_configs.NOTE_MAX)] = ""


class VersionOut(Out):
    """One version for the site."""

    version: int
    document: str
    inherits: bool = Field(description="it says nothing: what is for the customer counts")
    author: str
    note: str
    created: datetime


@router.get(
    "/{name}/configuration",
    operation_id="listSiteConfigurations",
    summary="Every version of a site's configuration, the newest first",
    response_model=list[VersionOut],
)
async def versions(request: Request, who: SitesReader, name: Name) -> Any:
    if who.only_customer:
        raise NotFound(f"there is no site {name!r}; `GET /api/v1/sites` lists those that there are")
    view = await context(request).db.read(site_configs.of_site, name)
    return [_shaped(one) for one, _ in view.versions]


@router.post(
    "/{name}/configuration",
    operation_id="configureSite",
    summary="Make a new version, and bring it to the site's agents",
    status_code=201,
    response_model=VersionOut,
)
async def configure(
    request: Request, who: SettingsWriter, name: Name, body: Annotated[VersionIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> SiteConfig:
        what = site_configs.scope(tx, site=name)
        return site_configs.configure(tx, what, body.document, author=who.name, note=body.note, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: _shaped(made), key=key, status=201)


def _shaped(one: SiteConfig) -> VersionOut:
    return VersionOut(
        version=one.version,
        document=one.document,
        inherits=one.inherits,
        author=one.author,
        note=one.note,
        created=instant(one.created_ns),
    )
