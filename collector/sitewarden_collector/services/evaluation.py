"""Evaluation: from stored observations to tickets, behind intake and independent of it.

`step` takes the batches that wait, spool by spool: rules, triage, tickets, evidence, notices, outcomes of actions, the
rules' state and the cursor all move in one transaction, so a crash anywhere repeats the whole or nothing. A batch that
cannot be evaluated is parked with its error and passed over; a rule that fails on one observation is parked beside it
while the other rules go on. `tick` applies what depends on time alone: silent agents, things that did not come,
tickets that stayed recovered.

On PostgreSQL one collector evaluates at a time (`lock.alone`); the others' turn is an empty step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from sitewarden_alerting import triage
from sitewarden_alerting.grouping import LEARNED, Alias
from sitewarden_alerting.model import SECOND_NS, AgentSeen, Policy, Signal
from sitewarden_alerting.observations import Change, Gap, LogEvent, Observation, Outcome, ProbeResult
from sitewarden_alerting.rules import Evaluated, Rulebook, RuleFailure, SiteState, evaluate, lately_silent, quietly
from sitewarden_alerting.rules import tick as tick_rules
from sitewarden_collector.services import actions, faults
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store import agents, evaluations, lock, observations, silences, spools, tickets
from sitewarden_collector.store.spools import Pending

SPOOLS_PER_STEP = 16
BATCHES_PER_STEP = 32
SILENT_PAGES = 5  # sites, or one in ten, that may fall silent within minutes before it is taken for our own trouble


def step(tx: Connection, rulebook: Rulebook, policy: Policy, *, now_ns: int, memory: Memory | None = None) -> int:
    """Evaluate batches that wait; how many. Call again while it is not 0.

    `memory` is what grouping learned, kept by the caller from step to step; without it it is read when needed.
    """
    if not lock.alone(tx, "evaluation"):
        return 0
    memory = Memory() if memory is None else memory
    done = 0
    for spool in spools.pending(tx, SPOOLS_PER_STEP):
        if done >= BATCHES_PER_STEP:
            break  # intake waits for the same writer
        # Numbers that no batch has are passed in one stride: an agent may leave out as many as it likes.
        begins = observations.next_seq(tx, spool.agent_id, spool.epoch, after_seq=spool.evaluated_seq)
        last = min(spool.last_seq, (begins or spool.last_seq) - 1 + BATCHES_PER_STEP - done)
        done += _evaluate_or_park(
            tx, rulebook, policy, spool, memory, first=spool.evaluated_seq, last=last, now_ns=now_ns
        )
    return done


def tick(tx: Connection, rulebook: Rulebook, policy: Policy, *, now_ns: int, started_ns: int = 0) -> int:
    """Apply the rules of time to every site, and time to tickets; how many decisions that led to.

    `started_ns` is when this collector began to listen: nobody is silent for longer than that.
    """
    if not lock.alone(tx, "evaluation"):
        return 0
    decided = _settle(tx, policy, now_ns=now_ns)
    sites: dict[str, list[AgentSeen]] = defaultdict(list)
    for seen in agents.listened_for(tx):
        sites[seen.site_id].append(seen)
    states = evaluations.peek_all(tx)  # nobody else changes them: only one evaluates at a time
    silent = sum(lately_silent(state, now_ns=now_ns) for state in states.values())
    for site_id, here in sites.items():
        state = states.get(site_id, SiteState())
        ticked = tick_rules(rulebook, state, here, now_ns=now_ns, started_ns=started_ns)
        if ticked == Evaluated(state, ()):
            continue
        if lately_silent(ticked.state, now_ns=now_ns) and not lately_silent(state, now_ns=now_ns):
            silent += 1
        if silent > max(SILENT_PAGES, len(sites) // 10):
            ticked = quietly(ticked, silent)
        try:
            with tx.begin_nested():
                evaluations.save_state(tx, site_id, ticked.state)
                _park_rules(tx, site_id, "", ticked, now_ns=now_ns)
                decided += _decide(tx, site_id, ticked.signals, policy, now_ns=now_ns)
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001  one site must not stop the others
            _park(tx, site_id, "", "", 0, error, now_ns=now_ns)
    return decided


def _evaluate_or_park(
    tx: Connection,
    rulebook: Rulebook,
    policy: Policy,
    spool: Pending,
    memory: Memory,
    *,
    first: int,
    last: int,
    now_ns: int,
) -> int:
    """Evaluate the batches after `first` up to `last`; where that fails, halves, down to the one that is parked."""
    try:
        with tx.begin_nested():
            _evaluate(tx, rulebook, policy, spool, memory, first=first, last=last, now_ns=now_ns)
        return last - first
    except OperationalError:
        raise  # the database's trouble, not the batch's
    except Exception as error:  # noqa: BLE001  a poisoned batch must not stop the others
        memory.state = None
        if last - first > 1:
            middle = (first + last) // 2
            for part in ((first, middle), (middle, last)):
                _evaluate_or_park(tx, rulebook, policy, spool, memory, first=part[0], last=part[1], now_ns=now_ns)
            return last - first
        agent = agents.find(tx, spool.agent_id)
        _park(tx, "" if agent is None else agent.site_id, spool.agent_id, spool.epoch, last, error, now_ns=now_ns)
        spools.mark_evaluated(tx, spool.agent_id, spool.epoch, from_seq=first, to_seq=last)
        return 1


def _evaluate(
    tx: Connection,
    rulebook: Rulebook,
    policy: Policy,
    spool: Pending,
    memory: Memory,
    *,
    first: int,
    last: int,
    now_ns: int,
) -> None:
    seen = legible(observations.of_batches(tx, spool.agent_id, spool.epoch, first + 1, last))
    if not spools.mark_evaluated(tx, spool.agent_id, spool.epoch, from_seq=first, to_seq=last):
        raise RuntimeError("another collector evaluated these batches meanwhile")
    apply(tx, rulebook, policy, spool.agent_id, seen, memory=memory, now_ns=now_ns)


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
    for one in observations:
        if isinstance(one.what, Outcome):
            actions.apply_outcome(tx, agent_id, one.what, now_ns=now_ns)
    seen, aliases = faults.resolve(tx, observations, memory, now_ns=now_ns)
    if aliases:
        follow(tx, aliases, policy, now_ns=now_ns)
    by_site: dict[str, list[Observation]] = defaultdict(list)
    for one in seen:
        by_site[one.place.site_id].append(one)
    for site_id, here in by_site.items():
        state = evaluations.state_of(tx, site_id)
        evaluated = evaluate(rulebook, state, here, now_ns=now_ns)
        if evaluated.state != state:
            evaluations.save_state(tx, site_id, evaluated.state)
        _park_rules(tx, site_id, agent_id, evaluated, now_ns=now_ns)
        _decide(tx, site_id, faults.current(tx, evaluated.signals, here), policy, now_ns=now_ns)


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


def _decide(tx: Connection, site_id: str, signals: Sequence[Signal], policy: Policy, *, now_ns: int) -> int:
    if not signals:
        return 0
    about = {name for signal in signals for name in (signal.fault, signal.moved_from, signal.part_of) if name}
    there = tickets.concerned(tx, site_id, about)
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


def _park_rules(tx: Connection, site_id: str, agent_id: str, evaluated: Evaluated, *, now_ns: int) -> None:
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


def _park(tx: Connection, site_id: str, agent_id: str, epoch: str, seq: int, error: Exception, *, now_ns: int) -> None:
    said = f"{type(error).__name__}: {error}"
    evaluations.park(tx, site_id=site_id, agent_id=agent_id, epoch=epoch, seq=seq, rule="", error=said, now_ns=now_ns)
