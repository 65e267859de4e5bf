"""Rules that do harm are taken out of force, with one ticket to ourselves, until `sitewarden rules resume NAME`.

A rule that fails again and again, or takes long, is suspended at the site whose observations show it; only when they
are of several sites everywhere, so that nobody's data can switch off what watches others. What it failed on stays
parked. A rule whose definition was changed since is tried anew by itself, and for one that came back only what happens
from then on counts. The ticket is opened at a site of our own
name, for the faults of a rule are nobody else's. Not here: parking (`services.parked`), and evaluating itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from sitewarden_alerting import triage
from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, Policy, Signal, SignalKind, SignalState
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules import AnyRule, Rulebook
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.recall import Books, Recall
from sitewarden_collector.store import evaluations, settings, sites, suspensions, tickets
from sitewarden_collector.store.suspensions import Suspended

FAILED_BATCHES, FAILED_OBSERVATIONS = 3, 20  # either is enough ...
WITHIN_NS = HOUR_NS  # ... within that time
SLOW_S, SLOW_CALLS = 0.005, 20  # seconds of the processor a call, on average over at least so many ...
COSTS_NS = 10 * MINUTE_NS  # ... within that time
SITES = 2  # so many sites show that it is the rule, and not their data
OURS = "headquarters"  # the customer and the site of tickets about ourselves
EVERYWHERE = ""
RULE = "suspended-rule"
RESUMED = "resumed-rules"  # the setting that says which rules came back, and when


def in_force(tx: Connection, rulebook: Rulebook, recall: Recall, policy: Policy, *, now_ns: int) -> Books:
    """The rules that are in force at each site. Those that were changed since they were suspended are so again."""
    out = suspensions.every(tx)
    for name in {one.rule for one in out if one.definition != _definition(rulebook.named(one.rule))}:
        _resume(tx, name, "its definition was changed", policy, now_ns=now_ns)
        out = [one for one in out if one.rule != name]
    return recall.books(rulebook, frozenset((one.rule, one.site_id) for one in out))


def weigh(tx: Connection, rulebook: Rulebook, recall: Recall, policy: Policy, *, now_ns: int) -> int:
    """Suspend what failed too often or took too long; how many rules. Forgets what it weighed."""
    failed, slow = recall.failed, recall.slow(SLOW_S, SLOW_CALLS)
    done = 0
    came_back = settings.get(tx, RESUMED) or {} if failed else {}
    for name in sorted(failed):
        by_site = evaluations.failures(tx, name, since_ns=max(now_ns - WITHIN_NS, came_back.get(name, 0)))
        batches, number = (sum(counts) for counts in zip(*by_site.values(), strict=True)) if by_site else (0, 0)
        if batches >= FAILED_BATCHES or number >= FAILED_OBSERVATIONS:
            why = f"it failed on {number} observations of {batches} batches within an hour"
            done += _suspend(tx, rulebook.named(name), by_site, why, policy, now_ns=now_ns)
    for name, costs in slow.items():
        worst_s = max(costs.values())
        why = f"it takes {worst_s * 1000:.0f} ms of the processor for an observation, {SLOW_S * 1000:.0f} are allowed"
        done += _suspend(tx, rulebook.named(name), costs, why, policy, now_ns=now_ns)
        recall.forgive(name, costs)
    recall.weighed(now_ns=now_ns, keep_ns=COSTS_NS)
    return done


def resume(tx: Connection, name: str, policy: Policy, *, now_ns: int, by: str) -> list[Suspended]:
    """Bring a rule back into force, at every site where it was suspended. Raises NotFound."""
    gone = _resume(tx, name, f"{by} brought it back", policy, now_ns=now_ns)
    if not gone:
        raise NotFound(f"rule {name} is not suspended; `sitewarden rules suspended` shows those that are")
    return gone


def _suspend(
    tx: Connection, rule: AnyRule | None, shown_by: Collection[str], why: str, policy: Policy, *, now_ns: int
) -> int:
    if rule is None:
        return 0
    before = {one.site_id for one in suspensions.every(tx) if one.rule == rule.name}
    at = set(shown_by) | before
    wanted = {EVERYWHERE} if len(at) >= SITES else at
    if EVERYWHERE in before or wanted <= before:
        return 0
    for site_id in sorted(wanted - before):
        suspensions.add(tx, Suspended(rule.name, site_id, _definition(rule), why, now_ns))
    where = "everywhere" if EVERYWHERE in wanted else f"at {_site_name(tx, next(iter(wanted)))}"
    said = f"rule {rule.name} is out of force {where}: {why}; `sitewarden rules parked` shows on what, and once it is "
    said += f"mended `sitewarden rules resume {rule.name}` brings it back"
    _tell(tx, rule.name, SignalState.FIRING, said, policy, now_ns=now_ns)
    return 1


def _resume(tx: Connection, name: str, why: str, policy: Policy, *, now_ns: int) -> list[Suspended]:
    gone = suspensions.drop(tx, name)
    if gone:
        _begin_anew(tx, name, now_ns=now_ns)
        _tell(tx, name, SignalState.RECOVERED, f"rule {name} is in force again: {why}", policy, now_ns=now_ns)
    return gone


def _begin_anew(tx: Connection, name: str, *, now_ns: int) -> None:
    """Let nothing count that the rule failed on until now."""
    evaluations.forget_failures_on_time(tx, name)
    came_back = settings.get(tx, RESUMED) or {}
    lately = {rule: at_ns for rule, at_ns in came_back.items() if at_ns > now_ns - WITHIN_NS}
    settings.put(tx, RESUMED, lately | {name: now_ns + 1})


def _tell(tx: Connection, name: str, state: SignalState, said: str, policy: Policy, *, now_ns: int) -> None:
    try:
        with tx.begin_nested():
            _ticket(tx, name, state, said, policy, now_ns=now_ns)
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001  whether somebody can be told decides nothing
        why = f"{type(error).__name__}: {error}"
        evaluations.park(tx, site_id="", agent_id="", epoch="", seq=0, rule=RULE, error=why, now_ns=now_ns)


def _ticket(tx: Connection, name: str, state: SignalState, said: str, policy: Policy, *, now_ns: int) -> None:
    ours = sites.find(tx, OURS)
    if ours is None:
        ours = sites.add(tx, OURS, customer_id=sites.ensure_customer(tx, OURS, now_ns=now_ns), now_ns=now_ns)
    signal = Signal(
        rule=RULE,
        kind=SignalKind.CHANGE,
        site_id=ours.id,
        customer_id=ours.customer_id,
        fault=f"rule:{name}",
        subject=name,
        state=state,
        severity=int(Severity.ERROR),
        title=f"Rule {name} is suspended",
        reason=said,
        at_ns=now_ns,
        count=1 if state is SignalState.FIRING else 0,
    )
    there = tickets.concerned(tx, ours.id, {signal.fault})
    ticketing.apply(tx, triage.decide([signal], there, (), policy, now_ns=now_ns), policy, now_ns=now_ns)


def _site_name(tx: Connection, site_id: str) -> str:
    try:
        return sites.by_id(tx, site_id).name
    except NotFound:
        return site_id


def _definition(rule: AnyRule | None) -> str:
    return "" if rule is None else sha256(repr(rule).encode()).hexdigest()


def names(tx: Connection, out: Collection[Suspended]) -> Mapping[str, str]:
    """What the sites of some suspensions are called."""
    return {one.site_id: _site_name(tx, one.site_id) for one in out if one.site_id}
