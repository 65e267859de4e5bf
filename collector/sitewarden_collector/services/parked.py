"""What could not be evaluated, tried again once the rule, or the program, is mended.

A rule is tried on the observations that it failed on and on no others, so that nothing is counted twice; a batch that
was parked as a whole is evaluated with all rules. Samples and probe results are left out: what they said of a state is
long superseded, and would page for the past. What succeeds is parked no more; what fails stays, with its newest error.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import Observation, ProbeResult, Samples
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.services import evaluation
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store import evaluations, lock, observations
from sitewarden_collector.store.evaluations import Parked

RETRY_MAX = 200  # at once


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one that was parked: done, or why it is parked still."""

    parked: Parked
    done: bool
    said: str


def retry(tx: Connection, parked_id: int, rulebook: Rulebook, policy: Policy, *, now_ns: int) -> Retried:
    """Try one again. Raises NotFound, and DatabaseBusy where a collector is at it."""
    if not lock.alone(tx, "evaluation"):
        raise DatabaseBusy("a collector is just evaluating what arrived; try again in a moment")
    parked = evaluations.parked_by_id(tx, parked_id)
    try:
        with tx.begin_nested():
            evaluations.forget_parked(tx, parked_id)
            said = _try(tx, parked, rulebook, policy, now_ns=now_ns)
    except OperationalError:
        raise  # the database's trouble, not the batch's
    except Exception as error:  # noqa: BLE001  it stays parked, with what it says now
        said = f"{type(error).__name__}: {error}"
        _keep(tx, parked, said, now_ns=now_ns)
        return Retried(parked, False, said)
    still = [one for one in evaluations.parked_listing(tx) if _key(one) == _key(parked)]
    return Retried(parked, not still, still[0].error if still else said)


def retry_all(tx: Connection, rulebook: Rulebook, policy: Policy, *, now_ns: int) -> list[Retried]:
    """Try everything again, the oldest first, `RETRY_MAX` at most. Raises DatabaseBusy."""
    waiting = evaluations.parked_listing(tx, limit=RETRY_MAX)
    return [retry(tx, one.id, rulebook, policy, now_ns=now_ns) for one in reversed(waiting)]


def _try(tx: Connection, parked: Parked, rulebook: Rulebook, policy: Policy, *, now_ns: int) -> str:
    if not parked.seq:
        return "it is tried every second by itself; forgotten here until it fails again"
    if parked.rule:
        rule = rulebook.named(parked.rule)
        if rule is None:
            return f"there is no rule {parked.rule} any more"
        rulebook = Rulebook((rule,))
    there = observations.of_batches(tx, parked.agent_id, parked.epoch, parked.seq, parked.seq)
    if not there:
        return "its observations are older than what is kept"
    seen = [one for one in evaluation.legible(there) if _counts(one, parked)]
    evaluation.apply(tx, rulebook, policy, parked.agent_id, seen, memory=Memory(), now_ns=now_ns)
    return f"{len(seen)} observations evaluated"


def _counts(one: Observation, parked: Parked) -> bool:
    failed = not parked.indexes or one.key.index in parked.indexes
    return failed and not isinstance(one.what, Samples | ProbeResult)


def _keep(tx: Connection, parked: Parked, error: str, *, now_ns: int) -> None:
    evaluations.park(
        tx,
        site_id=parked.site_id,
        agent_id=parked.agent_id,
        epoch=parked.epoch,
        seq=parked.seq,
        rule=parked.rule,
        error=error,
        now_ns=now_ns,
        indexes=parked.indexes,
    )


def _key(parked: Parked) -> tuple[str, str, int, str]:
    return parked.agent_id, parked.epoch, parked.seq, parked.rule
