"""Customers, their sites and their contacts: made, changed, forgotten."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import Field

from sitewarden_collector.errors import Conflict
from sitewarden_collector.http_api.changing import Key, change, nothing
from sitewarden_collector.http_api.shapes import CustomersWriter, In, Line, Out
from sitewarden_collector.http_api.v1.directory import ContactOut, CustomerDetailOut, Name, contact_out, customer_out
from sitewarden_collector.services import customers
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import sites
from sitewarden_collector.store.contacts import Contact, Named
from sitewarden_collector.store.sites import Customer, Site
from sitewarden_collector.web.context import context

router = APIRouter()
Tier = Literal["bronze", "silver", "gold"]
Language = Literal["en", "zh"]
News = Literal["outages", "solutions", "maintenance", "reports", "contract"]
Text = Annotated[str, Field(max_length=20_000)]
ContactName = Annotated[str, Path(max_length=200, description="the contact's name")]
SiteName = Annotated[str, Path(max_length=200, description="the site's name", examples=["acme-berlin"])]


class CustomerIn(In):
    name: Line = Field(examples=["acme"])
    tier: Tier = "silver"
    locale: Language = Field("en", description="in which they are written to")
    notes: Text = ""


class CustomerChangeIn(In):
    """What is not given stays as it is. A tier counts for tickets that open from now on."""

    name: Line | None = None
    tier: Tier | None = None
    locale: Language | None = None
    notes: Text | None = None


class ContactIn(In):
    site: Annotated[str, Field(max_length=200)] = Field("", description="empty: of the customer as a whole")
    role: Annotated[str, Field(max_length=100)] = ""
    phone: Annotated[str, Field(max_length=64)] = ""
    mail: Annotated[str, Field(max_length=254)] = ""
    language: Language = "en"
    told_of: list[News] = Field(default=[], max_length=5)


class SiteChangeIn(In):
    address: Annotated[str, Field(max_length=500)] | None = None
    timezone: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, examples=["Europe/Berlin"])


class SiteAddressOut(Out):
    name: str
    customer: str
    address: str
    timezone: str


@router.post(
    "/customers",
    operation_id="addCustomer",
    tags=["customers"],
    summary="Make one",
    status_code=201,
    response_model=CustomerDetailOut,
)
async def add_customer(
    request: Request, who: CustomersWriter, body: Annotated[CustomerIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Customer:
        return customers.add(tx, body.name, tier=body.tier, locale=body.locale, notes=body.notes, now_ns=now_ns)

    def shape(tx: Tx, made: Customer) -> CustomerDetailOut:
        return customer_out(customers.show(tx, made.name, now_ns=now_ns))

    return await change(request, who, effect, shape, key=key, status=201)


@router.patch(
    "/customers/{name}",
    operation_id="changeCustomer",
    tags=["customers"],
    summary="Change one",
    response_model=CustomerDetailOut,
)
async def change_customer(
    request: Request, who: CustomersWriter, name: Name, body: Annotated[CustomerChangeIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Customer:
        return customers.edit(tx, name, new_name=body.name, tier=body.tier, locale=body.locale, notes=body.notes)

    def shape(tx: Tx, made: Customer) -> CustomerDetailOut:
        return customer_out(customers.show(tx, made.name, now_ns=now_ns))

    return await change(request, who, effect, shape, key=key)


@router.put(
    "/customers/{name}/contacts/{contact}",
    operation_id="putContact",
    tags=["customers"],
    summary="A contact as it is from now on, new or in the place of the one of that name",
    response_model=ContactOut,
)
async def put_contact(
    request: Request,
    who: CustomersWriter,
    name: Name,
    contact: ContactName,
    body: Annotated[ContactIn, Body()],
    key: Key = "",
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Named:
        customer = sites.customer(tx, name)
        site_id = ""
        if body.site:
            site = sites.by_name(tx, body.site)
            site_id = site.id
            if site.customer_id != customer.id:
                raise Conflict(f"the site {site.name!r} is {site.customer_name}'s; name one of {customer.name}")
        asked = Contact(
            customer.id,
            contact.strip(),
            site_id=site_id,
            role=body.role,
            phone=body.phone,
            mail=body.mail,
            language=body.language,
            told_of=tuple(dict.fromkeys(body.told_of)),
        )
        return Named(customers.put_contact(tx, asked, now_ns=now_ns), customer.name, body.site)

    return await change(request, who, effect, lambda _tx, made: contact_out(made), key=key)


@router.delete(
    "/customers/{name}/contacts/{contact}",
    operation_id="removeContact",
    tags=["customers"],
    summary="Forget a contact",
    status_code=204,
)
async def remove_contact(
    request: Request, who: CustomersWriter, name: Name, contact: ContactName, key: Key = ""
) -> Response:
    def effect(tx: Tx) -> None:
        customers.remove_contact(tx, name, contact)

    return await change(request, who, effect, nothing, key=key, status=204)


@router.patch(
    "/sites/{name}",
    operation_id="changeSite",
    tags=["sites"],
    summary="Where it is: address and time zone",
    response_model=SiteAddressOut,
)
async def change_site(
    request: Request, who: CustomersWriter, name: SiteName, body: Annotated[SiteChangeIn, Body()], key: Key = ""
) -> Response:
    def effect(tx: Tx) -> Site:
        return customers.edit_site(tx, name, address=body.address, timezone=body.timezone)

    def shape(_tx: Tx, site: Site) -> SiteAddressOut:
        return SiteAddressOut(name=site.name, customer=site.customer_name, address=site.address, timezone=site.timezone)

    return await change(request, who, effect, shape, key=key)
