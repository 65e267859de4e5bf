"""How the people of the desk are reached: their channels in order, their quiet hours, their language and zone.

A person is named as their account is. Those of the configuration's [[on_call]] list need no row. Not here: accounts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy import Column, Connection, Integer, Row, String, Table, Text, bindparam, delete, insert, select

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import metadata

people = Table(
    "people",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("roads", Text, nullable=False),  # JSON list of [channel, address]
    Column("quiet_from", Integer),  # minutes of the day, by their own wall
    Column("quiet_until", Integer),
    Column("zone", String(64), nullable=False),
    Column("locale", String(16), nullable=False),
)

_FIND = select(people).where(people.c.name == bindparam("whom"))
_SOME = select(people).where(people.c.name.in_(bindparam("some", expanding=True)))


@dataclass(frozen=True, slots=True)
class Road:
    """A channel of the configuration, and the address that stands in its url's {address}, where it has one."""

    channel: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reachable:
    """One person. In their quiet hours risks and information wait; pages never do."""

    name: str
    roads: tuple[Road, ...] = ()
    quiet_from: int | None = None
    quiet_until: int | None = None
    zone: str = "UTC"
    locale: str = "en"


def save(tx: Connection, person: Reachable) -> None:
    """Write how a person is reached, as it is now."""
    tx.execute(delete(people).where(people.c.name == person.name))
    tx.execute(
        insert(people).values(
            name=person.name,
            roads=msgspec.json.encode([(road.channel, road.address) for road in person.roads]).decode(),
            quiet_from=person.quiet_from,
            quiet_until=person.quiet_until,
            zone=person.zone,
            locale=person.locale,
        )
    )


def every(tx: Connection) -> list[Reachable]:
    """Everybody, by name."""
    return [_read(row) for row in tx.execute(select(people).order_by(people.c.name))]


def find(tx: Connection, name: str) -> Reachable | None:
    row = prepared.row(tx, _FIND, {"whom": name})
    return None if row is None else _read(row)


def some(tx: Connection, names: Collection[str]) -> dict[str, Reachable]:
    """Those of these names who have a row."""
    rows = prepared.rows(tx, _SOME, {"some": list(names)})
    return {row.name: _read(row) for row in rows}


def remove(tx: Connection, name: str) -> None:
    """Forget how a person is reached. Raises NotFound."""
    if not tx.execute(delete(people).where(people.c.name == name)).rowcount:
        raise NotFound(f"nothing is known of {name!r}; `sitewarden oncall person list` shows everybody")


def _read(row: Row[tuple[str, ...]]) -> Reachable:
    roads = msgspec.json.decode(row.roads, type=list[tuple[str, str]])
    return Reachable(
        row.name, tuple(Road(*road) for road in roads), row.quiet_from, row.quiet_until, row.zone, row.locale
    )
