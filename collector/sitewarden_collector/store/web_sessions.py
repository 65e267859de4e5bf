"""Who is signed in to the console, and where: one row a browser. Of the secret in the cookie only its hash rests here.

A session that still lacks the second factor, or a new password, is `pending` and opens no door but the one to that.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, delete, insert, or_, select, update

from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id

web_sessions = Table(
    "web_sessions",
    metadata,
    id_column(),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("pending", String(16), nullable=False),  # empty, code, enrol or password
    Column("created_ns", Ns, nullable=False),
    Column("seen_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False),
    Column("address", String(64), nullable=False),
    Column("browser", String(200), nullable=False),
)


@dataclass(frozen=True, slots=True)
class WebSession:
    id: str
    account_id: str
    token_sha256: str
    pending: str
    created_ns: int
    seen_ns: int
    until_ns: int
    address: str
    browser: str


def add(
    tx: Connection,
    account_id: str,
    *,
    token_sha256: str,
    pending: str,
    until_ns: int,
    address: str,
    browser: str,
    now_ns: int,
) -> str:
    """A new session; its id."""
    made = new_id()
    row: dict[str, str | int] = {"id": made, "account_id": account_id, "token_sha256": token_sha256, "pending": pending}
    row |= {"until_ns": until_ns, "address": address[:64], "browser": browser[:200]}
    tx.execute(insert(web_sessions).values(**row, created_ns=now_ns, seen_ns=now_ns))
    return made


def find(tx: Connection, token_sha256: str) -> WebSession | None:
    row = tx.execute(select(web_sessions).where(web_sessions.c.token_sha256 == token_sha256)).one_or_none()
    return None if row is None else WebSession(**row._mapping)


def of_account(tx: Connection, account_id: str) -> list[WebSession]:
    """The sessions of an account, the newest first."""
    query = select(web_sessions).where(web_sessions.c.account_id == account_id).order_by(web_sessions.c.id.desc())
    return [WebSession(**row._mapping) for row in tx.execute(query)]


def touch(tx: Connection, session_id: str, *, now_ns: int) -> None:
    """The session was used."""
    here = (web_sessions.c.id == session_id) & (web_sessions.c.seen_ns < now_ns)
    tx.execute(update(web_sessions).where(here).values(seen_ns=now_ns))


def rotate(tx: Connection, session_id: str, *, token_sha256: str, pending: str) -> None:
    """Give the session another secret: who knew the old one is out."""
    change = update(web_sessions).where(web_sessions.c.id == session_id)
    tx.execute(change.values(token_sha256=token_sha256, pending=pending))


def end(tx: Connection, account_id: str, *, session_id: str = "", but: str = "") -> int:
    """End one session of an account, or all (`but` one); how many."""
    gone = delete(web_sessions).where(web_sessions.c.account_id == account_id, web_sessions.c.id != but)
    return tx.execute(gone.where(web_sessions.c.id == session_id) if session_id else gone).rowcount


def forget_old(tx: Connection, *, now_ns: int, idle_since_ns: int) -> int:
    """Delete what has ended by itself; how many."""
    ended = or_(web_sessions.c.until_ns <= now_ns, web_sessions.c.seen_ns < idle_since_ns)
    return tx.execute(delete(web_sessions).where(ended)).rowcount
