"""Who may do what: roles, permissions, and the principal that every request and command acts as.

    admin      everything: accounts, keys, settings
    manager    all customers: contracts, service levels, schedules, reports; and all that an engineer may
    engineer   all customers: tickets, silences, problems, sites
    viewer     sees what an engineer sees, changes nothing
    customer   the tickets and sites of their own customer alone: reads, reports, comments, confirms

A principal of an API token has its account's role, narrowed by the token's scopes. Nothing here reads a database: who
somebody is, is found out in `accounts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sitewarden_collector.errors import Forbidden


class Role(StrEnum):
    ADMIN = "admin"
    MANAGER = "manager"
    ENGINEER = "engineer"
    VIEWER = "viewer"
    CUSTOMER = "customer"


class Permission(StrEnum):
    """What a route or a command asks for. API tokens carry some of them as their scopes."""

    TICKETS_READ = "tickets:read"
    TICKETS_REPORT = "tickets:report"  # open one, comment to it, confirm its solution
    TICKETS_WORK = "tickets:work"  # everything else that is done with a ticket; problems too
    SITES_READ = "sites:read"
    CUSTOMERS_READ = "customers:read"  # customers, contacts, contracts
    CUSTOMERS_WRITE = "customers:write"
    ONCALL_READ = "oncall:read"
    ONCALL_WRITE = "oncall:write"  # schedules, escalation
    SILENCES_WRITE = "silences:write"  # silences and maintenance windows
    WEBHOOKS_IN = "webhooks:in"  # alerts from other monitoring
    SETTINGS_WRITE = "settings:write"  # webhooks out, calendars, policies
    ACCOUNTS_WRITE = "accounts:write"
    AUDIT_READ = "audit:read"
    PRIVACY_WRITE = "privacy:write"  # export and erase


_VIEW = frozenset((Permission.TICKETS_READ, Permission.SITES_READ, Permission.CUSTOMERS_READ, Permission.ONCALL_READ))
_WORK = _VIEW | {
    Permission.TICKETS_REPORT,
    Permission.TICKETS_WORK,
    Permission.SILENCES_WRITE,
    Permission.WEBHOOKS_IN,
}
_MANAGE = _WORK | {
    Permission.CUSTOMERS_WRITE,
    Permission.ONCALL_WRITE,
    Permission.SETTINGS_WRITE,
    Permission.AUDIT_READ,
}
ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MANAGER: _MANAGE,
    Role.ENGINEER: _WORK,
    Role.VIEWER: _VIEW,
    Role.CUSTOMER: frozenset((Permission.TICKETS_READ, Permission.TICKETS_REPORT, Permission.SITES_READ)),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. `customer_id` is set for the role customer alone: what is not that customer's does not exist for them,
    nor, with `site_ids`, what is not of those sites.

    `scopes` is None for somebody who signed in, and what a token may for its bearer. `locale` (en, zh) and `timezone`
    (IANA) say how to speak to them.
    """

    name: str
    role: Role
    account_id: str = ""
    customer_id: str = ""
    site_ids: frozenset[str] = frozenset()  # empty: all sites of the customer
    scopes: frozenset[Permission] | None = None
    locale: str = "en"
    timezone: str = "UTC"
    permissions: frozenset[Permission] = field(init=False)

    def __post_init__(self) -> None:
        allowed = ALLOWED[self.role] if self.scopes is None else ALLOWED[self.role] & self.scopes
        object.__setattr__(self, "permissions", allowed)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def sees(self, customer_id: str) -> bool:
        """Whether what belongs to this customer exists for them."""
        return self.role is not Role.CUSTOMER or (bool(customer_id) and customer_id == self.customer_id)

    def sees_site(self, customer_id: str, site_id: str) -> bool:
        """Whether a site of this customer, and what happened there, exists for them."""
        return self.sees(customer_id) and (not self.only_sites or site_id in self.only_sites)

    @property
    def only_sites(self) -> frozenset[str]:
        """The sites to narrow every question to; empty for those who see all of their customer, or everything."""
        return self.site_ids if self.role is Role.CUSTOMER else frozenset()

    @property
    def only_customer(self) -> str:
        """The customer to narrow every question to; empty for those who see all."""
        return self.customer_id if self.role is Role.CUSTOMER else ""


def demand(principal: Principal, permission: Permission) -> None:
    """Raise Forbidden when `principal` may not."""
    if not principal.may(permission):
        how = "the token lacks that scope" if principal.scopes is not None else f"the role {principal.role} may not"
        raise Forbidden(f"{principal.name} needs {permission} for this: {how}; ask an administrator")
