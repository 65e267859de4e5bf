"""Assessment: from series to risk warnings.

`examine` reads, site by site, how full folders and disks have been: the last hour from sample blocks, the weeks before
from an hourly trail; and which certificates probes have seen. `record` writes what that means: risks raised, kept and
lowered, notices, the trail. `step` is both in one transaction; a shell may run `examine` on a reader instead, so that
the writer is not held up. Sites take turns: those that wait longest come first.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from sitewarden_alerting import assess, routing
from sitewarden_alerting.assess import Expiring, Filling
from sitewarden_alerting.decisions import LowerRisk, NotifyRisk, RaiseRisk, RiskDecision
from sitewarden_alerting.model import DAY_NS, HOUR_NS, SECOND_NS, Policy, Risk
from sitewarden_alerting.observations import Series
from sitewarden_alerting.wording import cut
from sitewarden_collector.services import roster, webhooks
from sitewarden_collector.store import agents, changes, evaluations, lock, notices, risks, samples, tickets, tracks
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import next_number
from sitewarden_collector.store.risks import Hour
from sitewarden_collector.store.samples import Last

SITES_PER_STEP = 1  # reading holds up whatever else this process does: little at a time, and often
INTERVAL_NS = 4 * SECOND_NS  # a site's next turn is not before that
QUIET_NS = 600 * SECOND_NS  # nor before that, when none of its agents was heard of since the last one
RECENT_NS = HOUR_NS
TRAIL_NS = 30 * DAY_NS
BYTES_MAX = 2.0**63  # what is more, or infinite, is no size: an agent may send any number
SEEN_NS = DAY_NS  # a certificate that no probe saw for that long is not looked at any more

_log = logging.getLogger("sitewarden.assessment")


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found at one site: risks by subject, for every subject that there are data of; their last hour."""

    site_id: str
    agents: frozenset[str]
    fresh: frozenset[str]  # agents that sent samples lately
    found: Mapping[str, Risk | None]
    hours: Mapping[str, Hour]

    def is_gone(self, subject: str) -> bool:
        """Whether a subject without data is there no more: its agent is gone, or goes on and speaks of other things.

        A silent site says nothing of its disks: their risks stay as they are.
        """
        agent_id = subject.split("|")[1]
        return agent_id not in self.agents or agent_id in self.fresh


def step(tx: Connection, policy: Policy, *, now_ns: int) -> int:
    """Assess the sites whose turn it is; how many. Call again while it is not 0."""
    return record(tx, examine(tx, policy, now_ns=now_ns), policy, now_ns=now_ns)


def examine(tx: Connection, policy: Policy, *, now_ns: int, limit: int = SITES_PER_STEP) -> list[Examined]:
    """Look at the sites whose turn it is. Reads only."""
    due = risks.due_sites(tx, before_ns=now_ns - INTERVAL_NS, quiet_ns=now_ns - QUIET_NS, limit=limit)
    return [_examine_or_pass(tx, site_id, policy, now_ns=now_ns) for site_id in due]


def record(tx: Connection, examined: Sequence[Examined], policy: Policy, *, now_ns: int) -> int:
    """Write what `examined` means for the register; how many sites that were."""
    if not examined or not lock.alone(tx, "assessment"):
        return 0
    active = risks.active_of(tx, [one.site_id for one in examined])
    for one in examined:
        mine = {subject: risk for (site_id, subject), risk in active.items() if site_id == one.site_id}
        gone = {subject: None for subject in mine if one.is_gone(subject)}
        for subject, found in {**gone, **one.found}.items():
            risk = mine.get(subject)
            for decision in assess.decide(risk, found, policy.risk, now_ns=now_ns):
                risk = _apply(tx, decision, risk, policy, now_ns=now_ns)
        for subject, hour in one.hours.items():
            risks.add_trail(tx, one.site_id, subject, hour=hour)
        risks.mark_assessed(tx, one.site_id, now_ns=now_ns)
    risks.forget_trail(tx, before_ns=now_ns - TRAIL_NS)
    return len(examined)


# -- looking ---------------------------------------------------------------------------------------------------------


def _examine_or_pass(tx: Connection, site_id: str, policy: Policy, *, now_ns: int) -> Examined:
    """What is found at a site. One that cannot be examined keeps its risks and must not stop the others."""
    try:
        return _examine_site(tx, site_id, policy, now_ns=now_ns)
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001  whatever it is: one site must not stop the others
        _log.exception("site %s cannot be assessed; its risks stay as they are", site_id)
        agent_ids = frozenset(agent.id for agent in agents.of_site(tx, site_id))
        return Examined(site_id, agent_ids, frozenset(), {}, {})


def _examine_site(tx: Connection, site_id: str, policy: Policy, *, now_ns: int) -> Examined:
    here = {agent.id: agent for agent in agents.of_site(tx, site_id) if agent.state == "active"}
    trail = risks.trail_of(tx, site_id, before_ns=now_ns - RECENT_NS)
    found: dict[str, Risk | None] = {}
    hours: dict[str, Hour] = {}
    standing = risks.subjects_of(tx, site_id)
    hour_ns = now_ns // HOUR_NS * HOUR_NS
    last = samples.last(tx, site_id=site_id)
    for filling in _fillings(tx, site_id, here, last, now_ns=now_ns):
        subject = assess.filling_subject(filling)
        hours[subject] = Hour(hour_ns, min(filling.used), max(filling.used))
        whole = _with_trail(filling, trail.get(subject, ()))
        found[subject] = assess.full(whole, policy.risk, now_ns=now_ns, standing=subject in standing)
    for expiring in _expiring(tx, site_id, here, now_ns=now_ns):
        found[assess.expiring_subject(expiring)] = assess.certificate(expiring, policy.risk, now_ns=now_ns)
    fresh = {one.agent_id for one in last if one.at_ns >= now_ns - RECENT_NS}
    return Examined(site_id, frozenset(here), frozenset(fresh), found, hours)


def _fillings(
    tx: Connection, site_id: str, here: Mapping[str, Agent], lately: Sequence[Last], *, now_ns: int
) -> list[Filling]:
    last: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = defaultdict(dict)
    for one in lately:
        last[one.series.name][one.agent_id, one.series.labels] = one.number
    fillings = []
    wanted: tuple[tuple[str, str, Literal["folder_full", "filesystem_full"]], ...] = (
        ("folder_used_bytes", "folder_limit_bytes", "folder_full"),
        ("filesystem_avail_bytes", "filesystem_size_bytes", "filesystem_full"),
    )
    for name, limit_name, kind in wanted:
        if name not in last or limit_name not in last:
            continue
        for track in tracks.series(tx, site_id, name, now_ns - RECENT_NS, until_ns=now_ns):
            agent = here.get(track.agent_id)
            limit = last[limit_name].get((track.agent_id, track.series.labels))
            if agent is None or limit is None or not 0 < limit <= BYTES_MAX:
                continue
            sizes = [(at_ns, n) for at_ns, n in zip(track.times_ns, track.numbers, strict=True) if 0 <= n <= BYTES_MAX]
            if not sizes:
                continue
            times_ns, numbers = zip(*sizes, strict=True)
            used = numbers if kind == "folder_full" else tuple(limit - free for free in numbers)
            fillings.append(
                Filling(
                    site_id=site_id,
                    customer_id=agent.customer_id,
                    agent_id=agent.id,
                    hostname=agent.hostname,
                    kind=kind,
                    subject=_called(track.series),
                    limit=limit,
                    times_ns=times_ns,
                    used=used,
                )
            )
    return fillings


def _called(series: Series) -> str:
    """What people call the folder or disk: its path, and its name where it has one."""
    labels = dict(series.labels)
    path = next((labels[name] for name in ("path", "mountpoint", "mount") if labels.get(name)), "")
    name = next((labels[name] for name in ("folder", "name") if labels.get(name)), "")
    if path and name and name != path:
        return f"{path} ({name})"
    return path or name or ", ".join(value for _, value in series.labels) or series.name


def _with_trail(filling: Filling, trail: Sequence[Hour]) -> Filling:
    """The hours before the first sample, each with its lowest and its highest level, and then the samples."""
    first_ns = filling.times_ns[0]
    hours = [(hour.at_ns - HOUR_NS // 2, hour.low, hour.at_ns, hour.high) for hour in trail if hour.at_ns < first_ns]
    older = [point for at_ns, low, end_ns, high in hours for point in ((at_ns, low), (end_ns, high))]
    return replace(
        filling,
        times_ns=(*(at_ns for at_ns, _ in older), *filling.times_ns),
        used=(*(used for _, used in older), *filling.used),
    )


def _expiring(tx: Connection, site_id: str, here: Mapping[str, Agent], *, now_ns: int) -> list[Expiring]:
    found = []
    for name, certificate in evaluations.peek(tx, site_id).certificates.items():
        if now_ns - certificate.seen_ns > SEEN_NS:
            continue  # its probe is gone
        agent_id, _, probe = name.partition("|")
        if (agent := here.get(agent_id)) is not None:
            found.append(
                Expiring(
                    site_id=site_id,
                    customer_id=agent.customer_id,
                    agent_id=agent_id,
                    hostname=certificate.hostname,
                    probe=probe,
                    target=certificate.target,
                    expires_ns=certificate.expires_ns,
                )
            )
    return found


# -- writing ---------------------------------------------------------------------------------------------------------


def _apply(tx: Connection, decision: RiskDecision, before: Risk | None, policy: Policy, *, now_ns: int) -> Risk:
    risk = decision.risk
    match decision:
        case RaiseRisk():
            risk = replace(risk, id=new_id(), number=next_number(tx, "RSK"))
            risks.save(tx, risk, new=True)
            _announce(tx, "risk.raise", risk, now_ns=now_ns)
        case NotifyRisk():
            assert before is not None, "a risk is raised before it is told"
            risk = before
            _tell(tx, risk, decision, policy, now_ns=now_ns)
        case LowerRisk():
            risks.save(tx, risk, new=False)
            _announce(tx, "risk.lower", risk, now_ns=now_ns)
        case _:
            risks.save(tx, risk, new=False)
            if before is not None and before.score != risk.score:
                _announce(tx, "risk.change", risk, now_ns=now_ns)
    return risk


def _announce(tx: Connection, event: str, risk: Risk, *, now_ns: int) -> None:
    what = f"{event.removeprefix('risk.')}_risk"
    changes.note(tx, "risk", risk.id, what=what, customer_id=risk.customer_id, now_ns=now_ns)
    said = {
        "number": risk.number,
        "kind": risk.kind,
        "title": risk.title,
        "text": risk.text,
        "score": risk.score,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "response": risk.response,
        "site_id": risk.site_id,
        "customer_id": risk.customer_id,
    }
    webhooks.announce(tx, event, {"risk": said}, ref=risk.number, customer_id=risk.customer_id, now_ns=now_ns)


def _tell(tx: Connection, risk: Risk, decision: NotifyRisk, policy: Policy, *, now_ns: int) -> None:
    line = roster.line(tx, risk.customer_id, at_ns=now_ns, fallback=policy.on_call)
    route = routing.first(line.as_persons(), "risk")
    if route is None:
        return
    site, customer = tickets.names(tx, risk.site_id)
    factors = "\n".join(f"  {factor.weight:+d}  {factor.name}: {factor.text}" for factor in risk.factors)
    notices.add(
        tx,
        kind="risk",
        person=route.person,
        channel=route.channel,
        address=line.address(route.person, route.channel),
        not_before_ns=roster.quiet_until(line.known.get(route.person), now_ns=now_ns),
        subject=cut(f"[{risk.number}] {site}: {risk.title}", 200),
        body=f"{risk.text}.\nAt {site} ({customer}).\n\n"
        f"Likelihood {risk.likelihood} x impact {risk.impact} = {risk.score}:\n{factors}\n"
        f"To do: {risk.response}.\n\nLook:  sitewarden risk list",
        risk_id=risk.id,
        urgency=route.urgency,
        now_ns=now_ns,
        dedup_key=f"{risk.id}:{decision.occasion}",
    )
