"""What the collector tells about itself: metrics for Prometheus, and logs as JSON lines.

Every counter is declared here, once; what is read from the
database at a scrape is declared in `http_api.gauges`. Logs carry what was given as `extra`; secrets are never given.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class Telemetry:
    """The metrics of one collector, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # processor, memory, descriptors, since when it runs
        self.batches = Counter(
            "sitewarden_intake_batches", "Batches by what became of them", ["result"], registry=self.registry
        )
        self.observations = Counter("sitewarden_intake_observations", "Observations stored", registry=self.registry)
        self.batch_bytes = Counter("sitewarden_intake_bytes", "Bytes of batches as received", registry=self.registry)
        self.sample_bytes = Counter(
            "sitewarden_intake_sample_bytes", "Bytes of sample blocks stored", registry=self.registry
        )
        self.ack_seconds = Histogram(
            "sitewarden_intake_ack_seconds",
            "From a batch read to its acknowledgement written",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=self.registry,
        )
        self.refusals = Counter(
            "sitewarden_refusals", "Refusals by reason and road", ["road", "reason"], registry=self.registry
        )
        self.connects = Counter(
            "sitewarden_connects", "Sessions: let in at once, in line, or asked later", ["how"], registry=self.registry
        )
        self.streams = Gauge("sitewarden_streams", "Open streams", ["road"], registry=self.registry)
        self.enrolments = Counter(
            "sitewarden_certificates_issued", "Certificates issued", ["kind"], registry=self.registry
        )
        self.evaluation_seconds = Histogram(
            "sitewarden_evaluation_step_seconds", "Time of one evaluation step", registry=self.registry
        )
        self.notices_settled = Counter(
            "sitewarden_notices_settled", "Attempts to send a notice", ["channel", "result"], registry=self.registry
        )
        self.leads = Gauge(
            "sitewarden_leads", "1 in the process that does what must be done once", registry=self.registry
        )


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what was given as extra, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to(stream: TextIO = sys.stderr, *, level: int = logging.INFO) -> logging.Handler:
    """Write the collector's logs to `stream`; the handler can be removed again."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("sitewarden")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    return handler


def log_as(number: int) -> None:
    """Let every line of this process's logs say which of several processes it is."""

    def numbered(record: logging.LogRecord) -> bool:
        record.number = number
        return True

    for handler in logging.getLogger("sitewarden").handlers:
        handler.addFilter(numbered)
