"""Accounts: made, changed, switched off, given a way back in. Every change says who made it, in the audit log.

Not here: what is right about a password (`passwords`), signing in (`signing_in`), the second factor (`second_factor`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from sitewarden_alerting.oncall.local import zone_of
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import audit
from sitewarden_collector.services.access import Permission, Principal, Role
from sitewarden_collector.store import accounts, api_tokens, sites, web_sessions
from sitewarden_collector.store.accounts import Account
from sitewarden_collector.store.base import new_id

RESET_HOURS = 24
LOCALES = ("", "en", "zh")  # empty: what the browser asks for
RESERVED = frozenset(("rules", "tracker", "sitewarden"))  # who did it, where no person did
THEMES = ("auto", "light", "dark")
_HOUR_NS = 3600 * 1_000_000_000


def principal_of(account: Account, *, scopes: frozenset[Permission] | None = None) -> Principal:
    """Who somebody acts as that has this account."""
    return Principal(
        account.name,
        Role(account.role),
        account_id=account.id,
        customer_id=account.customer_id,
        site_ids=account.site_ids,
        scopes=scopes,
        locale=account.locale,
        timezone=account.timezone or "UTC",
    )


def add(
    tx: Connection,
    name: str,
    *,
    role: str,
    customer: str = "",
    site_names: Collection[str] = (),
    email: str = "",
    locale: str = "",
    timezone: str = "",
    password_hash: str = "",
    password_due: bool = False,
    issuer: str = "",
    subject: str = "",
    by: str,
    now_ns: int,
) -> Account:
    """A new account. The role customer needs a customer, whose `site_names` may be named; others have none."""
    name = " ".join(name.split())
    if not 0 < len(name) <= 100 or any(not letter.isprintable() for letter in name):
        raise Invalid("an account's name has 1 to 100 printable characters")
    if name.casefold() in RESERVED:
        raise Invalid(f"{name!r} stands for the collector itself wherever somebody did something; take another name")
    customer_id, site_ids = _bounds(tx, role, customer, site_names)
    check_preferences(locale=locale, timezone=timezone)
    made = accounts.add(
        tx,
        new_id(),
        name,
        role=role,
        customer_id=customer_id,
        site_ids=site_ids,
        email=email.strip()[:320],
        locale=locale,
        timezone=timezone,
        password_hash=password_hash,
        password_due=password_due,
        issuer=issuer,
        subject=subject,
        now_ns=now_ns,
    )
    audit.note(tx, by, "add_account", name, customer_id=customer_id, data={"role": role}, now_ns=now_ns)
    return made


def set_role(
    tx: Connection, name: str, *, role: str, customer: str = "", site_names: Collection[str] = (), by: str, now_ns: int
) -> None:
    """Another role: every session of the account ends, so that none keeps what it may no longer do."""
    account = accounts.by_name(tx, name)
    customer_id, site_ids = _bounds(tx, role, customer, site_names)
    if account.role == Role.ADMIN and role != Role.ADMIN:
        _keep_an_admin(tx, account)
    accounts.change(tx, account.id, role=role, customer_id=customer_id, site_ids=site_ids)
    web_sessions.end(tx, account.id)
    audit.note(
        tx,
        by,
        "set_role",
        account.name,
        customer_id=customer_id,
        data={"before": account.role, "role": role},
        now_ns=now_ns,
    )


def set_email(tx: Connection, name: str, *, email: str, by: str, now_ns: int) -> None:
    account = accounts.by_name(tx, name)
    accounts.change(tx, account.id, email=email.strip()[:320])
    audit.note(tx, by, "set_email", account.name, customer_id=account.customer_id, now_ns=now_ns)


def set_preferences(tx: Connection, account_id: str, *, locale: str, timezone: str, theme: str) -> None:
    """How to speak to somebody; their own choice."""
    check_preferences(locale=locale, timezone=timezone, theme=theme)
    accounts.change(tx, account_id, locale=locale, timezone=timezone, theme=theme)


def disable(tx: Connection, name: str, *, by: str, now_ns: int) -> None:
    """Nobody signs in with this account any more, and none of its sessions and tokens goes on."""
    account = accounts.by_name(tx, name)
    if account.disabled_ns is not None:
        raise Conflict(f"{account.name} is switched off already")
    _keep_an_admin(tx, account)
    accounts.change(tx, account.id, disabled_ns=now_ns, reset_sha256="", reset_until_ns=0)
    web_sessions.end(tx, account.id)
    api_tokens.revoke_of_account(tx, account.id, now_ns=now_ns)
    audit.note(tx, by, "disable_account", account.name, customer_id=account.customer_id, now_ns=now_ns)


def enable(tx: Connection, name: str, *, by: str, now_ns: int) -> None:
    account = accounts.by_name(tx, name)
    if account.disabled_ns is None:
        raise Conflict(f"{account.name} is not switched off")
    accounts.change(tx, account.id, disabled_ns=None)
    audit.note(tx, by, "enable_account", account.name, customer_id=account.customer_id, now_ns=now_ns)


def set_password(
    tx: Connection, account_id: str, password_hash: str, *, due: bool = False, keep: str = "", by: str, now_ns: int
) -> None:
    """Another password. Every session ends but the one to `keep`; a one-time link is used up."""
    account = accounts.by_id(tx, account_id)
    values: dict[str, Any] = {"password_hash": password_hash, "password_due": due}
    accounts.change(tx, account_id, **values, reset_sha256="", reset_until_ns=0)
    web_sessions.end(tx, account_id, but=keep)
    audit.note(tx, by, "set_password", account.name, customer_id=account.customer_id, now_ns=now_ns)


def make_reset(tx: Connection, name: str, *, by: str, now_ns: int) -> str:
    """The secret of a link with which somebody sets their password once, within a day. The old one is void at once."""
    account = accounts.by_name(tx, name)
    secret = secrets.token_urlsafe(32)
    until_ns = now_ns + RESET_HOURS * _HOUR_NS
    accounts.change(tx, account.id, password_hash="", reset_sha256=_sha256(secret), reset_until_ns=until_ns)
    web_sessions.end(tx, account.id)
    audit.note(tx, by, "reset_password", account.name, customer_id=account.customer_id, now_ns=now_ns)
    return secret


def by_reset(tx: Connection, secret: str, *, now_ns: int) -> Account | None:
    """Whose one-time link this is; None when it is not good (any more)."""
    found = accounts.by_reset(tx, _sha256(secret))
    if found is None or found.reset_until_ns <= now_ns or found.disabled_ns is not None:
        return None
    return found


def take_reset(tx: Connection, secret: str, password_hash: str, *, now_ns: int) -> Account:
    """Set a password by a one-time link; raises Conflict when somebody used the link before."""
    found = by_reset(tx, secret, now_ns=now_ns)
    if found is None:
        raise Conflict("this link was used already or has expired; ask an administrator for another")
    set_password(tx, found.id, password_hash, by=found.name, now_ns=now_ns)
    return found


def drop_second_factor(tx: Connection, name: str, *, by: str, now_ns: int) -> None:
    """For somebody who lost it: they sign in without, and set up another where their role must have one."""
    account = accounts.by_name(tx, name)
    accounts.change(tx, account.id, totp_sealed="", totp_step=0, recovery=())
    web_sessions.end(tx, account.id)
    audit.note(tx, by, "drop_second_factor", account.name, customer_id=account.customer_id, now_ns=now_ns)


def end_sessions(tx: Connection, account_id: str, *, session_id: str = "", but: str = "", by: str, now_ns: int) -> int:
    """End one session, or all but one; how many."""
    account = accounts.by_id(tx, account_id)
    ended = web_sessions.end(tx, account_id, session_id=session_id, but=but)
    if ended:
        audit.note(tx, by, "end_session", account.name, customer_id=account.customer_id, now_ns=now_ns)
    return ended


def check_preferences(*, locale: str = "", timezone: str = "", theme: str = "auto") -> None:
    """Raise Invalid for a language, zone or theme that there is not."""
    if locale not in LOCALES:
        raise Invalid("the language is en or zh")
    if theme not in THEMES:
        raise Invalid("the theme is auto, light or dark")
    try:
        if timezone:
            zone_of(timezone)
    except ValueError:
        raise Invalid("there is no such time zone; write it as Europe/Berlin or Asia/Shanghai") from None


def _bounds(tx: Connection, role: str, customer: str, site_names: Collection[str]) -> tuple[str, frozenset[str]]:
    if role not in set(Role):
        raise Invalid(f"there is no role {role!r}; choose one of {', '.join(Role)}")
    if role != Role.CUSTOMER:
        if customer or site_names:
            raise Invalid(f"only the role customer is bound to a customer; {role} sees all")
        return "", frozenset()
    if not customer:
        raise Invalid("an account with the role customer needs its customer")
    customer_id = sites.customer_id_of(tx, customer)
    found = [sites.by_name(tx, name) for name in site_names]
    if strange := [site.name for site in found if site.customer_id != customer_id]:
        raise Invalid(f"{', '.join(strange)}: not a site of {customer}")
    return customer_id, frozenset(site.id for site in found)


def _keep_an_admin(tx: Connection, account: Account) -> None:
    others = [one for one in accounts.every(tx) if one.role == Role.ADMIN and one.disabled_ns is None]
    if account.role == Role.ADMIN and [one.id for one in others] == [account.id]:
        raise Conflict(f"{account.name} is the last administrator; make another one first")


def _sha256(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
