"""Taking in a batch: claim its key, store its rows, and say how far the spool has arrived.

`accept` is one transaction: the caller acknowledges after its commit, and not before. A repeat is acknowledged and not
stored again. Nothing here looks at what the observations say; evaluation follows with a cursor of its own (law 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.observations import Inventory, What
from sitewarden_collector.errors import Refused
from sitewarden_collector.services.inventories import differences
from sitewarden_collector.store import agents, inventories, observations, samples, spools
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.observations import Arrived
from sitewarden_collector.store.samples import RawBlock


@dataclass(frozen=True, slots=True)
class Decoded:
    """One batch, decoded and bounded by the edge, its times corrected."""

    epoch: str
    seq: int
    previous_seq: int
    arrived: tuple[Arrived, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """`through_seq` is committed with everything before it; a repeat stored nothing new."""

    through_seq: int
    repeat: bool
    observations: int


def accept(tx: Connection, agent_id: str, *, batch: Decoded, now_ns: int) -> Accepted:
    """Store `batch` exactly once; raises Refused (OUT_OF_ORDER, UNKNOWN_AGENT, MALFORMED)."""
    agent = agents.find(tx, agent_id)
    if agent is None:
        raise Refused("UNKNOWN_AGENT", f"agent {agent_id} is not known here; enrol it again with a new token")
    if not _take(tx, agent_id, batch.epoch, seq=batch.seq, previous_seq=batch.previous_seq, now_ns=now_ns):
        return Accepted(spools.last_seq(tx, agent_id, batch.epoch), repeat=True, observations=0)
    _check_schemas(tx, agent_id, batch.arrived)
    seen = [item for item in batch.arrived if not isinstance(item.what, Inventory)]
    observations.add(tx, agent, epoch=batch.epoch, seq=batch.seq, arrived=seen, received_ns=now_ns)
    for item in batch.arrived:
        if isinstance(item.what, Inventory):
            _keep(tx, agent, item.what, at_ns=item.wall_ns, now_ns=now_ns)
    return Accepted(batch.seq, repeat=False, observations=len(batch.arrived))


def pass_over(tx: Connection, agent_id: str, *, epoch: str, seq: int, previous_seq: int, now_ns: int) -> None:
    """Let the next batch follow one that is refused for good; raises Refused (OUT_OF_ORDER)."""
    claim = spools.pass_over(tx, agent_id, epoch, seq=seq, previous_seq=previous_seq, now_ns=now_ns)
    _check_order(claim, seq=seq, previous_seq=previous_seq)


def note(tx: Connection, agent_id: str, what: What, *, now_ns: int) -> None:
    """Store what headquarters itself has seen of an agent, as if it had come from it: evaluation reads it as well."""
    agent = agents.by_id(tx, agent_id)
    before = spools.last_seq(tx, agent_id, spools.COLLECTOR_EPOCH)
    _take(tx, agent_id, spools.COLLECTOR_EPOCH, seq=before + 1, previous_seq=before, now_ns=now_ns)
    arrived = [Arrived(0, now_ns, what)]
    observations.add(tx, agent, epoch=spools.COLLECTOR_EPOCH, seq=before + 1, arrived=arrived, received_ns=now_ns)


def _keep(tx: Connection, agent: Agent, inventory: Inventory, *, at_ns: int, now_ns: int) -> None:
    """An inventory is no event: it is kept for itself, and what differs from the one before is noted as changes."""
    before = inventories.tell(tx, agent, inventory, at_ns=at_ns)
    for change in differences(before, inventory) if before is not None else ():
        note(tx, agent.id, change, now_ns=now_ns)


def _take(tx: Connection, agent_id: str, epoch: str, *, seq: int, previous_seq: int, now_ns: int) -> bool:
    """True: the batch is ours to store; False: it was stored before."""
    claim = spools.claim(tx, agent_id, epoch, seq=seq, previous_seq=previous_seq, now_ns=now_ns)
    _check_order(claim, seq=seq, previous_seq=previous_seq)
    return claim.verdict == "new"


def _check_order(claim: spools.Claim, *, seq: int, previous_seq: int) -> None:
    if claim.verdict == "ahead":
        raise Refused(
            "OUT_OF_ORDER",
            f"batch {seq} says that it follows {previous_seq}, but the last one stored is {claim.last_seq}: "
            f"send the one that follows {claim.last_seq}",
        )


def _check_schemas(tx: Connection, agent_id: str, arrived: Sequence[Arrived]) -> None:
    """A schema is told once and its blocks hold that for ever: a stored one that does not could never be read again."""
    sent = [item.what for item in arrived if isinstance(item.what, RawBlock)]
    known = {block.schema_id: block.series for block in sent if block.series}
    known |= samples.series_of(tx, agent_id, {block.schema_id for block in sent})
    for block in sent:
        series = known.get(block.schema_id)
        if series is None:
            raise Refused("MALFORMED", f"the series of schema {block.schema_id} were never told; send them with it")
        if block.series not in ((), series):
            raise Refused("MALFORMED", f"schema {block.schema_id} was told with other series; give these another id")
        if len(series) != len(block.last):
            raise Refused(
                "MALFORMED",
                f"schema {block.schema_id} has {len(series)} series, its block has {len(block.last)} columns",
            )
