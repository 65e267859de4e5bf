"""Taking in batches: claim their keys, store their rows, and say how far each spool has arrived.

`accept_all` takes what came of many agents with a handful of statements; the caller acknowledges after its commit, and
not before. A repeat is acknowledged and not stored again. Nothing here looks at what the observations say; evaluation
follows with a cursor of its own (law 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.observations import Inventory, What
from sitewarden_collector.errors import Refused
from sitewarden_collector.services.inventories import differences
from sitewarden_collector.store import agents, inventories, observations, samples, spools
from sitewarden_collector.store.observations import Arrived, Filed
from sitewarden_collector.store.samples import RawBlock, Schema, Told
from sitewarden_collector.store.spools import Claim, Head

FOR_GOOD = ("MALFORMED", "TOO_LARGE")
"""Reasons to refuse a batch that will never be stored: the next one follows it."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One batch, decoded and bounded by the edge, its times corrected."""

    epoch: str
    seq: int
    previous_seq: int
    arrived: tuple[Arrived, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch, the agent that sent it, and when it was received."""

    agent_id: str
    batch: Decoded
    received_ns: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """`through_seq` is committed with everything before it; a repeat stored nothing new."""

    through_seq: int
    repeat: bool
    observations: int


def accept(tx: Connection, agent_id: str, *, batch: Decoded, now_ns: int) -> Accepted:
    """Store `batch` exactly once; raises Refused (OUT_OF_ORDER, UNKNOWN_AGENT, MALFORMED)."""
    (answer,) = accept_all(tx, [Sent(agent_id, batch, now_ns)], Told())
    if isinstance(answer, Refused):
        raise answer
    return answer


def accept_all(tx: Connection, sent: Sequence[Sent], told: Told) -> list[Accepted | Refused]:
    """Store batches exactly once, those of one spool in the order in which they stand here; what came of each.

    A batch that is refused for good (MALFORMED) is passed over: one that follows it can be taken. `told` is what was
    read of schemas, kept by the caller from call to call. Raises what the database raises; then nothing of all this may
    stay.
    """
    keys = {(one.agent_id, one.batch.epoch) for one in sent}
    asked = {(one.agent_id, block.schema_id) for one in sent for block in _blocks(one.batch.arrived)}
    now_ns = max(one.received_ns for one in sent)
    while True:
        heads = spools.hold(tx, keys)
        fresh = told.read(tx, asked)
        new: dict[tuple[str, str], Schema] = {}
        filed: list[Filed] = []
        answers = [_judge(one, heads.get((one.agent_id, one.batch.epoch)), told, new, filed) for one in sent]
        if spools.begin(tx, heads.values(), now_ns=now_ns):
            break
    spools.move(tx, heads.values())
    observations.add_all(tx, filed, fresh=fresh)
    for one, answer in zip(sent, answers, strict=True):
        if isinstance(answer, Accepted) and not answer.repeat:
            _keep(tx, one)
    return answers


def pass_over(tx: Connection, agent_id: str, *, epoch: str, seq: int, previous_seq: int, now_ns: int) -> None:
    """Let the next batch follow one that is refused for good; raises Refused (OUT_OF_ORDER)."""
    claim = spools.pass_over(tx, agent_id, epoch, seq=seq, previous_seq=previous_seq, now_ns=now_ns)
    _check_order(claim, seq=seq, previous_seq=previous_seq)


def note(tx: Connection, agent_id: str, what: What, *, now_ns: int) -> None:
    """Store what headquarters itself has seen of an agent, as if it had come from it: evaluation reads it as well."""
    agent = agents.by_id(tx, agent_id)
    epoch = spools.COLLECTOR_EPOCH
    before = spools.last_seq(tx, agent_id, epoch)
    claim = spools.claim(tx, agent_id, epoch, seq=before + 1, previous_seq=before, now_ns=now_ns)
    _check_order(claim, seq=before + 1, previous_seq=before)
    arrived = [Arrived(0, now_ns, what)]
    observations.add(tx, agent, epoch=epoch, seq=before + 1, arrived=arrived, received_ns=now_ns)


def _judge(
    one: Sent, head: Head | None, told: Told, new: dict[tuple[str, str], Schema], filed: list[Filed]
) -> Accepted | Refused:
    """What is to become of a batch: its spool moves; what is to be written goes into `filed`, schemas into `new`."""
    batch = one.batch
    seq, previous_seq = batch.seq, batch.previous_seq
    if head is None:
        return Refused("UNKNOWN_AGENT", f"agent {one.agent_id} is not known here; enrol it again with a new token")
    try:
        if head.follows(seq, previous_seq=previous_seq):
            new |= _check_schemas(one.agent_id, batch.arrived, told, new)
        verdict = head.claim(seq, previous_seq=previous_seq, now_ns=one.received_ns)
        _check_order(Claim(verdict, head.last_seq), seq=seq, previous_seq=previous_seq)
    except Refused as why:
        if why.reason in FOR_GOOD:
            head.pass_over(seq, previous_seq=previous_seq)
        return why
    if verdict == "repeat":
        return Accepted(head.last_seq, repeat=True, observations=0)
    seen = [item for item in batch.arrived if not isinstance(item.what, Inventory)]
    filed.append(Filed(head.customer_id, head.site_id, head.agent_id, head.epoch, seq, one.received_ns, seen))
    return Accepted(seq, repeat=False, observations=len(batch.arrived))


def _keep(tx: Connection, one: Sent) -> None:
    """An inventory is no event: it is kept for itself, and what differs from the one before is noted as changes."""
    for item in one.batch.arrived:
        if isinstance(item.what, Inventory):
            agent = agents.by_id(tx, one.agent_id)
            before = inventories.tell(tx, agent, item.what, at_ns=item.wall_ns)
            for change in differences(before, item.what) if before is not None else ():
                note(tx, agent.id, change, now_ns=one.received_ns)


def _check_order(claim: Claim, *, seq: int, previous_seq: int) -> None:
    if claim.verdict == "ahead":
        raise Refused(
            "OUT_OF_ORDER",
            f"batch {seq} says that it follows {previous_seq}, but the last one stored is {claim.last_seq}: "
            f"send the one that follows {claim.last_seq}",
        )


def _check_schemas(
    agent_id: str, arrived: Iterable[Arrived], told: Told, new: Mapping[tuple[str, str], Schema]
) -> dict[tuple[str, str], Schema]:
    """A schema is told once and its blocks hold that for ever: a stored one that does not could never be read again.
    Returns those that this batch tells; raises Refused (MALFORMED)."""
    sent = [(block, samples.schema(block.series) if block.series else None) for block in _blocks(arrived)]
    telling = {(agent_id, block.schema_id): schema for block, schema in sent if schema is not None}
    for block, its_own in sent:
        key = (agent_id, block.schema_id)
        schema = told.of(*key) or new.get(key) or telling.get(key)
        if schema is None:
            raise Refused("MALFORMED", f"the series of schema {block.schema_id} were never told; send them with it")
        if its_own not in (None, schema):
            raise Refused("MALFORMED", f"schema {block.schema_id} was told with other series; give these another id")
        if schema.width != len(block.last):
            raise Refused(
                "MALFORMED",
                f"schema {block.schema_id} has {schema.width} series, its block has {len(block.last)} columns",
            )
    return telling


def _blocks(arrived: Iterable[Arrived]) -> list[RawBlock]:
    return [item.what for item in arrived if isinstance(item.what, RawBlock)]
