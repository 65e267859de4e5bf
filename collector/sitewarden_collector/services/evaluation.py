"""Evaluation: from stored observations to tickets, behind intake and independent of it.

`step` takes the batches that wait, lane by lane (a lane is a stretch of one spool): rules, triage, tickets, evidence,
notices, outcomes of actions, the rules' state and the cursors all move in one transaction, so a crash anywhere repeats
the whole or nothing. Lanes that hold nothing but samples far from every level are passed over together; the others are
evaluated in groups, sites in turn, for as long as intake can wait for the same writer. Where a group fails, its lanes
are tried one by one; a batch that cannot be evaluated is parked with its error and passed over; a rule that fails on
one observation is parked beside it while the other rules go on, and one that does so again and again is suspended
(`services.suspending`). `tick` applies what depends on time alone: silent
agents, things that did not come, tickets that stayed recovered.

On PostgreSQL one collector evaluates at a time (`lock.alone`); the others' turn is an empty step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from sitewarden_alerting import triage
from sitewarden_alerting.grouping import LEARNED, Alias
from sitewarden_alerting.model import SECOND_NS, AgentSeen, Policy, Signal, Ticket
from sitewarden_alerting.observations import Change, Gap, LogEvent, Observation, Outcome, ProbeResult
from sitewarden_alerting.rules import (
    Evaluated,
    Meter,
    Rulebook,
    RuleFailure,
    SiteState,
    evaluate,
    hushed,
    lately_silent,
    quietly,
    unheard_before_ns,
)
from sitewarden_alerting.rules import tick as tick_rules
from sitewarden_collector.services import actions, faults, suspending
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.services.lanes import BATCHES_PER_LANE, Loud, group, in_turn, look
from sitewarden_collector.services.recall import Books, Recall
from sitewarden_collector.store import agents, evaluations, lock, observations, silences, spools, tickets, waiting
from sitewarden_collector.store.waiting import Lane

GROUP_MIN, GROUP_MAX = 16, 1_000  # observations
STEP_S = 0.04  # of the writer, about: intake waits for it
SILENT_PAGES = 5  # sites, or one in ten, that may fall silent within minutes before it is taken for our own trouble


@dataclass(slots=True)
class _Step:
    """One step under way. `clock` says seconds that only grow; where it stands still, nothing is put off."""

    tx: Connection
    books: Books
    policy: Policy
    memory: Memory
    now_ns: int
    clock: Callable[[], float]
    meter: Meter | None


@dataclass(frozen=True, slots=True)
class Told:
    """What some batches of one agent say."""

    agent_id: str
    observations: Sequence[Observation]


def step(
    tx: Connection,
    rulebook: Rulebook,
    policy: Policy,
    *,
    now_ns: int,
    memory: Memory | None = None,
    clock: Callable[[], float] = float,
    meter: Meter | None = None,
) -> int:
    """Evaluate batches that wait; how many. Call again while it is not 0, or until `memory.recall.at_end`.

    `memory` is what was learned, kept by the caller from step to step; without it it is read when needed. `clock`
    bounds the step to about `STEP_S`, and `meter` measures rules, both in seconds.
    """
    if not lock.alone(tx, "evaluation"):
        return 0
    memory = Memory() if memory is None else memory
    began_s, recall = clock(), memory.recall
    recall.loud = False
    there = waiting.lanes(tx, most=recall.lanes, batches=BATCHES_PER_LANE)
    recall.at_end = len(there) < recall.lanes and all(lane.last == lane.arrived for lane in there)
    if not there:
        return 0
    books = suspending.in_force(tx, rulebook, recall, policy, now_ns=now_ns)
    now = _Step(tx, books, policy, memory, now_ns, clock, meter)
    still, loud = look(tx, books.whole, recall, there)
    recall.loud = bool(loud)
    if not waiting.move(tx, still):
        raise RuntimeError("another collector evaluated these batches meanwhile")
    done = sum(lane.last - lane.first for lane in still)
    looked_s = clock() - began_s
    recall.looked(looked_s)
    done += _take(now, loud, until_s=began_s + looked_s + STEP_S)
    suspending.weigh(tx, rulebook, recall, policy, now_ns=now_ns)
    return done


def tick(tx: Connection, rulebook: Rulebook, policy: Policy, *, now_ns: int, started_ns: int = 0) -> int:
    """Apply the rules of time to every site, and time to tickets; how many decisions that led to.

    `started_ns` is when this collector began to listen: nobody is silent for longer than that.
    """
    if not lock.alone(tx, "evaluation"):
        return 0
    decided = _settle(tx, policy, now_ns=now_ns)
    sites: dict[str, list[AgentSeen]] = defaultdict(list)
    unheard_ns = unheard_before_ns(rulebook, now_ns=now_ns, started_ns=started_ns)
    for seen in agents.listened_for(tx, unheard_ns=unheard_ns):
        sites[seen.site_id].append(seen)
    recall = Recall()
    books = suspending.in_force(tx, rulebook, recall, policy, now_ns=now_ns)
    states = evaluations.peek_all(tx)  # nobody else changes them: only one evaluates at a time
    silent = sum(lately_silent(state, now_ns=now_ns) for state in states.values())
    most = max(SILENT_PAGES, agents.sites_listened_for(tx) // 10) if sites else 0
    for site_id, here in sites.items():
        state = states.get(site_id, SiteState())
        ticked = tick_rules(books.of(site_id), state, here, now_ns=now_ns, started_ns=started_ns)
        if ticked == Evaluated(state, ()):
            continue
        if lately_silent(ticked.state, now_ns=now_ns) and not lately_silent(state, now_ns=now_ns):
            silent += 1
        if silent > most:
            ticked = quietly(ticked, silent)
        try:
            with tx.begin_nested():
                evaluations.save_states(tx, {site_id: ticked.state})
                recall.failed |= _park_rules(tx, site_id, "", ticked, now_ns=now_ns)
                decided += _decide(tx, {site_id: ticked.signals}, policy, now_ns=now_ns)
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001  one site must not stop the others
            _park(tx, site_id, "", "", 0, error, now_ns=now_ns)
    suspending.weigh(tx, rulebook, recall, policy, now_ns=now_ns)
    return decided


def _take(now: _Step, loud: Sequence[Loud], *, until_s: float) -> int:
    """Evaluate lanes in groups, sites in turn, until the time is over; at least one group. How many batches."""
    queue, done, recall = in_turn(loud, now.memory.recall.served), 0, now.memory.recall
    while queue:
        began_s = now.clock()
        room = round((until_s - began_s) / recall.pace_s)
        some, queue = group(queue, max(GROUP_MIN, min(room, GROUP_MAX)))
        done += _evaluate_group(now, some)
        weight = sum(count for one in some for _, count in one.weights())
        recall.took({one.lane.site_id for one in some}, now.clock() - began_s, weight)
        if now.clock() >= until_s:
            break
    recall.at_end = recall.at_end and not queue
    return done


class _Overtaken(RuntimeError):
    """Somebody else moved a cursor that only one may move: the whole step is taken back."""


def _evaluate_group(now: _Step, group: Sequence[Loud]) -> int:
    """Evaluate lanes together; where that fails, or one is too large for it, each by itself. How many batches."""
    if not group[0].alone:
        try:
            with now.tx.begin_nested():
                _evaluate_together(now, group)
            return sum(one.lane.last - one.lane.first for one in group)
        except (OperationalError, _Overtaken):
            raise
        except Exception:  # noqa: BLE001  one lane must not stop the others
            now.memory.state = None
    for one in group:
        _evaluate_or_park(now, one.lane, first=one.lane.first, last=one.lane.last)
    return sum(one.lane.last - one.lane.first for one in group)


def _evaluate_together(now: _Step, group: Sequence[Loud]) -> None:
    tx, lanes = now.tx, [one.lane for one in group]
    others = waiting.others_of(tx, [lane for lane in lanes if lane.told], batches=BATCHES_PER_LANE)
    blocks = [block for one in group for block in one.blocks]
    opened: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for one in waiting.opened(tx, blocks, now.memory.recall.schemas) if blocks else ():
        opened[one.place.agent_id, one.key.epoch].append(one)
    told = []
    for lane in lanes:
        seen = [*others.get(lane, ()), *opened[lane.agent_id, lane.epoch]]
        told.append(Told(lane.agent_id, legible(sorted(seen, key=lambda one: one.key))))
    if not waiting.move(tx, lanes):
        raise _Overtaken("another collector evaluated these batches meanwhile")
    apply_all(tx, now.books, now.policy, told, memory=now.memory, now_ns=now.now_ns, meter=now.meter)


def _evaluate_or_park(now: _Step, lane: Lane, *, first: int, last: int) -> None:
    """Evaluate the batches after `first` up to `last`; where that fails, halves, down to the one that is parked."""
    tx = now.tx
    try:
        with tx.begin_nested():
            seen = legible(observations.of_batches(tx, lane.agent_id, lane.epoch, first + 1, last))
            if not spools.mark_evaluated(tx, lane.agent_id, lane.epoch, from_seq=first, to_seq=last):
                raise _Overtaken("another collector evaluated these batches meanwhile")
            told = [Told(lane.agent_id, seen)]
            apply_all(tx, now.books, now.policy, told, memory=now.memory, now_ns=now.now_ns, meter=now.meter)
    except (OperationalError, _Overtaken):
        raise  # the database's trouble, not the batch's
    except Exception as error:  # noqa: BLE001  a poisoned batch must not stop the others
        now.memory.state = None
        if last - first > 1:
            middle = (first + last) // 2
            for start, end in ((first, middle), (middle, last)):
                _evaluate_or_park(now, lane, first=start, last=end)
            return
        _park(tx, lane.site_id, lane.agent_id, lane.epoch, last, error, now_ns=now.now_ns)
        spools.mark_evaluated(tx, lane.agent_id, lane.epoch, from_seq=first, to_seq=last)


# -- what it says ----------------------------------------------------------------------------------------------------


def apply(
    tx: Connection,
    rulebook: Rulebook,
    policy: Policy,
    agent_id: str,
    observations: Sequence[Observation],
    *,
    memory: Memory,
    now_ns: int,
) -> None:
    """Let observations of one agent have their effect: outcomes, faults, rules, tickets. What a rule fails on is
    parked."""
    told = [Told(agent_id, observations)]
    apply_all(tx, Books(rulebook), policy, told, memory=memory, now_ns=now_ns)


def apply_all(
    tx: Connection,
    books: Books,
    policy: Policy,
    told: Sequence[Told],
    *,
    memory: Memory,
    now_ns: int,
    meter: Meter | None = None,
) -> None:
    """The same for several agents at once, in their order: one question of a kind to the database for all of them."""
    everything = [one for each in told for one in each.observations]
    for each in told:
        for one in each.observations:
            if isinstance(one.what, Outcome):
                actions.apply_outcome(tx, each.agent_id, one.what, now_ns=now_ns)
    seen, aliases = faults.resolve(tx, everything, memory, now_ns=now_ns)
    if aliases:
        follow(tx, aliases, policy, now_ns=now_ns)
    by_site: dict[str, dict[str, list[Observation]]] = defaultdict(dict)
    for one in seen:
        by_site[one.place.site_id].setdefault(one.place.agent_id, []).append(one)
    before = evaluations.states_of(tx, by_site)
    after = dict(before)
    found: dict[str, list[Signal]] = {}
    for site_id, by_agent in by_site.items():
        signals, rulebook = found.setdefault(site_id, []), books.of(site_id)
        plans = memory.recall.looks(rulebook).plans
        for agent_id, here in by_agent.items():
            evaluated = evaluate(rulebook, after[site_id], here, now_ns=now_ns, plans=plans, meter=meter)
            after[site_id] = evaluated.state
            signals += evaluated.signals
            memory.recall.count(site_id, evaluated.costs)
            memory.recall.failed |= _park_rules(tx, site_id, agent_id, evaluated, now_ns=now_ns)
    evaluations.save_states(tx, {site_id: state for site_id, state in after.items() if state != before[site_id]})
    everywhere = [signal for signals in found.values() for signal in signals]
    current = iter(faults.current(tx, everywhere, seen))
    _decide(
        tx, {site_id: [next(current) for _ in signals] for site_id, signals in found.items()}, policy, now_ns=now_ns
    )


def legible(observations: Sequence[Observation]) -> list[Observation]:
    """The observations as every database can keep them."""
    return [_legible(one) for one in observations]


def _legible(observation: Observation) -> Observation:
    """The observation without NUL in its texts: PostgreSQL cannot keep it, and nobody can read it."""
    what = observation.what
    if not isinstance(what, LogEvent | ProbeResult | Change | Gap | Outcome):
        return observation
    texts = {name: text for name in what.__slots__ if isinstance(text := getattr(what, name), str) and "\x00" in text}
    if not texts:
        return observation
    clean: dict[str, Any] = {name: text.replace("\x00", "\N{REPLACEMENT CHARACTER}") for name, text in texts.items()}
    return replace(observation, what=replace(what, **clean))


def _decide(tx: Connection, found: Mapping[str, Sequence[Signal]], policy: Policy, *, now_ns: int) -> int:
    """Let the signals of some sites become tickets; how many decisions that led to."""
    signals: list[Signal] = []
    there: list[Ticket] = []
    for site_id, some in found.items():
        if some:
            about = {name for signal in some for name in (signal.fault, signal.moved_from, signal.part_of) if name}
            there += tickets.concerned(tx, site_id, about)
            signals += hushed(some, now_ns=now_ns)
    if not signals:
        return 0
    decided = triage.decide(signals, there, silences.active(tx, now_ns=now_ns), policy, now_ns=now_ns)
    ticketing.apply(tx, decided, policy, now_ns=now_ns)
    return len(decided)


def _settle(tx: Connection, policy: Policy, *, now_ns: int) -> int:
    window_ns = round(policy.reopen_window_s * SECOND_NS)
    decided = triage.settle(tickets.aging(tx, resolved_before_ns=now_ns - window_ns), policy, now_ns=now_ns)
    ticketing.apply(tx, decided, policy, now_ns=now_ns)
    return len(decided)


def follow(tx: Connection, aliases: Sequence[Alias], policy: Policy, *, now_ns: int) -> None:
    """Let the tickets and silences of faults that were merged, by learning or by an engineer, follow their faults."""
    for alias in aliases:
        if alias.fingerprint == alias.fault:
            continue  # on its own again: what its tickets counted elsewhere stays there
        silences.follow(tx, alias.fingerprint, alias.fault, now_ns=now_ns)
        there = tickets.of_faults(tx, {alias.fingerprint, alias.fault})
        if any(ticket.fault == alias.fingerprint for ticket in there):
            moved = triage.repoint(alias.fingerprint, alias.fault, there, now_ns=now_ns, reason=alias.reason)
            who = ticketing.BY_RULES if alias.by == LEARNED else alias.by
            ticketing.apply(tx, moved, policy, now_ns=now_ns, by=who)


def _park_rules(tx: Connection, site_id: str, agent_id: str, evaluated: Evaluated, *, now_ns: int) -> set[str]:
    """Park what rules failed on; which rules."""
    by_batch: dict[tuple[str, str, int], list[RuleFailure]] = defaultdict(list)
    for failure in evaluated.failures:
        epoch, seq = ("", 0) if failure.key is None else (failure.key.epoch, failure.key.seq)
        by_batch[failure.rule, epoch, seq].append(failure)
    for (rule, epoch, seq), failed in by_batch.items():
        evaluations.park(
            tx,
            site_id=site_id,
            agent_id=agent_id,
            epoch=epoch,
            seq=seq,
            rule=rule,
            error=failed[-1].error,
            now_ns=now_ns,
            indexes={failure.key.index for failure in failed if failure.key is not None},
        )
    return {failure.rule for failure in evaluated.failures}


def _park(tx: Connection, site_id: str, agent_id: str, epoch: str, seq: int, error: Exception, *, now_ns: int) -> None:
    said = f"{type(error).__name__}: {error}"
    evaluations.park(tx, site_id=site_id, agent_id=agent_id, epoch=epoch, seq=seq, rule="", error=said, now_ns=now_ns)
