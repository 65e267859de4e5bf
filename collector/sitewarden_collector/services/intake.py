"""Taking in batches: claim their keys, store their rows, and say how far each spool has arrived.

`accept_all` takes what came of many agents with a handful of statements; the caller acknowledges after its commit, and
not before. A repeat is acknowledged and not stored again. Nothing here looks at what the observations say; evaluation
follows with a cursor of its own (law 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from sitewarden_alerting.observations import Inventory, What
from sitewarden_collector.errors import Refused
from sitewarden_collector.services.inventories import differences
from sitewarden_collector.store import agents, inventories, observations, samples, spools
from sitewarden_collector.store.observations import Arrived, Filed
from sitewarden_collector.store.samples import RawBlock, Schema, Told
from sitewarden_collector.store.spools import Head, Verdict

FOR_GOOD = ("MALFORMED", "TOO_LARGE")
"""Reasons to refuse a batch that will never be stored: the next one follows it."""


class Decoded(NamedTuple):
    """One batch, decoded and bounded by the edge, its times corrected."""

    epoch: str
    seq: int
    previous_seq: int
    arrived: tuple[Arrived, ...]


class Unreadable(NamedTuple):
    """One batch that the edge could not decode, and why it is refused for good."""

    epoch: str
    seq: int
    previous_seq: int
    why: Refused


class Sent(NamedTuple):
    """One batch, the agent that sent it, and when it was received."""

    agent_id: str
    batch: Decoded | Unreadable
    received_ns: int


class Offered(Protocol):
    """A batch that is decoded where it is stored."""

    agent_id: str
    received_ns: int

    def decoded(self) -> Decoded | Unreadable:
        """What it says; the same each time."""


class Accepted(NamedTuple):
    """`through_seq` is committed with everything before it; a repeat stored nothing new."""

    through_seq: int
    repeat: bool
    observations: int
    sample_bytes: int


def accept(tx: Connection, agent_id: str, *, batch: Decoded, now_ns: int) -> Accepted:
    """Store `batch` exactly once; raises Refused (OUT_OF_ORDER, UNKNOWN_AGENT, MALFORMED)."""
    (answer,) = accept_all(tx, [Sent(agent_id, batch, now_ns)], Told())
    if isinstance(answer, Refused):
        raise answer
    return answer


def accept_offered(tx: Connection, offered: Sequence[Offered], told: Told) -> list[Accepted | Refused]:
    """`accept_all` of what the edge has not decoded yet."""
    return accept_all(tx, [Sent(one.agent_id, one.decoded(), one.received_ns) for one in offered], told)


def accept_all(tx: Connection, sent: Sequence[Sent], told: Told) -> list[Accepted | Refused]:
    """Store batches exactly once, those of one spool in the order in which they stand here; what came of each.

    A batch that is refused for good (MALFORMED) is passed over: one that follows it can be taken. `told` is what was
    read of schemas, kept by the caller from call to call. Raises what the database raises; then nothing of all this may
    stay.
    """
    keys = {(one.agent_id, one.batch.epoch) for one in sent}
    blocks = [_blocks(one.batch) for one in sent]
    asked = {(one.agent_id, block.schema_id) for one, its in zip(sent, blocks, strict=True) for block in its}
    now_ns = max(one.received_ns for one in sent)
    while True:
        heads = spools.hold(tx, keys)
        fresh = told.read(tx, asked)
        new: dict[tuple[str, str], Schema] = {}
        filed: list[Filed] = []
        answers = [
            _judge(one, its, heads.get((one.agent_id, one.batch.epoch)), told, new, filed)
            for one, its in zip(sent, blocks, strict=True)
        ]
        if spools.begin(tx, heads.values(), now_ns=now_ns):
            break
    spools.move(tx, heads.values())
    observations.add_all(tx, filed, fresh=fresh)
    for one, its, answer in zip(sent, blocks, answers, strict=True):
        stored = isinstance(answer, Accepted) and not answer.repeat
        if stored and isinstance(one.batch, Decoded) and len(its) < len(one.batch.arrived):
            _keep(tx, one.agent_id, one.batch, now_ns=one.received_ns)
    return answers


def note(tx: Connection, agent_id: str, what: What, *, now_ns: int) -> None:
    """Store what headquarters itself has seen of an agent, as if it had come from it: evaluation reads it as well."""
    agent = agents.by_id(tx, agent_id)
    epoch = spools.COLLECTOR_EPOCH
    before = spools.last_seq(tx, agent_id, epoch)
    noted = Decoded(epoch, before + 1, before, (Arrived(0, now_ns, what),))
    claim = spools.claim(tx, agent_id, epoch, seq=noted.seq, previous_seq=before, now_ns=now_ns)
    _check_order(claim.verdict, noted, claim.last_seq)
    observations.add(tx, agent, epoch=epoch, seq=noted.seq, arrived=noted.arrived, received_ns=now_ns)


def _judge(
    one: Sent,
    blocks: Sequence[RawBlock],
    head: Head | None,
    told: Told,
    new: dict[tuple[str, str], Schema],
    filed: list[Filed],
) -> Accepted | Refused:
    """What is to become of a batch: its spool moves; what is to be written goes into `filed`, schemas into `new`."""
    batch = one.batch
    seq, previous_seq = batch.seq, batch.previous_seq
    if head is None:
        return Refused("UNKNOWN_AGENT", f"agent {one.agent_id} is not known here; enrol it again with a new token")
    try:
        if isinstance(batch, Unreadable):
            _check_order(head.pass_over(seq, previous_seq=previous_seq), batch, head.last_seq)
            return batch.why
        if blocks and head.follows(seq, previous_seq=previous_seq):
            _check_schemas(one.agent_id, blocks, told, new)
        verdict = head.claim(seq, previous_seq=previous_seq, now_ns=one.received_ns)
        _check_order(verdict, batch, head.last_seq)
    except Refused as why:
        if why.reason in FOR_GOOD:
            head.pass_over(seq, previous_seq=previous_seq)
        return why
    if verdict == "repeat":
        return Accepted(head.last_seq, repeat=True, observations=0, sample_bytes=0)
    seen = batch.arrived
    if len(blocks) < len(seen):
        seen = tuple([item for item in seen if not isinstance(item.what, Inventory)])
    filed.append(Filed(head.customer_id, head.site_id, head.agent_id, head.epoch, seq, one.received_ns, seen))
    return Accepted(seq, False, len(batch.arrived), sum([len(block.block) for block in blocks]))


def _keep(tx: Connection, agent_id: str, batch: Decoded, *, now_ns: int) -> None:
    """An inventory is no event: it is kept for itself, and what differs from the one before is noted as changes."""
    for item in batch.arrived:
        if isinstance(item.what, Inventory):
            agent = agents.by_id(tx, agent_id)
            before = inventories.tell(tx, agent, item.what, at_ns=item.wall_ns)
            for change in differences(before, item.what) if before is not None else ():
                note(tx, agent.id, change, now_ns=now_ns)


def _check_order(verdict: Verdict, batch: Decoded | Unreadable, last_seq: int) -> None:
    if verdict == "ahead":
        raise Refused(
            "OUT_OF_ORDER",
            f"batch {batch.seq} says that it follows {batch.previous_seq}, but the last one stored is {last_seq}: "
            f"send the one that follows {last_seq}",
        )


def _check_schemas(agent_id: str, blocks: Sequence[RawBlock], told: Told, new: dict[tuple[str, str], Schema]) -> None:
    """A schema is told once and its blocks hold that for ever: a stored one that does not could never be read again.
    Puts those that a batch tells into `new`; raises Refused (MALFORMED)."""
    sent = [(block, samples.schema(block.series) if block.series else None) for block in blocks]
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
    new |= telling


def _blocks(batch: Decoded | Unreadable) -> list[RawBlock]:
    return (
        [item.what for item in batch.arrived if isinstance(item.what, RawBlock)] if isinstance(batch, Decoded) else []
    )
