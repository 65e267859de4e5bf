"""The risk register, when each site was assessed, and an hourly trail of how full things were.

`open_key` is unique while a risk is active: one active risk a subject and site. The trail is what forecasts over weeks
rest on once blocks of samples are too many to open: one row an hour and subject.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from sitewarden_alerting.model import Factor, Risk, RiskState
from sitewarden_collector.store import prepared
from sitewarden_collector.store.agents import agents
from sitewarden_collector.store.base import Id, Ns, id_column, metadata
from sitewarden_collector.store.sites import customers, sites

risks = Table(
    "risks",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("site_id", Id, ForeignKey("sites.id"), nullable=False, index=True),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("open_key", String(64), unique=True),
    Column("kind", String(32), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("likelihood", Integer, nullable=False),
    Column("impact", Integer, nullable=False),
    Column("factors", Text, nullable=False),  # JSON
    Column("response", Text, nullable=False),
    Column("due_ns", Ns),
    Column("expected_ns", Ns),
    Column("early_ns", Ns),
    Column("late_ns", Ns),
    Column("raised_ns", Ns, nullable=False),
    Column("assessed_ns", Ns, nullable=False),
    Column("below_since_ns", Ns),
    Column("state", String(16), nullable=False, index=True),
    Column("told_likelihood", Integer, nullable=False),
)

assessments = Table(
    "assessments",
    metadata,
    Column("site_id", Id, ForeignKey("sites.id"), primary_key=True),
    Column("at_ns", Ns, nullable=False, index=True),
)

trail = Table(
    "level_trail",
    metadata,
    Column("site_id", Id, ForeignKey("sites.id"), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("at_ns", Ns, primary_key=True),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Index("ix_level_trail_at", "at_ns"),
)

_FIELDS = tuple(field.name for field in fields(Risk))


@dataclass(frozen=True, slots=True)
class Hour:
    """The lowest and the highest level of the hour that ends at `at_ns`: what falls within it stays visible."""

    at_ns: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A risk with the names of its site and customer."""

    risk: Risk
    site: str
    customer: str


def save(tx: Connection, risk: Risk, *, new: bool) -> None:
    """Write a risk as it is now."""
    row = {name: getattr(risk, name) for name in _FIELDS}
    row |= {"factors": msgspec.json.encode(risk.factors).decode(), "state": risk.state.value}
    active = risk.state is RiskState.ACTIVE
    row["open_key"] = sha256(f"{risk.site_id}|{risk.subject}".encode()).hexdigest() if active else None
    if new:
        tx.execute(insert(risks).values(row))
    else:
        tx.execute(update(risks).where(risks.c.id == row.pop("id")).values(row))


def active_of(tx: Connection, site_ids: Collection[str]) -> dict[tuple[str, str], Risk]:
    """The active risks of some sites by site and subject, locked for this transaction."""
    query = select(risks).where(risks.c.site_id.in_(list(site_ids)), risks.c.state == RiskState.ACTIVE.value)
    found = [_read(row) for row in tx.execute(query.with_for_update())]
    return {(risk.site_id, risk.subject): risk for risk in found}


def subjects_of(tx: Connection, site_id: str) -> set[str]:
    """What there are active risks of at a site."""
    query = select(risks.c.subject).where(risks.c.site_id == site_id, risks.c.state == RiskState.ACTIVE.value)
    return set(tx.execute(query).scalars())


def listing(tx: Connection, *, lowered: bool = False, site: str = "", limit: int = 200) -> list[Listed]:
    """Risks with their names, the highest score first; active ones, or all."""
    query = select(risks, sites.c.name.label("site_name"), customers.c.name.label("customer_name")).select_from(
        risks.join(sites, risks.c.site_id == sites.c.id).join(customers, risks.c.customer_id == customers.c.id)
    )
    if not lowered:
        query = query.where(risks.c.state == RiskState.ACTIVE.value)
    if site:
        query = query.where(sites.c.name == site)
    score = risks.c.likelihood * risks.c.impact
    query = query.order_by(risks.c.state, score.desc(), risks.c.raised_ns.desc()).limit(limit)
    return [Listed(_read(row), row.site_name, row.customer_name) for row in tx.execute(query)]


_ASSESSED_NS = assessments.c.at_ns
_HEARD = exists().where(
    agents.c.site_id == sites.c.id, agents.c.last_seen_ns > func.coalesce(_ASSESSED_NS, agents.c.enrolled_ns)
)
_DUE = (
    select(sites.c.id)
    .outerjoin(assessments, assessments.c.site_id == sites.c.id)
    .where((bindparam("quiet") >= _ASSESSED_NS) | (func.coalesce(_ASSESSED_NS, 0) <= bindparam("before")) & _HEARD)
    .order_by(func.coalesce(_ASSESSED_NS, 0), sites.c.id)
    .limit(bindparam("most"))
)


def due_sites(tx: Connection, *, before_ns: int, quiet_ns: int, limit: int) -> list[str]:
    """The sites that were assessed before a time or never, those that wait longest first. One of which nobody was heard
    of since then, or ever, only when it was assessed before `quiet_ns`."""
    rows = prepared.rows(tx, _DUE, {"before": before_ns, "quiet": quiet_ns, "most": limit})
    return [str(row.id) for row in rows]


def mark_assessed(tx: Connection, site_id: str, *, now_ns: int) -> None:
    if tx.execute(update(assessments).where(assessments.c.site_id == site_id).values(at_ns=now_ns)).rowcount == 0:
        tx.execute(insert(assessments).values(site_id=site_id, at_ns=now_ns))


def trail_of(tx: Connection, site_id: str, *, before_ns: int) -> dict[str, list[Hour]]:
    """How full things were at a site, hour by hour, by subject, the oldest first."""
    found: dict[str, list[Hour]] = {}
    query = select(trail).where(trail.c.site_id == site_id, trail.c.at_ns < before_ns).order_by(trail.c.at_ns)
    for row in tx.execute(query):
        found.setdefault(row.subject, []).append(Hour(row.at_ns, row.low, row.high))
    return found


def add_trail(tx: Connection, site_id: str, subject: str, *, hour: Hour) -> None:
    """Note the levels of an hour; one that is noted already is left as it is."""
    here = (trail.c.site_id == site_id, trail.c.subject == subject, trail.c.at_ns == hour.at_ns)
    if tx.execute(select(trail.c.at_ns).where(*here)).first() is None:
        tx.execute(
            insert(trail).values(site_id=site_id, subject=subject, at_ns=hour.at_ns, low=hour.low, high=hour.high)
        )


def forget_trail(tx: Connection, *, before_ns: int) -> int:
    return tx.execute(delete(trail).where(trail.c.at_ns < before_ns)).rowcount


def _read(row: Row[Any]) -> Risk:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["factors"] = msgspec.json.decode(row.factors, type=tuple[Factor, ...])
    values["state"] = RiskState(row.state)
    return Risk(**values)
