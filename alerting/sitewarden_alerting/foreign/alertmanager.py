"""Prometheus Alertmanager's webhook, version 4 of its payload.

    {"version": "4", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
     "commonAnnotations", "externalURL", "alerts": [{"status", "labels", "annotations", "startsAt", "endsAt",
     "generatorURL", "fingerprint"}]}

A group is sent whole each time something in it changes, with what goes on and what is over. An alert's fingerprint is
that of its labels; `startsAt` stays as long as it fires and is new when it fires again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sitewarden_alerting.foreign import moments, severities
from sitewarden_alerting.foreign.alerts import ALERTS_MAX, Alert, Read, Unreadable, labels_of, line, text

SOURCE = "alertmanager"
COMPLAINTS_MAX = 10


def read(payload: object, *, source: str = SOURCE) -> Read:
    """The alerts of a payload; raises Unreadable."""
    if not isinstance(payload, Mapping) or not isinstance(payload.get("alerts"), list):
        raise Unreadable("this is no webhook of Alertmanager: it needs a list `alerts`")
    version = payload.get("version", "4")
    if source == SOURCE and version != "4":
        raise Unreadable(f"version {line(version, 20)} of Alertmanager's payload is not known, only 4")
    given = payload["alerts"]
    cut_off = payload.get("truncatedAlerts", 0)
    found: list[Alert] = []
    complaints: list[str] = []
    for i, one in enumerate(given[:ALERTS_MAX]):
        try:
            found.append(_alert(one, source))
        except Unreadable as error:
            if len(complaints) < COMPLAINTS_MAX:
                complaints.append(f"alerts[{i}]: {error}")
    left_out = max(0, cut_off) if isinstance(cut_off, int) else 0
    return Read(tuple(found), left_out + max(0, len(given) - ALERTS_MAX), tuple(complaints))


def _alert(one: object, source: str) -> Alert:
    if not isinstance(one, Mapping):
        raise Unreadable("is no object")
    labels = labels_of(one.get("labels"))
    if not labels:
        raise Unreadable("has no labels, so it cannot be told from others")
    status = one.get("status")
    if status not in ("firing", "resolved"):
        raise Unreadable(f"its status is {line(status, 20)}, neither firing nor resolved")
    annotations = labels_of(one.get("annotations"))
    started_ns = moments.nanoseconds(one.get("startsAt"))
    # Grafana names the rule whose query failed beside its own name for that.
    name = labels.get("rulename") or labels.get("alertname") or "alert"
    summary = annotations.get("summary") or annotations.get("title") or ""
    return Alert(
        source=source,
        identity=_identity(one.get("fingerprint"), labels),
        episode=started_ns or 0,
        firing=status == "firing",
        severity=severities.named(labels.get("severity") or labels.get("priority") or ""),
        title=line(f"{name}: {summary}" if summary else name),
        text=_text(one, labels),
        started_ns=started_ns,
        ended_ns=moments.nanoseconds(one.get("endsAt")),
        host=(labels.get("instance") or labels.get("host") or labels.get("node") or "")[:200],
        labels=labels,
    )


def _identity(fingerprint: object, labels: Mapping[str, str]) -> str:
    if isinstance(fingerprint, str) and 0 < len(fingerprint) <= 64 and fingerprint.isalnum():
        return fingerprint
    return sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16]


def _text(one: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    annotations = one.get("annotations")
    said = annotations if isinstance(annotations, Mapping) else {}
    parts = [str(said.get(name, "")) for name in ("description", "message", "runbook_url") if said.get(name)]
    if isinstance(one.get("valueString"), str):  # Grafana's
        parts.append(one["valueString"])
    parts.append(" ".join(f"{name}={value}" for name, value in sorted(labels.items())))
    for name in ("generatorURL", "dashboardURL", "panelURL"):
        if isinstance(one.get(name), str) and one[name].startswith(("http://", "https://")):
            parts.append(one[name])
    return text("\n".join(parts))
