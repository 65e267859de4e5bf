"""What is done with a ticket: each move is a POST, done once under its key, and answers with the ticket afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Number, Text, TicketsWorker
from sitewarden_collector.http_api.v1.ticket_shapes import TicketDetailOut
from sitewarden_collector.http_api.v1.tickets import detail, must_see
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.once import Tx
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tickets/{number}", tags=["tickets"])


class ResolveIn(In):
    how: Text = Field(description="how it was solved", examples=["restarted the pool with 200 connections"])


@router.post(
    "/acknowledge",
    operation_id="acknowledgeTicket",
    summary="Take it: no further page goes out",
    response_model=TicketDetailOut,
)
async def acknowledge(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    return await move(request, who, number, key, ticketing.acknowledge, who.name)


@router.post("/resolve", operation_id="resolveTicket", summary="It is solved", response_model=TicketDetailOut)
async def resolve(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ResolveIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, ticketing.resolve, who.name, body.how)


async def move(
    request: Request, who: Principal, number: str, key: str, service: Callable[..., Any], *arguments: Any, **named: Any
) -> Response:
    """Call `service(tx, number, ..., now_ns=)` where `who` may see the ticket, and answer with it as it is then."""
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> None:
        must_see(tx, number, who)
        service(tx, number, *arguments, **named, now_ns=now_ns)

    def shape(tx: Tx, _result: None) -> TicketDetailOut:
        return detail(tx, number, who, now_ns=now_ns)

    return await change(request, who, effect, shape, key=key)
