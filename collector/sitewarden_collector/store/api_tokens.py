"""API tokens: each acts as its account, narrowed to its scopes. Of the secret only its hash rests here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, ForeignKey, Row, String, Table, Text, delete, insert, or_, select, update

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store.accounts import accounts
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    id_column(),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),  # its last letters, to tell it from others
    Column("created_ns", Ns, nullable=False),
    Column("expires_ns", Ns, nullable=False),
    Column("used_ns", Ns),
    Column("revoked_ns", Ns),
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    id: str
    account_id: str
    account_name: str
    name: str
    scopes: tuple[str, ...]
    token_sha256: str
    hint: str
    created_ns: int
    expires_ns: int
    used_ns: int | None
    revoked_ns: int | None

    def state(self, *, now_ns: int) -> str:
        """good, revoked or expired."""
        if self.revoked_ns is not None:
            return "revoked"
        return "expired" if self.expires_ns <= now_ns else "good"


_TOKEN = select(api_tokens, accounts.c.name.label("account_name")).join_from(api_tokens, accounts)


def add(tx: Connection, token_id: str, *, scopes: list[str], **values: Any) -> None:
    tx.execute(insert(api_tokens).values(id=token_id, scopes=msgspec.json.encode(scopes).decode(), **values))


def find(tx: Connection, token_sha256: str) -> ApiToken | None:
    row = tx.execute(_TOKEN.where(api_tokens.c.token_sha256 == token_sha256)).one_or_none()
    return None if row is None else _read(row)


def by_id(tx: Connection, token_id: str) -> ApiToken:
    """The token with this id; raises NotFound."""
    row = tx.execute(_TOKEN.where(api_tokens.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no API token {token_id}; `sitewarden apitoken list` shows those that are there")
    return _read(row)


def every(tx: Connection, *, account_id: str = "") -> list[ApiToken]:
    """All tokens, or those of an account, the newest first."""
    query = _TOKEN.where(api_tokens.c.account_id == account_id) if account_id else _TOKEN
    return [_read(row) for row in tx.execute(query.order_by(api_tokens.c.id.desc()))]


def touch(tx: Connection, token_id: str, *, now_ns: int) -> None:
    """The token was used."""
    tx.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(used_ns=now_ns))


def revoke(tx: Connection, token_id: str, *, now_ns: int) -> ApiToken:
    """Make a token useless; raises NotFound or Conflict."""
    here = (api_tokens.c.id == token_id) & api_tokens.c.revoked_ns.is_(None)
    done = tx.execute(update(api_tokens).where(here).values(revoked_ns=now_ns)).rowcount
    found = by_id(tx, token_id)
    if not done:
        raise Conflict(f"API token {token_id} is revoked already")
    return found


def revoke_of_account(tx: Connection, account_id: str, *, now_ns: int) -> None:
    here = (api_tokens.c.account_id == account_id) & api_tokens.c.revoked_ns.is_(None)
    tx.execute(update(api_tokens).where(here).values(revoked_ns=now_ns))


def forget_old(tx: Connection, *, before_ns: int) -> int:
    """Delete tokens that have been useless since before a time; how many."""
    useless = or_(api_tokens.c.expires_ns < before_ns, api_tokens.c.revoked_ns < before_ns)
    return tx.execute(delete(api_tokens).where(useless)).rowcount


def _read(row: Row[Any]) -> ApiToken:
    values = dict(row._mapping)
    return ApiToken(**values | {"scopes": tuple(msgspec.json.decode(values["scopes"]))})
