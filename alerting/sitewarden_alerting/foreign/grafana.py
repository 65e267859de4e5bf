"""Grafana's unified alerting: Alertmanager's payload under another version, with more to it.

    {"receiver", "status", "orgId", "alerts": [{... as Alertmanager's ..., "silenceURL", "dashboardURL", "panelURL",
     "values", "valueString"}], "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "version": "1",
     "groupKey", "truncatedAlerts", "title", "state", "message"}

Where a rule's query fails or finds nothing, the alert is called DatasourceError or DatasourceNoData and the rule's name
stands in the label `rulename`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sitewarden_alerting.foreign import alertmanager
from sitewarden_alerting.foreign.alerts import Read, Unreadable

SOURCE = "grafana"


def read(payload: object) -> Read:
    """The alerts of a payload; raises Unreadable."""
    if isinstance(payload, Mapping) and "alerts" not in payload and "ruleName" in payload:
        raise Unreadable("this is the payload of Grafana's old alerting; use a contact point of unified alerting")
    return alertmanager.read(payload, source=SOURCE)
