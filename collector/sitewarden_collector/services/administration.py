"""What administrators do with accounts, their tokens and subscriptions; changes have their row in the audit log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import audit, tokens_api, webhooks
from sitewarden_collector.services.tokens_api import Made
from sitewarden_collector.store import accounts, api_tokens, site_names, web_sessions
from sitewarden_collector.store.accounts import Account
from sitewarden_collector.store.api_tokens import ApiToken
from sitewarden_collector.store.web_sessions import WebSession


@dataclass(frozen=True, slots=True)
class ShownAccount:
    account: Account
    sessions: list[WebSession]
    tokens: list[ApiToken]
    customer: str
    sites: list[str]
    customers: list[str]


def show_account(tx: Connection, account_id: str) -> ShownAccount:
    """Everything about an account. Raises NotFound."""
    found = accounts.by_id(tx, account_id)
    return ShownAccount(
        found,
        web_sessions.of_account(tx, account_id),
        api_tokens.every(tx, account_id=account_id),
        site_names.customer_names(tx).get(found.customer_id, ""),
        sorted(site_names.of_ids(tx, list(found.site_ids)).values()),
        site_names.customers_every(tx),
    )


def invite(
    tx: Connection,
    name: str,
    *,
    role: str,
    customer: str,
    of_sites: Collection[str],
    email: str,
    locale: str,
    by: str,
    now_ns: int,
) -> tuple[Account, str]:
    """A new account, and the secret of the link with which its owner sets a password. Raises Invalid, Conflict,
    NotFound."""
    made = accounting.add(
        tx,
        name,
        role=role,
        customer=customer,
        site_names=of_sites,
        email=email,
        locale=locale,
        by=by,
        now_ns=now_ns,
    )
    return made, accounting.make_reset(tx, made.name, by=by, now_ns=now_ns)


def create_token(
    tx: Connection, account: str, name: str, *, scopes: Collection[str], days: float, by: str, now_ns: int
) -> Made:
    """A token of the account called `account`. Raises NotFound, Invalid, Forbidden."""
    owner = accounts.by_name(tx, account)
    made = tokens_api.create(tx, owner, name, scopes=scopes, days=days, now_ns=now_ns)
    data = {"account": owner.name, "scopes": sorted(scopes), "days": days}
    audit.note(tx, by, "add_api_token", name, customer_id=owner.customer_id, data=data, now_ns=now_ns)
    return made


def revoke_token(tx: Connection, token_id: str, *, by: str, now_ns: int) -> ApiToken:
    """Make a token useless. Raises NotFound, Conflict."""
    found = api_tokens.revoke(tx, token_id, now_ns=now_ns)
    audit.note(tx, by, "revoke_api_token", found.name, data={"account": found.account_name}, now_ns=now_ns)
    return found


def subscribe(
    tx: Connection,
    sealing: Fernet,
    *,
    url: str,
    events: Sequence[str],
    customer: str = "",
    about: str = "",
    by: str,
    now_ns: int,
) -> webhooks.Made:
    """Have an address told of events. Raises Invalid, NotFound."""
    made = webhooks.subscribe(tx, sealing, url=url, events=events, customer=customer, about=about, by=by, now_ns=now_ns)
    one = made.subscription
    audit.note(tx, by, "add_webhook", one.id, customer_id=one.customer_id, data={"events": list(events)}, now_ns=now_ns)
    return made


def unsubscribe(tx: Connection, subscription_id: str, *, by: str, now_ns: int) -> None:
    """Take a subscription out. Raises NotFound."""
    webhooks.remove(tx, subscription_id)
    audit.note(tx, by, "remove_webhook", subscription_id, now_ns=now_ns)


def switch(tx: Connection, subscription_id: str, *, active: bool, by: str, now_ns: int) -> None:
    """Turn a subscription on or off. Raises NotFound."""
    webhooks.switch(tx, subscription_id, active=active, by=by)
    audit.note(tx, by, "switch_webhook", subscription_id, data={"active": active}, now_ns=now_ns)
