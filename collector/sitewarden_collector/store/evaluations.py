"""What evaluation keeps: the rules' state of each site, and what was parked because it could not be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_alerting.rules import SiteState, levelled
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, RowId, metadata

ERROR_MAX_CHARS = 1000
STATES_MAX = 20_000  # kept as they were read

rule_states = Table(
    "rule_states",
    metadata,
    Column("site_id", Id, ForeignKey("sites.id"), primary_key=True),
    Column("state", Text, nullable=False),  # JSON of alerting.rules.SiteState
)

parked = Table(
    "parked_evaluations",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("site_id", Id, nullable=False),
    Column("agent_id", Id, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("rule", String(64), nullable=False),  # empty: the batch as a whole
    Column("indexes", Text, nullable=False),  # JSON: of which observations of the batch; empty text: of all
    Column("error", Text, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("first_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Index("uq_parked_evaluations_what", "site_id", "agent_id", "epoch", "seq", "rule", unique=True),
)

_NOBODY = frozenset[str]()
_WRITES: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def _save(write: Callable[[Table], sqlite.Insert | postgresql.Insert]) -> sqlite.Insert | postgresql.Insert:
    row = write(rule_states).values(site_id=bindparam("site_id"), state=bindparam("state"))
    return row.on_conflict_do_update(index_elements=[rule_states.c.site_id], set_={"state": row.excluded.state})


_LOCKED = (
    select(rule_states.c.site_id, rule_states.c.state)
    .where(rule_states.c.site_id.in_(bindparam("site_ids", expanding=True)))
    .order_by(rule_states.c.site_id)
    .with_for_update()
)
_SAVE = {name: _save(write) for name, write in _WRITES.items()}


@dataclass(frozen=True, slots=True)
class Parked:
    """A batch, or a rule on some observations of a batch, that failed. `seq` 0: it failed on time going by."""

    id: int
    site_id: str
    agent_id: str
    epoch: str
    seq: int
    rule: str
    indexes: tuple[int, ...]  # of the observations; empty: the whole batch
    error: str
    times: int
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class States:
    """What was found in rules' states before, each with the text that it was read from: most stay as they are."""

    read: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def past_levels(self, site_id: str, text: str | None) -> frozenset[str]:
        """The agents of a site of which a rule remembers that a series was past its level, by the state as it rests."""
        if text is None:
            return _NOBODY
        before = self.read.get(site_id)
        if before is None or before[0] != text:
            if len(self.read) >= STATES_MAX:
                self.read.clear()
            before = self.read[site_id] = text, levelled(_decode(text))
        return before[1]


def states_of(tx: Connection, site_ids: Iterable[str]) -> dict[str, SiteState]:
    """The rules' states of some sites, locked for this transaction; fresh ones for sites that had none.

    A state that this program cannot read (written by a newer one) is begun anew: rules forget, nothing is lost.
    """
    wanted = sorted(site_ids)
    found = (
        {row.site_id: _decode(row.state) for row in prepared.rows(tx, _LOCKED, {"site_ids": wanted})} if wanted else {}
    )
    return {site_id: found.get(site_id, SiteState()) for site_id in wanted}


def peek(tx: Connection, site_id: str) -> SiteState:
    """The rules' state of a site, only to look at."""
    return _decode(tx.execute(select(rule_states.c.state).where(rule_states.c.site_id == site_id)).scalar_one_or_none())


def peek_all(tx: Connection) -> dict[str, SiteState]:
    """The rules' states of all sites, only to look at."""
    return {row.site_id: _decode(row.state) for row in tx.execute(select(rule_states))}


def _decode(text: str | None) -> SiteState:
    if text is None:
        return SiteState()
    try:
        return msgspec.json.decode(text, type=SiteState)
    except msgspec.DecodeError:
        return SiteState()


def save_states(tx: Connection, states: Mapping[str, SiteState]) -> None:
    """Write the rules' states of some sites."""
    if states:
        rows = [{"site_id": one, "state": msgspec.json.encode(states[one]).decode()} for one in sorted(states)]
        prepared.write(tx, _SAVE[tx.dialect.name], rows)


def park(
    tx: Connection,
    *,
    site_id: str,
    agent_id: str,
    epoch: str,
    seq: int,
    rule: str,
    error: str,
    now_ns: int,
    indexes: Collection[int] = (),
) -> None:
    """Note what failed, once a batch and rule; a repetition is counted."""
    write = _WRITES[tx.dialect.name]
    row = {"site_id": site_id, "agent_id": agent_id, "epoch": epoch, "seq": seq, "rule": rule[:64]}
    row |= {"indexes": msgspec.json.encode(sorted(indexes)).decode() if indexes else ""}
    row |= {"error": error[:ERROR_MAX_CHARS], "times": 1, "first_ns": now_ns, "last_ns": now_ns}
    again = {"times": parked.c.times + 1, "last_ns": now_ns, "error": error[:ERROR_MAX_CHARS]}
    key = [parked.c.site_id, parked.c.agent_id, parked.c.epoch, parked.c.seq, parked.c.rule]
    tx.execute(write(parked).values(row).on_conflict_do_update(index_elements=key, set_=again))


def failures(tx: Connection, rule: str, *, since_ns: int) -> dict[str, tuple[int, int]]:
    """On how many batches and observations of each site a rule failed since a time; each failure on the time alone
    counts as an observation."""
    found: dict[str, tuple[int, int]] = {}
    query = select(parked.c.site_id, parked.c.seq, parked.c.indexes, parked.c.times)
    for site_id, seq, indexes, times in tx.execute(query.where(parked.c.rule == rule, parked.c.last_ns >= since_ns)):
        number = len(msgspec.json.decode(indexes, type=list[int])) if seq and indexes else times
        batches, before = found.get(site_id, (0, 0))
        found[site_id] = batches + 1, before + number
    return found


def parked_listing(tx: Connection, *, limit: int = 200) -> list[Parked]:
    """What is parked, the newest first."""
    rows = tx.execute(select(parked).order_by(parked.c.last_ns.desc(), parked.c.id.desc()).limit(limit))
    return [_parked(row) for row in rows]


def parked_by_id(tx: Connection, parked_id: int) -> Parked:
    """What is parked under this id; raises NotFound."""
    row = tx.execute(select(parked).where(parked.c.id == parked_id)).one_or_none()
    if row is None:
        raise NotFound(f"nothing is parked under {parked_id}; `sitewarden rules parked` shows what is")
    return _parked(row)


def forget_parked(tx: Connection, parked_id: int) -> None:
    tx.execute(delete(parked).where(parked.c.id == parked_id))


def forget_failures_on_time(tx: Connection, rule: str) -> None:
    """Forget that a rule failed on the time alone: there is nothing that could be tried again."""
    tx.execute(delete(parked).where(parked.c.rule == rule, parked.c.seq == 0))


def _parked(row: Row[Any]) -> Parked:
    values = {name: getattr(row, name) for name in Parked.__slots__}
    values["indexes"] = msgspec.json.decode(row.indexes, type=tuple[int, ...]) if row.indexes else ()
    return Parked(**values)


def parked_count(tx: Connection) -> int:
    return int(tx.execute(select(func.count()).select_from(parked)).scalar_one())
