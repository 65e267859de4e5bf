"""How the collector is, in facts and in words.

`examine` reads the facts in one snapshot; `judge` turns them into sentences for whoever has to act. Not here: whether
the process runs at all (the server's business), and the health of agents, which are tickets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sitewarden_collector.store import evaluations, notices, sample_hours, spools, webhooks

EVALUATION_LAG_MAX_S = 120.0
NOTICE_WAIT_MAX_S = 120.0
UNJOINED_MAX_S = 6 * 3_600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Seconds are ages at the time of reading; 0 where nothing waits."""

    spools_waiting: int
    evaluation_lag_s: float
    notices: Mapping[str, int]  # by state, every state is there
    oldest_notice_s: float
    parked_evaluations: int = 0
    unjoined_s: float = 0.0  # age of the oldest samples that are not joined to their hour
    webhooks: Mapping[str, int] = field(default_factory=dict)  # messages by state


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failing` is what keeps the collector from its work; `attention` waits for an operator while the work goes on."""

    failing: tuple[str, ...]
    attention: tuple[str, ...]

    @property
    def status(self) -> str:
        return "failing" if self.failing else "attention" if self.attention else "ok"


def examine(tx: Connection, *, now_ns: int) -> Facts:
    """The facts as the database knows them now."""
    waiting, oldest_ns = spools.lag(tx)
    outbox = notices.summary(tx, now_ns=now_ns)
    return Facts(
        spools_waiting=waiting,
        evaluation_lag_s=_age_s(oldest_ns, now_ns=now_ns),
        notices={str(state): count for state, count in outbox.by_state.items()},
        oldest_notice_s=_age_s(outbox.oldest_due_ns, now_ns=now_ns),
        parked_evaluations=evaluations.parked_count(tx),
        unjoined_s=_age_s(sample_hours.oldest_waiting_ns(tx), now_ns=now_ns),
        webhooks=webhooks.unsent(tx),
    )


def judge(facts: Facts) -> Verdict:
    """What is wrong, each with what to do next."""
    failing, attention = [], []
    if facts.evaluation_lag_s > EVALUATION_LAG_MAX_S:
        failing.append(
            f"evaluation is {facts.evaluation_lag_s:.0f} s behind for {facts.spools_waiting} agents: nothing is lost, "
            "but tickets are late; look in the collector's log for a rule or a batch that fails, and at the load"
        )
    if facts.oldest_notice_s > NOTICE_WAIT_MAX_S:
        failing.append(
            f"a notice that is due has been waiting for {facts.oldest_notice_s:.0f} s: see `sitewarden notice list "
            "--state pending`, and look in the collector's log for its channel"
        )
    if parked := facts.notices.get("parked", 0):
        attention.append(
            f"{parked} notices could not be sent to anybody: see `sitewarden notice list --state parked`, mend the "
            "channel, then `sitewarden notice retry ID`"
        )
    if parked := facts.parked_evaluations:
        attention.append(
            f"{parked} evaluations are parked: rules or batches that failed, while the others go on; see `sitewarden "
            "rules parked`, mend the rule or update, then `sitewarden rules retry --all`"
        )
    if facts.unjoined_s > UNJOINED_MAX_S:
        attention.append(
            f"samples of {facts.unjoined_s / 3_600:.0f} h ago are not joined to their hours: charts of long spans lag "
            "and the database grows faster; look in the collector's log for compaction, and at parked evaluations, "
            "whose samples it leaves alone"
        )
    if parked := facts.webhooks.get("parked", 0):
        attention.append(
            f"{parked} webhook messages were given up: see `sitewarden webhook deliveries`, mend the "
            "receiver, then `sitewarden webhook retry NUMBER`"
        )
    return Verdict(failing=tuple(failing), attention=tuple(attention))


def _age_s(since_ns: int | None, *, now_ns: int) -> float:
    return max(0.0, (now_ns - since_ns) / 1e9) if since_ns else 0.0
