"""What is read from the database at each scrape, as gauges.

All replicas on one database show the same values here; take the maximum over them, not the sum.
"""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Gauge

from sitewarden_collector.services.health import Facts


class Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._readable = Gauge("sitewarden_database_readable", "1 when the database could be read.", registry=registry)
        self._waiting = Gauge(
            "sitewarden_evaluation_waiting_spools", "Agents with observations not evaluated yet.", registry=registry
        )
        self._lag = Gauge(
            "sitewarden_evaluation_lag_seconds", "Age of the oldest batch not evaluated yet.", registry=registry
        )
        self._notices = Gauge("sitewarden_notices", "Notices by state.", ["state"], registry=registry)
        self._oldest = Gauge(
            "sitewarden_notice_oldest_due_seconds", "How long the oldest notice that is due waits.", registry=registry
        )

        self._parked = Gauge(
            "sitewarden_evaluation_parked", "Batches and rules that could not be evaluated.", registry=registry
        )

        self._unjoined = Gauge(
            "sitewarden_samples_unjoined_seconds",
            "Age of the oldest samples that are not joined to their hour.",
            registry=registry,
        )
        self._webhooks = Gauge(
            "sitewarden_webhook_messages", "Webhook messages by state.", ["state"], registry=registry
        )
        self._writer = Gauge("sitewarden_writer_waiting", "Writes that wait for the database.", registry=registry)

    def show(self, facts: Facts, *, writes_waiting: int) -> None:
        self._readable.set(1)
        self._waiting.set(facts.spools_waiting)
        self._lag.set(facts.evaluation_lag_s)
        self._oldest.set(facts.oldest_notice_s)
        self._parked.set(facts.parked_evaluations)
        self._unjoined.set(facts.unjoined_s)
        self._writer.set(writes_waiting)
        for state, count in facts.webhooks.items():
            self._webhooks.labels(state=state).set(count)
        for state, count in facts.notices.items():
            self._notices.labels(state=state).set(count)

    def show_nothing(self) -> None:
        """The database could not be read: say so instead of repeating old values."""
        self._readable.set(0)
        self._notices.clear()
        self._webhooks.clear()
        for gauge in (self._waiting, self._lag, self._oldest, self._parked, self._unjoined):
            gauge.set(math.nan)
