"""Which lanes a rule has to look at, and how many of them at once.

A lane is a stretch of one spool's batches that wait. Most hold samples alone, far from every level: they are told apart
by looking at all blocks together. The others are put into groups, one lane of each site after the other, so that a site
with many hosts, or with one that writes without end, waits for itself and not for others. Not here: judging them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.observations import Series
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.services.recall import Recall
from sitewarden_collector.store import waiting
from sitewarden_collector.store.waiting import Lane, Waiting

BATCHES_PER_LANE = 32
SHARE_MIN = 8  # observations of one lane in a group


@dataclass(frozen=True, slots=True)
class Loud:
    """A lane that a rule may have to look at, with the blocks that it must see; `alone`: too large for a group."""

    lane: Lane
    blocks: tuple[Waiting, ...] = ()
    alone: bool = False

    def weights(self) -> list[tuple[int, int]]:
        """How many observations each of its batches has to be judged by."""
        weighed = Counter(dict(self.lane.told))
        weighed.update(block.seq for block in self.blocks)
        return sorted(weighed.items())


def look(tx: Connection, rulebook: Rulebook, recall: Recall, there: Sequence[Lane]) -> tuple[list[Lane], list[Loud]]:
    """Those lanes that hold nothing that could matter to a rule, and the others."""
    held = waiting.blocks_of(tx, there, batches=BATCHES_PER_LANE)
    recall.schemas.need(tx, ((one.agent_id, one.schema_id) for some in held.values() for one in some))
    known = recall.schemas.known
    near: set[Lane] = set()  # some block of theirs is, or may be, past a level
    large: set[Lane] = set()
    owners: list[Lane] = []
    readable: list[tuple[tuple[Series, ...], bytes]] = []
    for lane, some in held.items():
        if lane.agent_id in recall.states.past_levels(lane.site_id, lane.state):
            near.add(lane)
        for one in some:
            series = known.get((one.agent_id, one.schema_id))
            if one.block is None:
                large.add(lane)
            elif series is not None:
                owners.append(lane)
                readable.append((series, one.block))
    near.update(owners[at] for at in recall.looks(rulebook).beyond(readable))
    still, loud = [], []
    for lane in there:
        if lane in large:
            loud.append(Loud(lane, alone=True))
        elif lane in near:
            loud.append(Loud(lane, tuple(held[lane])))
        elif lane.told:
            loud.append(Loud(lane))
        else:
            still.append(lane if lane in held else _stride(tx, lane))
    return still, loud


def _stride(tx: Connection, lane: Lane) -> Lane:
    """An empty lane up to the next batch that holds anything: an agent may leave out as many numbers as it likes."""
    if lane.last == lane.arrived:
        return lane
    following = waiting.next_seq(tx, lane)
    return replace(lane, last=lane.arrived if following is None else min(lane.arrived, following - 1))


def in_turn(loud: Sequence[Loud], served: Mapping[str, int]) -> list[Loud]:
    """One lane of each site, then the next of each; sites first that were `served` longest ago."""
    turns = Counter[str]()
    ordered = []
    for one in loud:
        site_id = one.lane.site_id
        ordered.append((turns[site_id], served.get(site_id, 0), one))
        turns[site_id] += 1
    return [one for _, _, one in sorted(ordered, key=lambda each: each[:2])]


def group(queue: Sequence[Loud], room: int) -> tuple[list[Loud], list[Loud]]:
    """Lanes from the front for about so many observations, and what is left. A lane with more than its site's share is
    cut between two batches, and its rest goes to the end."""
    taking: list[Loud] = []
    share = max(SHARE_MIN, room // len({one.lane.site_id for one in queue}))
    rests: list[Loud] = []
    for at, one in enumerate(queue):
        if (taking and room <= 0) or (one.alone and taking):
            return taking, [*queue[at:], *rests]
        taken = 0
        for seq, count in one.weights():
            if taken and count > share - taken:
                one, rest = _cut(one, seq - 1)
                rests.append(rest)
                break
            taken += count
        taking.append(one)
        room -= taken
        if one.alone:
            return taking, [*queue[at + 1 :], *rests]
    return taking, rests


def _cut(one: Loud, seq: int) -> tuple[Loud, Loud]:
    lane, told = one.lane, one.lane.told
    first = replace(lane, last=seq, told=tuple(pair for pair in told if pair[0] <= seq))
    rest = replace(lane, first=seq, told=tuple(pair for pair in told if pair[0] > seq))
    return (
        Loud(first, tuple(block for block in one.blocks if block.seq <= seq)),
        Loud(rest, tuple(block for block in one.blocks if block.seq > seq)),
    )
