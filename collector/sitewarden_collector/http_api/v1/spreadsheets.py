"""Customers, sites, contacts and contracts as CSV, out and in: a file is taken in whole or not at all."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response

from sitewarden_collector.errors import Invalid
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import CustomersReader, CustomersWriter, Out
from sitewarden_collector.services import spreadsheets
from sitewarden_collector.services.once import Tx
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/csv", tags=["customers"])
Kind = Annotated[
    Literal["customers", "sites", "contacts", "contracts"],
    Path(description="of what; the first line of the file names the columns"),
]
MEDIA_TYPE = "text/csv"


class TakenOut(Out):
    kind: str
    rows: int


@router.get(
    "/{kind}.csv",
    operation_id="exportCsv",
    summary="Everything of a kind, as a file that spreadsheets open",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
async def export(request: Request, who: CustomersReader, kind: Kind) -> Response:
    text = await context(request).db.read(spreadsheets.export, kind)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.csv"'}
    return Response(text.encode(), media_type=MEDIA_TYPE, headers=headers)


@router.put(
    "/{kind}.csv",
    operation_id="importCsv",
    summary="Take a file in; every mistake is told with its line, and then nothing of it was taken",
    response_model=TakenOut,
)
async def take(
    request: Request,
    who: CustomersWriter,
    kind: Kind,
    body: Annotated[bytes, Body(media_type=MEDIA_TYPE)],
    key: Key = "",
) -> Response:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"the file is not UTF-8 (byte {error.start}); save it as CSV UTF-8") from error
    if "\x00" in text:
        raise Invalid("the file holds a NUL, which cannot be kept; save it as CSV UTF-8")
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> TakenOut:
        return TakenOut(kind=kind, rows=spreadsheets.load(tx, kind, text, now_ns=now_ns))

    return await change(request, who, effect, lambda _tx, taken: taken, key=key)
