"""What is read from the database at each scrape, as gauges.

All replicas on one database show the same values here; take the maximum over them, not the sum.
"""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Gauge

from sitewarden_collector.services.health import Facts, Local


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
        self._suspended = Gauge(
            "sitewarden_rules_suspended", "Rules that are out of force, at one site or everywhere.", registry=registry
        )

        self._unjoined = Gauge(
            "sitewarden_samples_unjoined_seconds",
            "Age of the oldest samples that are not joined to their hour.",
            registry=registry,
        )
        self._webhooks = Gauge(
            "sitewarden_webhook_messages", "Webhook messages by state.", ["state"], registry=registry
        )
        self._export_lag = Gauge(
            "sitewarden_export_lag_seconds",
            "All samples that arrived before that long ago were sent to the remote store; 0 where there is none.",
            registry=registry,
        )
        self._export = Gauge(
            "sitewarden_export_samples", "Samples by what became of sending them.", ["result"], registry=registry
        )
        self._agents = Gauge("sitewarden_agents", "Agents: known, and heard of lately.", ["state"], registry=registry)
        self._commands = Gauge(
            "sitewarden_commands_waiting", "Actions not handed to their agents yet.", registry=registry
        )
        self._size = Gauge("sitewarden_database_bytes", "Size of the database on its disk.", registry=registry)
        self._writer = Gauge("sitewarden_writer_waiting", "Writes that wait for the database.", registry=registry)
        self._in_line = Gauge("sitewarden_connects_waiting", "Agents that wait to be let in.", registry=registry)
        self._free = Gauge("sitewarden_free_bytes", "Free space where the data is.", registry=registry)
        self._authority = Gauge(
            "sitewarden_authority_days", "Days until the intermediate certificate ends.", registry=registry
        )

    def show(self, facts: Facts) -> None:
        self._readable.set(1)
        self._waiting.set(facts.spools_waiting)
        self._lag.set(facts.evaluation_lag_s)
        self._oldest.set(facts.oldest_notice_s)
        self._parked.set(facts.parked_evaluations)
        self._suspended.set(facts.suspended_rules)
        self._unjoined.set(facts.unjoined_s)
        self._agents.labels(state="known").set(facts.agents)
        self._agents.labels(state="heard").set(facts.agents_heard)
        self._commands.set(facts.commands_waiting)
        self._size.set(facts.database_bytes)
        self._export_lag.set(facts.export.lag_s if facts.export else 0.0)
        for result in ("sent", "refused", "lost"):
            self._export.labels(result=result).set(getattr(facts.export, result, 0))
        for state, count in facts.webhooks.items():
            self._webhooks.labels(state=state).set(count)
        for state, count in facts.notices.items():
            self._notices.labels(state=state).set(count)

    def show_nothing(self) -> None:
        """The database could not be read: say so instead of repeating old values."""
        self._readable.set(0)
        self._notices.clear()
        self._webhooks.clear()
        self._export.clear()
        unknown = (self._waiting, self._lag, self._oldest, self._parked, self._suspended, self._unjoined)
        for gauge in (*unknown, self._export_lag):
            gauge.set(math.nan)
        self._agents.clear()
        self._commands.set(math.nan)
        self._size.set(math.nan)

    def show_process(self, local: Local) -> None:
        """What only this process knows."""
        self._writer.set(local.writes_waiting)
        self._in_line.set(local.in_line)
        self._free.set(math.nan if local.free_bytes is None else local.free_bytes)
        self._authority.set(math.nan if local.authority_days is None else local.authority_days)
