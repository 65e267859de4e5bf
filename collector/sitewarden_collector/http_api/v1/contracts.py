"""Contracts: made, changed for all of their time, and what is included in them used up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import CustomersReader, CustomersWriter, In, Line, TicketsWorker
from sitewarden_collector.http_api.v1.contract_shapes import (
    ContractDetailOut,
    ContractIn,
    ContractOut,
    EntitlementOut,
    Kind,
    TermsIn,
    contract_out,
    detail_out,
    with_terms,
)
from sitewarden_collector.services import contracts, promises
from sitewarden_collector.services.contracts import Entitlement
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import contracts as stored
from sitewarden_collector.store import sites
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/contracts", tags=["customers"])
Number = Annotated[str, Path(max_length=24, description="its number, in any case", examples=["CON-1"])]


class UseIn(In):
    kind: Kind
    amount: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = Field(1, description="below 0: given back")
    ticket: Annotated[str, Field(max_length=64)] = Field("", description="for which ticket")
    note: Annotated[str, Field(max_length=2000)] = ""


@router.get("", operation_id="listContracts", summary="Contracts by customer and beginning")
async def list_contracts(
    request: Request,
    who: CustomersReader,
    customer: Annotated[Line, Query(description="only those of this customer")] | None = None,
    ends_soon: Annotated[bool, Query(description=f"only those that end in {contracts.SOON_DAYS} days")] = False,
) -> list[ContractOut]:
    ctx = context(request)
    found = await ctx.db.read(_found, customer or "", now_ns=ctx.now_ns())
    return [contract_out(one) for one in found if not ends_soon or one.status == "ends_soon"]


@router.get("/{number}", operation_id="getContract", summary="One contract with what is used up")
async def get_contract(request: Request, who: CustomersReader, number: Number) -> ContractDetailOut:
    ctx = context(request)
    return await ctx.db.read(_one, number, now_ns=ctx.now_ns())


@router.post("", operation_id="addContract", summary="Make one", status_code=201, response_model=ContractDetailOut)
async def add_contract(
    request: Request, who: CustomersWriter, body: Annotated[ContractIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Contract:
        customer = sites.customer(tx, body.customer)
        blank = Contract(
            customer_id=customer.id,
            customer=customer.name,
            name="",
            from_day="",
            until_day="",
            calendar="24x7",
            goals=promises.DEFAULT_GOALS,
            pauses=promises.DEFAULT_PAUSES,
        )
        return contracts.add(tx, with_terms(blank, body), now_ns=now_ns)

    def shape(tx: Tx, made: Contract) -> ContractDetailOut:
        return _one(tx, made.number, now_ns=now_ns)

    return await change(request, who, effect, shape, key=key, status=201)


@router.patch(
    "/{number}",
    operation_id="changeContract",
    summary="Change one, for all of its time",
    response_model=ContractDetailOut,
)
async def change_contract(
    request: Request, who: CustomersWriter, number: Number, body: Annotated[TermsIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Contract:
        before = stored.by_number(tx, number.upper())
        return contracts.change(tx, with_terms(before, body), now_ns=now_ns)

    def shape(tx: Tx, made: Contract) -> ContractDetailOut:
        return _one(tx, made.number, now_ns=now_ns)

    return await change(request, who, effect, shape, key=key)


@router.post(
    "/{number}/uses",
    operation_id="useEntitlement",
    summary="Something included was used up, or is given back",
    status_code=201,
    response_model=EntitlementOut,
)
async def use(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[UseIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Entitlement:
        return contracts.use(
            tx,
            number.upper(),
            body.kind,
            amount=body.amount,
            ticket=body.ticket,
            by=who.name,
            note=body.note,
            now_ns=now_ns,
        )

    def shape(_tx: Tx, left: Entitlement) -> EntitlementOut:
        return EntitlementOut(kind=left.kind, total=left.total, used=left.used)

    return await change(request, who, effect, shape, key=key, status=201)


def _found(tx: Tx, customer: str, *, now_ns: int) -> list[contracts.Shown]:
    customer_id = sites.customer(tx, customer).id if customer else ""
    return contracts.listed(tx, stored.every(tx, customer_id=customer_id), now_ns=now_ns)


def _one(tx: Tx, number: str, *, now_ns: int) -> ContractDetailOut:
    return detail_out(contracts.shown(tx, stored.by_number(tx, number.upper()), now_ns=now_ns))
