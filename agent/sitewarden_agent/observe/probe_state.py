"""What a row of looks through one probe means: its state, when to tell it, and its samples.

Promises: a state turns red after the configured number of failures in a row and green after one success; a change of
state, or of how bad it is, is told at once, the state as it is once a minute, every look as a sample; nothing that was
seen is kept or told before it is redacted. Pure. Not here: looking (`probes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sitewarden_agent.config import Probe
from sitewarden_agent.config.probes import kind_of
from sitewarden_agent.model import ProbeResult, Series
from sitewarden_agent.observe.looks import Level, Look
from sitewarden_agent.observe.probes import target_of

REPEAT_NS = 60_000_000_000
_CERTIFICATE = "certificate_left_days"


class ProbeState:
    """What is known of one probe; `seen` folds a look into it."""

    def __init__(self, probe: Probe, redact: Callable[[str], str] = str) -> None:
        self.probe = probe
        self.ok: bool | None = None
        self.level: Level = ""
        self.failures = 0
        self.last: Look | None = None
        self._redact = redact
        self._target = redact(target_of(probe))
        self._told_ns = 0
        self._certificate: dict[Series, float] = {}

    def seen(self, found: Look, now_ns: int) -> ProbeResult | None:
        """The result to tell now: at a change of state, else once a minute. `now_ns` is monotonic."""
        self.last = found = replace(found, detail=self._redact(found.detail))
        self._certificate |= {series: value for series, value in found.values.items() if series.name == _CERTIFICATE}
        before = (self.ok, self.level)
        if found.ok:
            self.ok, self.level, self.failures = True, "", 0
        else:
            self.failures += 1
            if self.failures >= self.probe.failures_needed:
                self.ok, self.level = False, found.level
        if self.ok is None or ((self.ok, self.level) == before and now_ns - self._told_ns < REPEAT_NS):
            return None
        if self.ok and not found.ok:
            return None  # not red yet, and no longer worth calling green
        self._told_ns = now_ns
        return ProbeResult(
            probe=self.probe.name,
            kind=kind_of(self.probe),
            target=self._target,
            ok=self.ok,
            latency_us=found.duration_ns // 1_000,
            detail=found.detail,
            certificate_expires_ns=found.certificate_expires_ns,
            level=self.level,
        )

    def samples(self) -> dict[Series, float]:
        if self.last is None:
            return {}
        labels = (("probe", self.probe.name),)
        return {
            # A look that failed tells nothing of the certificate, but that has not changed.
            **self._certificate,
            **self.last.values,
            Series("probe_success", labels): float(self.last.ok),
            Series("probe_duration_seconds", labels, "seconds"): self.last.duration_ns / 1e9,
        }
