"""Enrolment tokens: one use, an expiry, and of the secret only its hash."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, insert, or_, select, update

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata
from sitewarden_collector.store.sites import sites

tokens = Table(
    "tokens",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("site_id", Id, ForeignKey("sites.id"), nullable=False, index=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("created_ns", Ns, nullable=False),
    Column("expires_ns", Ns, nullable=False),
    Column("revoked_ns", Ns),
    Column("spent_ns", Ns),
    Column("spent_key_sha256", String(64)),  # the public key it was spent on: the same request again is answered again
    Column("agent_id", Id),
)


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    customer_id: str
    site_id: str
    site_name: str
    secret_sha256: str
    created_ns: int
    expires_ns: int
    revoked_ns: int | None
    spent_ns: int | None
    spent_key_sha256: str | None
    agent_id: str | None

    def state(self, *, now_ns: int) -> str:
        """open, spent, revoked or expired."""
        if self.revoked_ns is not None:
            return "revoked"
        if self.spent_ns is not None:
            return "spent"
        return "expired" if self.expires_ns <= now_ns else "open"


_TOKEN = select(tokens, sites.c.name.label("site_name")).join_from(tokens, sites, tokens.c.site_id == sites.c.id)


def add(
    tx: Connection,
    token_id: str,
    *,
    customer_id: str,
    site_id: str,
    secret_sha256: str,
    created_ns: int,
    expires_ns: int,
) -> None:
    row = {"id": token_id, "customer_id": customer_id, "site_id": site_id, "secret_sha256": secret_sha256}
    tx.execute(insert(tokens).values(**row, created_ns=created_ns, expires_ns=expires_ns))


def find(tx: Connection, token_id: str) -> Token | None:
    row = tx.execute(_TOKEN.where(tokens.c.id == token_id)).one_or_none()
    return None if row is None else Token(**row._mapping)


def every(tx: Connection) -> list[Token]:
    """All tokens, the newest first."""
    return [Token(**row._mapping) for row in tx.execute(_TOKEN.order_by(tokens.c.id.desc()))]


def spend(tx: Connection, token_id: str, *, key_sha256: str, agent_id: str, now_ns: int) -> bool:
    """Use up the token; False when it was not open (any more)."""
    done = tx.execute(
        update(tokens)
        .where(tokens.c.id == token_id, tokens.c.spent_ns.is_(None), tokens.c.revoked_ns.is_(None))
        .where(tokens.c.expires_ns > now_ns)
        .values(spent_ns=now_ns, spent_key_sha256=key_sha256, agent_id=agent_id)
    )
    return done.rowcount == 1


def revoke(tx: Connection, token_id: str, *, now_ns: int) -> None:
    """Make an open token useless; raises NotFound, or Conflict when it was spent or revoked before."""
    done = tx.execute(
        update(tokens)
        .where(tokens.c.id == token_id, tokens.c.spent_ns.is_(None), tokens.c.revoked_ns.is_(None))
        .values(revoked_ns=now_ns)
    )
    if done.rowcount == 1:
        return
    found = find(tx, token_id)
    if found is None:
        raise NotFound(f"there is no token {token_id}; `sitewarden token list` shows those that are there")
    if found.spent_ns is not None:
        raise Conflict(f"token {token_id} was spent already by agent {found.agent_id}: revoke that agent instead")
    raise Conflict(f"token {token_id} is revoked already")


def forget_old(tx: Connection, *, before_ns: int) -> int:
    """Delete tokens that have been useless since before a time; how many."""
    useless = or_(tokens.c.expires_ns < before_ns, tokens.c.spent_ns < before_ns, tokens.c.revoked_ns < before_ns)
    return tx.execute(tokens.delete().where(useless)).rowcount
