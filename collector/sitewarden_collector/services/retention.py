"""Forgetting in time: raw samples, observations, useless tokens. A ticket's evidence is a copy and stays with it; so do
the samples of its site that its page draws, until it is closed.

One step deletes a bounded number of rows, so that intake never waits long for it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_collector.config import Retention
from sitewarden_collector.services import privacy
from sitewarden_collector.store import (
    actions,
    api_tokens,
    attempts,
    changes,
    foreign_alerts,
    idempotency,
    lock,
    observations,
    sample_days,
    sample_hours,
    samples,
    sessions,
    tokens,
    web_sessions,
    webhooks,
)
from sitewarden_collector.store.kept_samples import Around

ROWS_PER_STEP = 2_000
USELESS_TOKEN_DAYS = 90
IDLE_SESSION_DAYS = 30  # what has ended by being idle may be shorter, and opens nothing
WEBHOOK_DAYS = 30  # messages that were delivered or given up
FOREIGN_DAYS = 30  # what other monitoring said of an alert and never again
CHANGES_DAYS = 2  # whoever was away longer starts anew
_DAY_NS = 86_400 * 1_000_000_000
AROUND_TICKETS = Around(before_ns=_DAY_NS * 3 // 4, after_ns=_DAY_NS // 4)  # the longest span on a ticket's page


def step(tx: Connection, policy: Retention, *, now_ns: int) -> int:
    """Delete what is past its time; how many rows. Call again while it is not 0."""
    if not lock.alone(tx, "retention"):
        return 0
    actions.expire(tx, now_ns=now_ns)
    sessions.forget_old(tx, before_ns=now_ns - _DAY_NS)
    changes.forget_old(tx, before_ns=now_ns - CHANGES_DAYS * _DAY_NS, limit=ROWS_PER_STEP)
    idempotency.forget_old(tx, now_ns=now_ns, limit=ROWS_PER_STEP)
    foreign_alerts.forget_old(tx, before_ns=now_ns - FOREIGN_DAYS * _DAY_NS, limit=ROWS_PER_STEP)
    webhooks.forget_old(tx, before_ns=now_ns - WEBHOOK_DAYS * _DAY_NS, limit=ROWS_PER_STEP)
    tokens.forget_old(tx, before_ns=now_ns - USELESS_TOKEN_DAYS * _DAY_NS)
    oldest_sample_ns = now_ns - int(policy.samples_days * _DAY_NS)
    oldest_ns = now_ns - int(policy.observations_days * _DAY_NS)
    api_tokens.forget_old(tx, before_ns=now_ns - USELESS_TOKEN_DAYS * _DAY_NS)
    attempts.forget_old(tx, before_ns=now_ns - _DAY_NS)
    web_sessions.forget_old(tx, now_ns=now_ns, idle_since_ns=now_ns - IDLE_SESSION_DAYS * _DAY_NS)
    privacy.expire(tx, policy, now_ns=now_ns)
    return (
        samples.forget_old(tx, before_ns=oldest_sample_ns, around=AROUND_TICKETS, limit=ROWS_PER_STEP)
        + sample_hours.forget_old(tx, before_ns=oldest_sample_ns, around=AROUND_TICKETS, limit=ROWS_PER_STEP)
        + sample_days.forget_old(tx, before_ns=now_ns - int(policy.rollups_days * _DAY_NS), limit=ROWS_PER_STEP)
        + observations.forget_old(tx, before_ns=oldest_ns, limit=ROWS_PER_STEP)
    )
