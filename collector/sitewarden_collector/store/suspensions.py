"""Rules that are out of force because they failed again and again, or took too long: at one site, or everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, String, Table, Text, delete, insert, select

from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, metadata

suspended = Table(
    "suspended_rules",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("site_id", Id, primary_key=True),  # empty: everywhere
    Column("definition", String(64), nullable=False),  # a digest of the rule as it was: a mended one is another
    Column("why", Text, nullable=False),
    Column("since_ns", Ns, nullable=False),
)

_ALL = select(suspended).order_by(suspended.c.rule, suspended.c.site_id)


@dataclass(frozen=True, slots=True)
class Suspended:
    """A rule that is out of force since a time. `site_id` is empty where that is so everywhere."""

    rule: str
    site_id: str
    definition: str
    why: str
    since_ns: int


def every(tx: Connection) -> list[Suspended]:
    """All of them, by rule and site."""
    return [Suspended(**row._mapping) for row in prepared.rows(tx, _ALL, {})]


def add(tx: Connection, one: Suspended) -> None:
    tx.execute(insert(suspended).values({name: getattr(one, name) for name in Suspended.__slots__}))


def drop(tx: Connection, rule: str) -> list[Suspended]:
    """Forget every suspension of a rule; which there were."""
    gone = [one for one in every(tx) if one.rule == rule]
    tx.execute(delete(suspended).where(suspended.c.rule == rule))
    return gone
