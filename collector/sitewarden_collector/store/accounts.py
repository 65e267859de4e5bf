"""Who may sign in: accounts with their role, and how they prove that it is them. Of passwords and codes only hashes
rest here, the secret of the second factor only encrypted.

Not here: what makes a password good or right (`services.accounts`), and who signed in (`web_sessions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Connection, ForeignKey, Row, String, Table, Text, insert, select, update

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

accounts = Table(
    "accounts",
    metadata,
    id_column(),
    Column("name", String(100), nullable=False),
    Column("name_key", String(200), nullable=False, unique=True),  # the name without case
    Column("role", String(16), nullable=False),
    Column("customer_id", Id, ForeignKey("customers.id")),
    Column("site_ids", Text, nullable=False),  # JSON list; empty: all of the customer
    Column("email", String(320), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("theme", String(16), nullable=False),
    Column("password_hash", String(255), nullable=False),  # argon2id; empty: no password signs in
    Column("password_due", Boolean, nullable=False),  # must be changed at the next sign-in
    Column("totp_sealed", Text, nullable=False),  # empty: no second factor
    Column("totp_step", Ns, nullable=False),  # the last 30 s step whose code was taken
    Column("recovery", Text, nullable=False),  # JSON list of SHA-256
    Column("reset_sha256", String(64), nullable=False),
    Column("reset_until_ns", Ns, nullable=False),
    Column("issuer", String(255), nullable=False),  # of the OIDC provider; empty: a local account
    Column("subject", String(255), nullable=False),
    Column("disabled_ns", Ns),
    Column("created_ns", Ns, nullable=False),
    Column("signed_in_ns", Ns),
)
_DEFAULTS: dict[str, Any] = {
    "customer_id": None,
    "site_ids": "[]",
    "email": "",
    "locale": "",
    "timezone": "",
    "theme": "auto",
    "password_hash": "",
    "password_due": False,
    "totp_sealed": "",
    "totp_step": 0,
    "recovery": "[]",
    "reset_sha256": "",
    "reset_until_ns": 0,
    "issuer": "",
    "subject": "",
}


@dataclass(frozen=True, slots=True)
class Account:
    """`repr` leaves out what proves who somebody is."""

    id: str
    name: str
    role: str
    customer_id: str
    site_ids: frozenset[str]
    email: str
    locale: str
    timezone: str
    theme: str
    password_hash: str
    password_due: bool
    totp_sealed: str
    totp_step: int
    recovery: tuple[str, ...]
    reset_sha256: str
    reset_until_ns: int
    issuer: str
    subject: str
    disabled_ns: int | None
    created_ns: int
    signed_in_ns: int | None

    def __repr__(self) -> str:
        return f"Account({self.id!r}, {self.name!r}, {self.role!r})"

    @property
    def has_second_factor(self) -> bool:
        return bool(self.totp_sealed)


def name_key(name: str) -> str:
    """What two names share that are the same to people."""
    return " ".join(name.split()).casefold()


def add(tx: Connection, account_id: str, name: str, *, role: str, now_ns: int, **more: Any) -> Account:
    """A new account; raises Conflict when the name is taken."""
    if find(tx, name) is not None:
        raise Conflict(f"there is an account {name!r} already; choose another name")
    values = _DEFAULTS | {"role": role, "name": name, "name_key": name_key(name), "created_ns": now_ns} | _plain(more)
    tx.execute(insert(accounts).values(id=account_id, **values))
    return by_id(tx, account_id)


def change(tx: Connection, account_id: str, /, **values: Any) -> None:
    """Set some columns of an account."""
    tx.execute(update(accounts).where(accounts.c.id == account_id).values(**_plain(values)))


def take_step(tx: Connection, account_id: str, step: int) -> bool:
    """Use up the code of a 30 s step and of all before it; False when it was used already."""
    done = tx.execute(
        update(accounts).where(accounts.c.id == account_id, accounts.c.totp_step < step).values(totp_step=step)
    )
    return done.rowcount == 1


def take_recovery(tx: Connection, account: Account, code_sha256: str) -> bool:
    """Use up a recovery code; False when it is none (any more)."""
    left = tuple(one for one in account.recovery if one != code_sha256)
    if len(left) == len(account.recovery):
        return False
    before = msgspec.json.encode(account.recovery).decode()
    here = (accounts.c.id == account.id) & (accounts.c.recovery == before)
    done = tx.execute(update(accounts).where(here).values(**_plain({"recovery": left})))
    return done.rowcount == 1


def find(tx: Connection, name: str) -> Account | None:
    row = tx.execute(select(accounts).where(accounts.c.name_key == name_key(name))).one_or_none()
    return None if row is None else _read(row)


def by_name(tx: Connection, name: str) -> Account:
    """The account called `name`, in any case; raises NotFound."""
    found = find(tx, name)
    if found is None:
        raise NotFound(f"there is no account {name!r}; `sitewarden account list` shows those that are there")
    return found


def by_id(tx: Connection, account_id: str) -> Account:
    """The account with this id; raises NotFound."""
    row = tx.execute(select(accounts).where(accounts.c.id == account_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no account with id {account_id}")
    return _read(row)


def by_reset(tx: Connection, reset_sha256: str) -> Account | None:
    """The account whose one-time link this is."""
    row = tx.execute(select(accounts).where(accounts.c.reset_sha256 == reset_sha256)).first() if reset_sha256 else None
    return None if row is None else _read(row)


def by_subject(tx: Connection, issuer: str, subject: str) -> Account | None:
    """The account of somebody whom an OIDC provider knows."""
    row = tx.execute(select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)).first()
    return None if row is None else _read(row)


def every(tx: Connection) -> list[Account]:
    """All accounts, by name."""
    return [_read(row) for row in tx.execute(select(accounts).order_by(accounts.c.name_key))]


def of_customer(tx: Connection, customer_id: str) -> list[Account]:
    return [_read(row) for row in tx.execute(select(accounts).where(accounts.c.customer_id == customer_id))]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    kept = dict(values)
    if "customer_id" in kept:
        kept["customer_id"] = kept["customer_id"] or None
    if "site_ids" in kept:
        kept["site_ids"] = msgspec.json.encode(sorted(kept["site_ids"])).decode()
    if "recovery" in kept:
        kept["recovery"] = msgspec.json.encode(list(kept["recovery"])).decode()
    if "name" in kept:
        kept["name_key"] = name_key(kept["name"])
    return kept


def _read(row: Row[Any]) -> Account:
    values = dict(row._mapping)
    del values["name_key"]
    values["customer_id"] = values["customer_id"] or ""
    values["site_ids"] = frozenset(msgspec.json.decode(values["site_ids"]))
    values["recovery"] = tuple(msgspec.json.decode(values["recovery"]))
    return Account(**values)
