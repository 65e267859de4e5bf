"""What was last heard of each alert of other monitoring: which episode of it, and whether that goes on."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import BigInteger, Boolean, Column, Connection, ForeignKey, Index, String, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_alerting.foreign import Known
from sitewarden_collector.store.base import Id, Ns, metadata

foreign_alerts = Table(
    "foreign_alerts",
    metadata,
    Column("site_id", Id, ForeignKey("sites.id"), primary_key=True),
    Column("fault", String(255), primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("source", String(32), nullable=False),
    Column("episode", BigInteger, nullable=False),
    Column("firing", Boolean, nullable=False),
    Column("heard_ns", Ns, nullable=False, index=True),
    Index(None, "site_id", "source", "firing"),
)


def known(tx: Connection, site_id: str, faults: Collection[str]) -> dict[str, Known]:
    """What is known of some alerts at a site, by their faults."""
    here = (foreign_alerts.c.site_id == site_id, foreign_alerts.c.fault.in_(list(faults)))
    return {row.fault: Known(row.episode, row.firing) for row in tx.execute(select(foreign_alerts).where(*here))}


def firing(tx: Connection, site_id: str, source: str) -> int:
    """How many alerts of a source go on at a site."""
    here = (foreign_alerts.c.site_id == site_id, foreign_alerts.c.source == source, foreign_alerts.c.firing)
    return int(tx.execute(select(func.count()).where(*here)).scalar_one())


def remember(
    tx: Connection, site_id: str, customer_id: str, source: str, news: Mapping[str, Known], *, now_ns: int
) -> None:
    """Write down what is known of alerts now, by their faults."""
    if not news:
        return
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(foreign_alerts)
    new = {name: statement.excluded[name] for name in ("episode", "firing", "heard_ns")}
    statement = statement.on_conflict_do_update(index_elements=["site_id", "fault"], set_=new)
    rows = [
        {
            "site_id": site_id,
            "fault": fault,
            "customer_id": customer_id,
            "source": source,
            "episode": one.episode,
            "firing": one.firing,
            "heard_ns": now_ns,
        }
        for fault, one in news.items()
    ]
    tx.execute(statement, rows)


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete what was not heard of since a time, `limit` rows at most; how many."""
    old = (
        select(foreign_alerts.c.site_id, foreign_alerts.c.fault)
        .where(foreign_alerts.c.heard_ns < before_ns)
        .limit(limit)
        .subquery()
    )
    gone = select(old.c.fault)
    sites = select(old.c.site_id)
    where = (
        foreign_alerts.c.heard_ns < before_ns,
        foreign_alerts.c.fault.in_(gone),
        foreign_alerts.c.site_id.in_(sites),
    )
    return tx.execute(delete(foreign_alerts).where(*where)).rowcount
