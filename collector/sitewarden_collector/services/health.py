"""How the collector is, in facts and in words.

`examine` reads the facts in one snapshot; `Local` is what only the running process knows; `judge` turns both into
sentences for whoever has to act. Not here: whether the process runs at all (the server's business), and the health of
agents, which are tickets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sitewarden_collector.store import (
    evaluations,
    export_cursors,
    notices,
    sample_hours,
    spools,
    suspensions,
    vitals,
    webhooks,
)

EVALUATION_LAG_MAX_S = 120.0
NOTICE_WAIT_MAX_S = 120.0
UNJOINED_MAX_S = 6 * 3_600.0
EXPORT_LAG_MAX_S = 900.0
HEARD_WITHIN_NS = 150 * 1_000_000_000  # five heartbeats
UNHEARD_SHARE, UNHEARD_MIN = 0.2, 5
FREE_LOW, FREE_LAST = 2 * 2**30, 200 * 2**20
WRITES_MANY = 1_000
FILES_SHARE = 0.8
AUTHORITY_DAYS = 180


@dataclass(frozen=True, slots=True)
class Facts:
    """Seconds are ages at the time of reading; 0 where nothing waits."""

    spools_waiting: int
    evaluation_lag_s: float
    notices: Mapping[str, int]  # by state, every state is there
    oldest_notice_s: float
    parked_evaluations: int = 0
    suspended_rules: int = 0
    unjoined_s: float = 0.0  # age of the oldest samples that are not joined to their hour
    webhooks: Mapping[str, int] = field(default_factory=dict)  # messages by state
    export: export_cursors.Standing | None = None  # how sending to a remote store stands; None: never was on
    agents: int = 0  # that should be heard
    agents_heard: int = 0  # of these, lately, by any collector of this database
    commands_waiting: int = 0  # for agents that were not there yet
    database_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Local:
    """What only this process knows of itself; of one that does not run, nothing."""

    streams: Mapping[str, int] = field(default_factory=dict)  # open, by road
    in_line: int = 0  # agents that wait at the door
    sent_away: int = 0  # how often an agent was asked to come back a little later
    writes_waiting: int = 0
    free_bytes: int | None = None  # where the data is
    files_open: int = 0
    files_max: int = 0  # 0: not bounded
    authority_days: int | None = None  # until the intermediate certificate ends


_NOTHING = Local()


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
    known, heard = vitals.listened(tx, since_ns=now_ns - HEARD_WITHIN_NS)
    return Facts(
        spools_waiting=waiting,
        evaluation_lag_s=_age_s(oldest_ns, now_ns=now_ns),
        notices={str(state): count for state, count in outbox.by_state.items()},
        oldest_notice_s=_age_s(outbox.oldest_due_ns, now_ns=now_ns),
        parked_evaluations=evaluations.parked_count(tx),
        suspended_rules=len({one.rule for one in suspensions.every(tx)}),
        unjoined_s=_age_s(sample_hours.oldest_waiting_ns(tx), now_ns=now_ns),
        webhooks=webhooks.unsent(tx),
        export=export_cursors.standing(tx, now_ns=now_ns),
        agents=known,
        agents_heard=heard,
        commands_waiting=vitals.commands_waiting(tx),
        database_bytes=vitals.size_bytes(tx),
    )


def judge(facts: Facts, local: Local = _NOTHING) -> Verdict:
    """What is wrong, each with what to do next."""
    failing, attention = _of_this_process(local)
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
    if suspended := facts.suspended_rules:
        attention.append(
            f"{suspended} rules are out of force because they failed or took too long: see `sitewarden rules "
            "suspended`, mend them, then `sitewarden rules resume NAME`"
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
    if facts.export is not None and facts.export.active:
        attention += _of_export(facts.export)
    unheard = facts.agents - facts.agents_heard
    if unheard >= UNHEARD_MIN and unheard > UNHEARD_SHARE * facts.agents:
        attention.append(
            f"{unheard} of {facts.agents} agents were not heard of lately: look at the network before the collector, "
            "and at what it refuses; `sitewarden site list` names them"
        )
    return Verdict(failing=tuple(failing), attention=tuple(attention))


def _of_export(export: export_cursors.Standing) -> list[str]:
    """What is wrong with sending samples to a remote store."""
    said = []
    if export.lag_s > EXPORT_LAG_MAX_S:
        said.append(
            f"samples reach the remote store {export.lag_s:.0f} s late ({export.error or 'it takes them too slowly'}): "
            "nothing is lost while they are kept here (retention.samples_days); see `sitewarden export status`"
        )
    if export.given_up_lately:
        said.append(
            f"the remote store did not get {export.refused + export.lost} samples so far, some of them within a day: "
            f"{export.refused} it refused for good ({export.why or 'nothing said'}), among them any that were sent "
            f"twice, and {export.lost} were no longer kept here when it was their turn; a store that takes late "
            "samples (Prometheus: out_of_order_time_window) refuses less; see `sitewarden export status`"
        )
    return said


def _of_this_process(local: Local) -> tuple[list[str], list[str]]:
    """The same for what only the process knows."""
    failing, attention = [], []
    free = local.free_bytes
    if free is not None and free < FREE_LAST:
        failing.append(
            f"only {free / 2**20:.0f} MiB are free where the data is: when it is full no batch is taken any more; free "
            "space there now, or move data_dir to a larger disk"
        )
    elif free is not None and free < FREE_LOW:
        attention.append(
            f"{free / 2**20:.0f} MiB are free where the data is: free space there, move data_dir to a larger disk, or "
            "keep less ([retention])"
        )
    if local.writes_waiting > WRITES_MANY:
        attention.append(
            f"{local.writes_waiting} writes wait for the database: acknowledgements are late; this machine or its disk "
            "is too small for its agents, `sitewarden simulate` tells what it carries"
        )
    if local.files_max and local.files_open > FILES_SHARE * local.files_max:
        attention.append(
            f"{local.files_open} of {local.files_max} files are open: soon no further agent can connect; raise the "
            "limit (LimitNOFILE of the service, or ulimit -n), then restart"
        )
    if local.authority_days is not None and local.authority_days < AUTHORITY_DAYS:
        attention.append(
            f"the intermediate certificate ends in {local.authority_days} days, and with it every agent's: plan a new "
            "authority"
        )
    return failing, attention


def _age_s(since_ns: int | None, *, now_ns: int) -> float:
    return max(0.0, (now_ns - since_ns) / 1e9) if since_ns else 0.0
