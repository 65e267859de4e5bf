"""Silences, and how many signals each has held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Row, String, Table, Text, bindparam, insert, select, update

from sitewarden_alerting.model import Silence
from sitewarden_alerting.silences import exactly
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Ns, id_column, metadata
from sitewarden_collector.store.sites import sites

silences = Table(
    "silences",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("from_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("site", String(255), nullable=False),  # patterns; empty: everything
    Column("rule", String(255), nullable=False),
    Column("fault", String(255), nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("customer", String(36), nullable=False),  # empty: of any
)

_ACTIVE = select(silences).where(silences.c.from_ns <= bindparam("now"), silences.c.until_ns > bindparam("now"))


@dataclass(frozen=True, slots=True)
class Listed:
    """A silence, the name of its site, and how many signals it has held back so far."""

    silence: Silence
    site: str
    held: int


def add(tx: Connection, silence: Silence) -> None:
    tx.execute(insert(silences).values({name: getattr(silence, name) for name in Silence.__slots__} | {"held": 0}))


def active(tx: Connection, *, now_ns: int) -> list[Silence]:
    """Those that hold signals back now."""
    return [_read(row) for row in prepared.rows(tx, _ACTIVE, {"now": now_ns})]


def listing(tx: Connection, *, over_before_ns: int = 0, site: str = "", limit: int = 200) -> list[Listed]:
    """Silences, the newest first: those that are not over at `over_before_ns`, of one site or of all."""
    query = (
        select(silences, sites.c.name.label("site_name"))
        .join_from(silences, sites, silences.c.site == sites.c.id, isouter=True)
        .where(silences.c.until_ns > over_before_ns)
        .order_by(silences.c.from_ns.desc(), silences.c.id.desc())
        .limit(limit)
    )
    if site:
        query = query.where(sites.c.name == site)
    return [Listed(_read(row), row.site_name or row.site, row.held) for row in tx.execute(query)]


def by_number(tx: Connection, number: str) -> Silence:
    """The silence with this number, in any case of letters; raises NotFound."""
    row = tx.execute(select(silences).where(silences.c.number == number.strip().upper())).one_or_none()
    if row is None:
        raise NotFound(f"there is no silence {number}; `sitewarden silence list` shows those that hold now")
    return _read(row)


def count_held(tx: Connection, silence_id: str, number: int) -> None:
    tx.execute(update(silences).where(silences.c.id == silence_id).values(held=silences.c.held + number))


def change(tx: Connection, silence: Silence) -> None:
    """Write the end and the reason of a silence as they are now."""
    changed = {"until_ns": silence.until_ns, "reason": silence.reason}
    tx.execute(update(silences).where(silences.c.id == silence.id).values(changed))


def end(tx: Connection, silence_id: str, *, now_ns: int) -> bool:
    """End a silence now; False when it is over already."""
    ended = update(silences).where(silences.c.id == silence_id, silences.c.until_ns > now_ns).values(until_ns=now_ns)
    return tx.execute(ended).rowcount == 1


def follow(tx: Connection, fault: str, into: str, *, now_ns: int) -> None:
    """Let the silences of a fault that stands for another one now hold that one."""
    mine = update(silences).where(silences.c.fault == exactly(fault), silences.c.until_ns > now_ns)
    tx.execute(mine.values(fault=exactly(into)))


def _read(row: Row[Any]) -> Silence:
    return Silence(**{name: getattr(row, name) for name in Silence.__slots__})
