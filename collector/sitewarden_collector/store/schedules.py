"""Schedules, their overrides and swaps, and who is away. A schedule's layers are one JSON value: they change together.

Not here: who is on call (`alerting.oncall`), and escalating (`store.escalations`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from sitewarden_alerting.escalation import EscalationPolicy
from sitewarden_alerting.oncall import Layer, Override, Schedule, TimeOff
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id

schedules = Table(
    "schedules",
    metadata,
    id_column(),
    Column("name", String(100), nullable=False, unique=True),
    Column("customer_id", Id, nullable=False),  # empty: for everybody who has none of their own
    Column("zone", String(64), nullable=False),
    Column("layers", Text, nullable=False),  # JSON
    Column("managers", Text, nullable=False),  # JSON list of names
    Column("policy", Text, nullable=False),  # JSON of an EscalationPolicy; empty: the default
    Column("feed", String(64), nullable=False),  # the secret of its calendar's address; empty: none is published
    Column("created_ns", Ns, nullable=False),
)

overrides = Table(
    "schedule_overrides",
    metadata,
    id_column(),
    Column("schedule_id", Id, nullable=False),
    Column("person", String(200), nullable=False),
    Column("from_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False),
    Column("instead_of", String(200), nullable=False),
    Column("swap", Id, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("source", String(255), nullable=False),  # the UID of the calendar entry that it came from
    Column("created_ns", Ns, nullable=False),
    Index(None, "schedule_id", "until_ns"),
)

time_off = Table(
    "time_off",
    metadata,
    id_column(),
    Column("person", String(200), nullable=False, index=True),
    Column("from_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False),
)

feeds = Table(
    "person_feeds",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("person", String(200), nullable=False, unique=True),
)


EVER_NS = -(2**62)  # before everything
_POLICY = select(schedules.c.policy).where(schedules.c.id == bindparam("which"))
_OVERRIDES = (
    select(overrides)
    .where(overrides.c.schedule_id == bindparam("which"), overrides.c.until_ns > bindparam("since"))
    .order_by(overrides.c.created_ns, overrides.c.id)
)
_AWAY = select(time_off).where(time_off.c.until_ns > bindparam("since")).order_by(time_off.c.from_ns)
_FOR_CUSTOMER = (
    select(schedules)
    .where(or_(schedules.c.customer_id == "", schedules.c.customer_id == bindparam("whose")))
    .order_by(schedules.c.customer_id.desc(), schedules.c.created_ns, schedules.c.id)
    .limit(1)
)


def add(tx: Connection, schedule: Schedule, *, customer_id: str = "", now_ns: int) -> Schedule:
    """A new schedule; its name must be free. Raises Conflict."""
    if find(tx, schedule.name) is not None:
        raise Conflict(f"there is a schedule {schedule.name!r} already; choose another name, or change that one")
    made = replace(schedule, id=new_id())
    row = {"id": made.id, "customer_id": customer_id, "policy": "", "feed": "", "created_ns": now_ns}
    tx.execute(insert(schedules).values(row | _row(made)))
    return made


def save(tx: Connection, schedule: Schedule) -> None:
    """Write name, zone, layers and managers as they are now."""
    tx.execute(update(schedules).where(schedules.c.id == schedule.id).values(_row(schedule)))


def remove(tx: Connection, schedule_id: str) -> None:
    """Delete a schedule with its overrides."""
    tx.execute(delete(overrides).where(overrides.c.schedule_id == schedule_id))
    tx.execute(delete(schedules).where(schedules.c.id == schedule_id))


def every(tx: Connection, *, since_ns: int | None = None) -> list[Schedule]:
    """All schedules by name, with the overrides and the time off that are not over at `since_ns` (None: with all)."""
    away = _away(tx, since_ns)
    rows = tx.execute(select(schedules).order_by(schedules.c.name)).all()
    return [_read(tx, row, away, since_ns) for row in rows]


def find(tx: Connection, name: str) -> Schedule | None:
    row = tx.execute(select(schedules).where(schedules.c.name == name)).one_or_none()
    return None if row is None else _read(tx, row, _away(tx, None), None)


def by_name(tx: Connection, name: str) -> Schedule:
    """The schedule called `name`; raises NotFound."""
    found = find(tx, name)
    if found is None:
        raise NotFound(f"there is no schedule {name!r}; `sitewarden oncall list` shows those that there are")
    return found


def for_customer(tx: Connection, customer_id: str, *, since_ns: int) -> Schedule | None:
    """The schedule that serves a customer: their own, else the one for everybody; None where there is none."""
    row = prepared.row(tx, _FOR_CUSTOMER, {"whose": customer_id})
    return None if row is None else _read(tx, row, _away(tx, since_ns), since_ns)


def serve(tx: Connection, schedule_id: str, customer_id: str) -> None:
    """Let a schedule serve one customer, or (empty) everybody who has none of their own."""
    tx.execute(update(schedules).where(schedules.c.id == schedule_id).values(customer_id=customer_id))


def served(tx: Connection, schedule_id: str) -> str:
    """The id of the one customer that a schedule serves; empty for everybody."""
    return str(tx.execute(select(schedules.c.customer_id).where(schedules.c.id == schedule_id)).scalar_one())


def policy_of(tx: Connection, schedule_id: str) -> EscalationPolicy:
    """How a schedule escalates; the default where nothing else was said."""
    row = prepared.row(tx, _POLICY, {"which": schedule_id})
    return EscalationPolicy() if row is None or not row[0] else msgspec.json.decode(row[0], type=EscalationPolicy)


def set_policy(tx: Connection, schedule_id: str, policy: EscalationPolicy) -> None:
    text = msgspec.json.encode(policy).decode()
    tx.execute(update(schedules).where(schedules.c.id == schedule_id).values(policy=text))


def add_override(tx: Connection, schedule_id: str, one: Override, *, source: str = "", now_ns: int) -> Override:
    """Write an override; with `source` it takes the place of the one that came from the same calendar entry."""
    if source:
        same = (overrides.c.schedule_id == schedule_id, overrides.c.source == source)
        tx.execute(delete(overrides).where(*same))
    made = replace(one, id=new_id())
    row = {name: getattr(made, name) for name in Override.__slots__}
    row |= {"schedule_id": schedule_id, "source": source, "created_ns": now_ns}
    tx.execute(insert(overrides).values(row))
    return made


def drop_override(tx: Connection, override_id: str) -> None:
    """Take an override out; with it the other half of its swap. Raises NotFound."""
    row = tx.execute(select(overrides.c.swap).where(overrides.c.id == override_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no override {override_id}; `sitewarden oncall show NAME` lists them")
    mine = overrides.c.swap == row.swap if row.swap else overrides.c.id == override_id
    tx.execute(delete(overrides).where(mine))


def add_time_off(tx: Connection, one: TimeOff) -> None:
    row = {"id": new_id(), "person": one.person, "from_ns": one.from_ns, "until_ns": one.until_ns}
    tx.execute(insert(time_off).values(row))


def publish(tx: Connection, token: str, *, schedule_id: str = "", person: str = "") -> None:
    """Let the calendar of a schedule or a person be read under a new secret; the old address is gone."""
    if person:
        tx.execute(delete(feeds).where(feeds.c.person == person))
        tx.execute(insert(feeds).values(token=token, person=person))
    else:
        tx.execute(update(schedules).where(schedules.c.id == schedule_id).values(feed=token))


def by_feed(tx: Connection, token: str) -> tuple[str, str]:
    """(schedule's name, person) whose calendar this secret opens; one of them is empty. Raises NotFound."""
    person = tx.execute(select(feeds.c.person).where(feeds.c.token == token)).scalar_one_or_none()
    name = tx.execute(select(schedules.c.name).where(schedules.c.feed == token)).scalar_one_or_none()
    if not token or (person is None and name is None):
        raise NotFound("there is no such calendar; `sitewarden oncall export NAME --publish` makes its address")
    return str(name or ""), str(person or "")


def _row(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "zone": schedule.zone,
        "layers": msgspec.json.encode(schedule.layers).decode(),
        "managers": msgspec.json.encode(schedule.managers).decode(),
    }


def _read(tx: Connection, row: Row[Any], away: tuple[TimeOff, ...], since_ns: int | None) -> Schedule:
    rows = prepared.rows(tx, _OVERRIDES, {"which": row.id, "since": EVER_NS if since_ns is None else since_ns})
    return Schedule(
        name=row.name,
        zone=row.zone,
        layers=msgspec.json.decode(row.layers, type=tuple[Layer, ...]),
        overrides=tuple(Override(**{name: getattr(one, name) for name in Override.__slots__}) for one in rows),
        time_off=away,
        managers=msgspec.json.decode(row.managers, type=tuple[str, ...]),
        id=row.id,
    )


def _away(tx: Connection, since_ns: int | None) -> tuple[TimeOff, ...]:
    rows = prepared.rows(tx, _AWAY, {"since": EVER_NS if since_ns is None else since_ns})
    return tuple(TimeOff(row.person, row.from_ns, row.until_ns) for row in rows)
