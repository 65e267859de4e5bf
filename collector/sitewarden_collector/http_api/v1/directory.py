"""Customers with their contacts and contracts; read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import CustomersReader, Out, Search
from sitewarden_collector.http_api.v1.contract_shapes import ContractOut, contract_out
from sitewarden_collector.services import customers
from sitewarden_collector.services.customers import Shown
from sitewarden_collector.store import listings
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


class CustomerDetailOut(Out):
    name: str
    id: str
    tier: str
    locale: str
    notes: str
    sites: list[str]
    contacts: list[ContactOut]
    contracts: list[ContractOut]


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
    return customer_out(await ctx.db.read(customers.show, name, now_ns=ctx.now_ns()))


def _customer(row: CustomerRow) -> dict[str, Any]:
    return {"name": row.name, "id": row.id, "tier": row.tier, "locale": row.locale, "sites": row.sites}


def customer_out(shown: Shown) -> CustomerDetailOut:
    return CustomerDetailOut(
        name=shown.customer.name,
        id=shown.customer.id,
        tier=shown.customer.tier,
        locale=shown.customer.locale,
        notes=shown.customer.notes,
        sites=[site.name for site in shown.sites],
        contacts=[contact_out(one) for one in shown.contacts],
        contracts=[contract_out(one) for one in shown.contracts],
    )


def contact_out(one: Named) -> ContactOut:
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
