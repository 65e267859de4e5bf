"""The policy of triage and assessment, as the configuration has it."""

from __future__ import annotations

from sitewarden_alerting.model import Policy
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.config import Config
from sitewarden_collector.services.notifying import people

DAY_S = 86_400.0


def policy_of(config: Config) -> Policy:
    """What triage and assessment go by."""
    triage = config.triage
    return Policy(
        on_call=people(config.on_call),
        page_severity=int(Severity[triage.page_severity.upper()]),
        reopen_window_s=triage.reopen_days * DAY_S,
        quiet_s=triage.recovery_quiet_s,
        still_firing_s=triage.still_firing_s,
        flap_window_s=triage.flap_window_s,
        flap_count=triage.flap_count,
    )
