"""Rules that fire because time goes by: `tick(rulebook, state, agents, now_ns=..., started_ns=...)`.

Called every few seconds for each site: agents that fell silent, expected things that did not come, rates and storms
that are over. Once a minute it also says again what goes on (`repeats`), so that a silence that ended, or a ticket that
was resolved too early, does not hide a fault for ever.

An agent is judged by its last sign of life, or by the collector's own start where that is later: after a restart of
headquarters nobody is silent before they had their time to come back; then all are judged, also those never seen since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sitewarden_alerting.identity import first_of, key
from sitewarden_alerting.model import MINUTE_NS, SECOND_NS, AgentSeen, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import LogEvent, Observation, ProbeResult, Samples
from sitewarden_alerting.rules import rates, storms
from sitewarden_alerting.rules.rulebook import Absence, AgentSilent, Rate, Rulebook, Storm
from sitewarden_alerting.rules.state import OVER_NS, Awaited, Evaluated, RuleFailure, SiteState, Working
from sitewarden_alerting.wording import duration, exact_moment

FRESH_NS = 15 * MINUTE_NS
REMIND_NS = MINUTE_NS
MASS_NS = 5 * MINUTE_NS
SITE = "site"


def tick(
    rulebook: Rulebook, state: SiteState, agents: Sequence[AgentSeen], *, now_ns: int, started_ns: int = 0
) -> Evaluated:
    """Apply what depends on time alone to one site and its agents; `started_ns` is the collector's own start."""
    if not agents or _stands(rulebook, state, agents, now_ns=now_ns, started_ns=started_ns):
        return Evaluated(state, ())
    work = Working.of(state)
    failures: list[RuleFailure] = []
    site_silent = False
    for rule in sorted(rulebook.rules, key=lambda rule: not isinstance(rule, AgentSilent)):
        try:
            match rule:
                case AgentSilent():
                    site_silent |= _silent(work, rule, agents, now_ns=now_ns, started_ns=started_ns)
                case Absence() if not site_silent:
                    _absent(work, rule, agents[0], now_ns=now_ns, started_ns=started_ns)
                case Rate():
                    rates.rate_over(work, rule, now_ns=now_ns)
                case Storm():
                    _storm_over(work, rule, agents[0], now_ns=now_ns)
        except Exception as error:  # noqa: BLE001  one rule's fault must not stop the others
            failures.append(RuleFailure(rule.name, None, f"{type(error).__name__}: {error}"))
    _remind(work, rulebook, now_ns=now_ns)
    return Evaluated(work.settled(), tuple(work.signals), tuple(failures))


def _stands(rulebook: Rulebook, state: SiteState, agents: Sequence[AgentSeen], *, now_ns: int, started_ns: int) -> bool:
    """Whether time changes nothing here: no rule is at anything, nothing is expected, and everybody is heard of. Most
    sites are like that most of the time, and there may be thousands."""
    if state.levels or state.probes or state.windows or state.storms or state.awaited or state.silent:
        return False
    unheard_ns = now_ns - max(started_ns, min(agent.last_seen_ns for agent in agents))
    return not any(
        isinstance(rule, Absence) or (isinstance(rule, AgentSilent) and unheard_ns > round(rule.after_s * SECOND_NS))
        for rule in rulebook.rules
    )


def unheard_before_ns(rulebook: Rulebook, *, now_ns: int, started_ns: int) -> int | None:
    """At a site of which no rule remembers anything time changes nothing as long as everybody was heard of since then;
    None: every site has to be looked at, because something is expected of each."""
    if any(isinstance(rule, Absence) for rule in rulebook.rules):
        return None
    after_ns = [round(rule.after_s * SECOND_NS) for rule in rulebook.rules if isinstance(rule, AgentSilent)]
    return now_ns - min(after_ns) if after_ns and now_ns - started_ns > min(after_ns) else 0


def lately_silent(state: SiteState, *, now_ns: int) -> bool:
    """Whether an agent of this site fell silent within the last minutes."""
    return any(now_ns - signal.at_ns <= MASS_NS for signal in state.silent.values())


def quietly(ticked: Evaluated, sites: int) -> Evaluated:
    """The same, but silence opens its tickets and tells nobody: so many sites at once is rather headquarters' own line.

    The first ones were told already; whoever was called finds the others in the list.
    """
    also = f"; {sites} sites fell silent within minutes: look at headquarters' own network first"
    signals = tuple(
        replace(signal, tell=False, reason=signal.reason + also) if signal.kind is SignalKind.SILENCE else signal
        for signal in ticked.signals
    )
    return replace(ticked, signals=signals)


def seen(work: Working, rule: Absence, observation: Observation, *, at_ns: int) -> None:
    """Note an expected thing that came; say that it recovered when it was missed."""
    match observation.what:
        case LogEvent() as event:
            expected = rule.log is not None and event.part != "full" and rule.log.takes(event)
        case ProbeResult() as result:
            expected = result.probe == rule.probe
        case Samples() as samples:
            expected = bool(rule.series) and any(series.name == rule.series for series in samples.series)
        case _:
            expected = False
    if not expected:
        return
    before = work.awaited.get(rule.name, Awaited(0))
    if before.signal is not None and at_ns > before.last_ns:
        said = f"{before.signal.subject} came again at {exact_moment(at_ns)}"
        work.signals.append(replace(before.signal, state=SignalState.RECOVERED, count=0, reason=said, at_ns=at_ns))
        before = Awaited(before.last_ns)
    work.awaited[rule.name] = replace(before, last_ns=max(before.last_ns, at_ns))


def _silent(work: Working, rule: AgentSilent, agents: Sequence[AgentSeen], *, now_ns: int, started_ns: int) -> bool:
    """Judge every agent of the site; true when none of them is heard of."""
    after_ns = round(rule.after_s * SECOND_NS)
    gone = [agent for agent in agents if now_ns - max(agent.last_seen_ns, started_ns) > after_ns]
    everybody = len(gone) == len(agents)
    wanted: dict[str, Signal] = {}
    if everybody:
        newest = max(agents, key=lambda agent: agent.last_seen_ns)
        wanted[key(rule.name, SITE)] = _silence(rule, newest, agents, now_ns=now_ns)
    # An agent that was silent before the whole site was keeps its own ticket; no new ones are opened beside the site's.
    for agent in gone:
        name = key(rule.name, agent.agent_id)
        if not everybody or name in work.silent:
            wanted[name] = _silence(rule, agent, (), now_ns=now_ns)
    for name in [name for name in work.silent if first_of(name) == rule.name and name not in wanted]:
        before = work.silent.pop(name)
        said = f"{before.subject} is heard of again"
        work.signals.append(replace(before, state=SignalState.RECOVERED, count=0, reason=said, at_ns=now_ns))
    for name, signal in wanted.items():
        if name not in work.silent:
            work.signals.append(signal)
            work.silent[name] = signal
    return everybody


def _silence(rule: AgentSilent, agent: AgentSeen, everybody: Sequence[AgentSeen], *, now_ns: int) -> Signal:
    host = agent.hostname or agent.agent_id
    who = "the whole site" if everybody else f"agent {host}"
    last = f"last heard of at {exact_moment(agent.last_seen_ns)}, {duration(now_ns - agent.last_seen_ns)} ago"
    also = (
        f" ({len(everybody)} agents; the last was {host})" if len(everybody) > 1 else f" ({host})" if everybody else ""
    )
    return Signal(
        rule=rule.name,
        kind=SignalKind.SILENCE,
        site_id=agent.site_id,
        customer_id=agent.customer_id,
        fault=f"silent:{key(rule.name, SITE if everybody else agent.agent_id)}",
        subject=who,
        state=SignalState.FIRING,
        severity=int(rule.severity),
        title=f"{rule.title or 'Silent'}: {who}{also}",
        reason=f"nothing heard of {who} for more than {rule.after_s:g} s, {last}",
        at_ns=now_ns,
        page=rule.page,
    )


def _absent(work: Working, rule: Absence, agent: AgentSeen, *, now_ns: int, started_ns: int) -> None:
    waiting = work.awaited.setdefault(rule.name, Awaited(now_ns))
    if waiting.signal is not None or now_ns - max(waiting.last_ns, started_ns) <= rule.within_s * SECOND_NS:
        return
    expected = (
        f"probe {rule.probe}" if rule.probe else f"series {rule.series}" if rule.series else rule.title or rule.name
    )
    signal = Signal(
        rule=rule.name,
        kind=SignalKind.ABSENCE,
        site_id=agent.site_id,
        customer_id=agent.customer_id,
        fault=f"absent:{rule.name}",
        subject=expected,
        state=SignalState.FIRING,
        severity=int(rule.severity),
        title=f"{rule.title or 'Missing'}: {expected} did not come",
        reason=f"{expected} is expected every {duration(round(rule.within_s * SECOND_NS))} and was last seen at "
        f"{exact_moment(waiting.last_ns)}",
        at_ns=now_ns,
        page=rule.page,
    )
    work.signals.append(signal)
    work.awaited[rule.name] = Awaited(waiting.last_ns, signal)


def _storm_over(work: Working, rule: Storm, agent: AgentSeen, *, now_ns: int) -> None:
    storm = work.storms.get(rule.name)
    if storm is not None and storm.firing and now_ns - storm.over_ns >= rule.window_s * SECOND_NS:
        work.signals.append(storms.storm_over(rule, agent.site_id, agent.customer_id, at_ns=now_ns))
        work.storms[rule.name] = replace(storm, firing=False)


def _remind(work: Working, rulebook: Rulebook, *, now_ns: int) -> None:
    """Say again, once a minute, what goes on and was seen lately; forget what belongs to rules that are gone."""
    names = {rule.name for rule in rulebook.rules}
    for kept in (work.levels, work.probes, work.windows, work.storms, work.awaited, work.silent):
        for name in [name for name in kept if first_of(name) not in names]:
            del kept[name]
    for name in [name for name, level in work.levels.items() if level.over and now_ns - level.since_ns > OVER_NS]:
        del work.levels[name]
    if now_ns - work.reminded_ns < REMIND_NS:
        return
    firing = [level.signal for level in work.levels.values() if now_ns - level.last_ns <= FRESH_NS]
    firing += [streak.signal for streak in work.probes.values() if now_ns - streak.last_ns <= FRESH_NS]
    firing += [waiting.signal for waiting in work.awaited.values()]
    firing += list(work.silent.values())
    new = {signal.fault for signal in work.signals if signal.state is SignalState.FIRING}
    old = [signal for signal in firing if signal is not None and signal.fault not in new]
    if old:
        work.reminded_ns = now_ns
        work.signals += [replace(signal, repeats=True, count=0, at_ns=now_ns) for signal in old]
