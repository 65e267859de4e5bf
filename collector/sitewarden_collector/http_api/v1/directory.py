"""Customers with their contacts and contracts, and the calendars that contracts count by; read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import CustomersReader, Out, Search
from sitewarden_collector.services import contracts, customers
from sitewarden_collector.services.customers import Shown
from sitewarden_collector.store import calendars, listings
from sitewarden_collector.store.contacts import Named
from sitewarden_collector.store.listings import CustomerRow
from sitewarden_collector.web.context import context

router = APIRouter(tags=["customers"])
Name = Annotated[str, Path(max_length=200, description="the customer's name", examples=["acme"])]


class CustomerOut(Out):
    name: str
    id: str
    tier: str
    locale: str
    sites: int


class ContactOut(Out):
    name: str
    site: str
    role: str
    phone: str
    mail: str
    language: str
    told_of: list[str]


class EntitlementOut(Out):
    kind: str
    total: int
    used: int


class ContractOut(Out):
    number: str = Field(examples=["CON-1"])
    name: str
    status: str
    begins: str = Field(description="a day", examples=["2026-01-01"])
    ends: str
    calendar: str
    entitlements: list[EntitlementOut]


class CustomerDetailOut(Out):
    name: str
    id: str
    tier: str
    locale: str
    notes: str
    sites: list[str]
    contacts: list[ContactOut]
    contracts: list[ContractOut]


class CalendarOut(Out):
    name: str
    versions: int
    zone: str = Field(description="of the version in force last")


@router.get("/customers", operation_id="listCustomers", summary="Customers by name", response_model=Page[CustomerOut])
async def list_customers(
    request: Request, who: CustomersReader, q: Search = "", limit: Limit = 50, cursor: Cursor = ""
) -> Any:
    asked = window(request, cursor=cursor, limit=limit, descending=False)
    rows = await context(request).db.read(listings.customers_page, asked, text=q)
    return page(request, rows, asked, shape=_customer, keys=lambda one: (one.name, one.id))


@router.get("/customers/{name}", operation_id="getCustomer", summary="One customer with contacts and contracts")
async def get_customer(request: Request, who: CustomersReader, name: Name) -> CustomerDetailOut:
    ctx = context(request)
    return _detail(await ctx.db.read(customers.show, name, now_ns=ctx.now_ns()))


@router.get("/calendars", operation_id="listCalendars", summary="Calendars that contracts count by")
async def list_calendars(
    request: Request, who: CustomersReader, name: Annotated[str, Query(max_length=100)] = ""
) -> list[CalendarOut]:
    found = await context(request).db.read(calendars.every)
    return [
        CalendarOut(name=title, versions=len(versions), zone=versions[-1].calendar.zone)
        for title, versions in sorted(found.items())
        if versions and name in ("", title)
    ]


def _customer(row: CustomerRow) -> dict[str, Any]:
    return {"name": row.name, "id": row.id, "tier": row.tier, "locale": row.locale, "sites": row.sites}


def _detail(shown: Shown) -> CustomerDetailOut:
    return CustomerDetailOut(
        name=shown.customer.name,
        id=shown.customer.id,
        tier=shown.customer.tier,
        locale=shown.customer.locale,
        notes=shown.customer.notes,
        sites=[site.name for site in shown.sites],
        contacts=[_contact(one) for one in shown.contacts],
        contracts=[_contract(one) for one in shown.contracts],
    )


def _contact(one: Named) -> ContactOut:
    contact = one.contact
    return ContactOut(
        name=contact.name,
        site=one.site,
        role=contact.role,
        phone=contact.phone,
        mail=contact.mail,
        language=contact.language,
        told_of=list(contact.told_of),
    )


def _contract(one: contracts.Shown) -> ContractOut:
    contract = one.contract
    return ContractOut(
        number=contract.number,
        name=contract.name,
        status=str(one.status),
        begins=contract.from_day,
        ends=contract.until_day,
        calendar=contract.calendar,
        entitlements=[EntitlementOut(kind=e.kind, total=e.total, used=e.used) for e in one.entitlements],
    )
