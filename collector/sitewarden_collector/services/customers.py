"""Customers, their sites and contacts in use: made, changed, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.oncall.local import zone_of
from sitewarden_alerting.priority import Tier
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import contracts as contracting
from sitewarden_collector.store import contacts, contracts, sites, tickets
from sitewarden_collector.store.contacts import NEWS, Contact, Named
from sitewarden_collector.store.contracts import Use
from sitewarden_collector.store.sites import Customer, Site
from sitewarden_collector.store.tickets import Event, Listed

LOCALES = ("en", "zh")
VISIT = "visit"  # what the events of site visits have in their names


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything about a customer."""

    customer: Customer
    sites: tuple[Site, ...]
    contacts: tuple[Named, ...]
    contracts: tuple[contracting.Shown, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """What was done for a customer or at a site: the tickets, the visits to the site, what was used up."""

    tickets: tuple[Listed, ...]
    visits: tuple[tuple[str, Event], ...]  # with the ticket's number
    uses: tuple[tuple[str, Use], ...]  # with the contract's number


def add(
    tx: Connection, name: str, *, tier: str = "silver", locale: str = "en", notes: str = "", now_ns: int
) -> Customer:
    """A new customer. Raises Invalid, Conflict."""
    name = _name(name, "customer")
    if any(one.name == name for one in sites.every_customer(tx)):
        raise Conflict(f"there is a customer {name!r} already; `sitewarden customer edit` changes it")
    sites.ensure_customer(tx, name, now_ns=now_ns)
    return edit(tx, name, tier=tier, locale=locale, notes=notes)


def edit(
    tx: Connection,
    name: str,
    *,
    new_name: str | None = None,
    tier: str | None = None,
    locale: str | None = None,
    notes: str | None = None,
) -> Customer:
    """Change what is not None. A tier counts for tickets that open from now on. Raises NotFound, Invalid, Conflict."""
    one = sites.customer(tx, name)
    if tier is not None and tier not in tuple(Tier):
        raise Invalid(f"{tier!r} is no tier; it is one of {', '.join(Tier)}")
    if locale is not None and locale not in LOCALES:
        raise Invalid(f"{locale!r} is no language to write to customers in; it is one of {', '.join(LOCALES)}")
    if new_name is not None and new_name != name:
        new_name = _name(new_name, "customer")
        if any(other.name == new_name for other in sites.every_customer(tx)):
            raise Conflict(f"there is a customer {new_name!r} already")
    changed = replace(
        one,
        name=one.name if new_name is None else new_name,
        tier=one.tier if tier is None else tier,
        locale=one.locale if locale is None else locale,
        notes=one.notes if notes is None else notes,
    )
    sites.save_customer(tx, changed)
    return changed


def edit_site(tx: Connection, name: str, *, address: str | None = None, timezone: str | None = None) -> Site:
    """Change what is not None of a site. Raises NotFound, Invalid."""
    one = sites.by_name(tx, name)
    if timezone is not None:
        zone(timezone)
    changed = replace(
        one,
        address=one.address if address is None else address,
        timezone=one.timezone if timezone is None else timezone,
    )
    sites.save(tx, changed)
    return changed


def put_contact(tx: Connection, contact: Contact, *, now_ns: int) -> Contact:
    """A contact, new or in the place of the one of that name at that customer. Raises Invalid."""
    check_contact(contact)
    before = contacts.find(tx, contact.customer_id, contact.name)
    if before is None:
        return contacts.add(tx, contact, now_ns=now_ns)
    changed = replace(contact, id=before.id, created_ns=before.created_ns)
    contacts.save(tx, changed)
    return changed


def remove_contact(tx: Connection, customer: str, name: str) -> None:
    """Forget a contact. Raises NotFound."""
    contacts.remove(tx, contacts.by_name(tx, sites.customer(tx, customer).id, name).id)


def check_contact(contact: Contact) -> None:
    """Raise Invalid unless somebody could use the contact."""
    _name(contact.name, "contact")
    for what, text, most in (("role", contact.role, 100), ("phone", contact.phone, 64), ("mail", contact.mail, 254)):
        if len(text) > most:
            raise Invalid(f"the {what} of {contact.name} has {len(text)} characters, at most {most} are kept")
    if contact.mail and ("@" not in contact.mail or " " in contact.mail.strip()):
        raise Invalid(f"{contact.mail!r} is no mail address")
    if unknown := set(contact.told_of) - set(NEWS):
        raise Invalid(f"{', '.join(sorted(unknown))} is nothing to be told of; it is one of {', '.join(NEWS)}")
    if contact.language not in LOCALES:
        raise Invalid(f"{contact.language!r} is no language to write in; it is one of {', '.join(LOCALES)}")


def show(tx: Connection, name: str, *, now_ns: int) -> Shown:
    """A customer with everything that is theirs. Raises NotFound."""
    one = sites.customer(tx, name)
    return Shown(
        one,
        tuple(sites.of_customer(tx, one.id)),
        tuple(contacts.every(tx, customer_id=one.id)),
        tuple(contracting.listed(tx, contracts.every(tx, customer_id=one.id), now_ns=now_ns)),
    )


def service(tx: Connection, customer: str, *, site: str = "", limit: int = 200) -> Service:
    """What was done for a customer, or at one of their sites, the newest first. Raises NotFound."""
    one = sites.customer(tx, customer)
    found = [
        listed
        for where in sites.of_customer(tx, one.id)
        if not site or where.name == site
        for listed in tickets.listing(tx, site_id=where.id, limit=limit)
    ]
    found.sort(key=lambda listed: listed.ticket.opened_ns, reverse=True)
    numbers = {listed.ticket.id: listed.ticket.number for listed in found[:limit]}
    histories = tickets.histories(tx, list(numbers))
    visits = [(numbers[i], event) for i, events in histories.items() for event in events if VISIT in event.what]
    uses = [
        (contract.number, used)
        for contract in contracts.every(tx, customer_id=one.id)
        for used in contracts.uses(tx, contract.id)
        if not site or used.ticket_id in numbers
    ]
    return Service(
        tuple(found[:limit]),
        tuple(sorted(visits, key=lambda visit: -visit[1].at_ns)),
        tuple(sorted(uses, key=lambda use: -use[1].at_ns)),
    )


def zone(name: str) -> str:
    """The name of a time zone; raises Invalid."""
    try:
        zone_of(name)
    except ValueError:
        raise Invalid(f"{name!r} is no time zone; write one as Europe/Berlin or Asia/Shanghai") from None
    return name


def _name(text: str, what: str) -> str:
    text = text.strip()
    if not text or len(text) > 200:
        raise Invalid(f"the name of a {what} has 1 to 200 characters")
    return text
