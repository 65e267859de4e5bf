"""Zabbix: the parameters of a media type of kind webhook, posted as one JSON object.

Zabbix has no payload of its own; `deploy/collector/zabbix-media-type.yaml` is a media type whose parameters are named
as in those that Zabbix ships:

    event_source "0"            a trigger's; also 3 internal and 4 service, which recover as well
    event_value "1" or "0"      a problem, or its recovery
    event_update_status "0"/"1" an update (an acknowledgement, a comment) of either
    event_id, trigger_id, event_name, event_nseverity "0".."5", event_severity, event_opdata, event_tags (JSON)
    host_name, host_ip, event_date, event_time, alert_message, zabbix_url, site

Macros that Zabbix could not fill stay as they are written, or become *UNKNOWN*: both are as good as nothing. A recovery
carries the id of the problem's event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sitewarden_alerting.foreign import severities
from sitewarden_alerting.foreign.alerts import LABELS_MAX, Alert, Read, Unreadable, labels_of, line, text
from sitewarden_alerting.reading.severity import Severity

SOURCE = "zabbix"
RECOVERING = ("0", "3", "4")
_UNFILLED = re.compile(r"\{[A-Z][A-Z0-9_.$<>\[\]\"']*\}|\*UNKNOWN\*|\*UNDEFINED\*")
_BY_NUMBER = {
    "0": Severity.INFO,  # not classified
    "1": Severity.INFO,
    "2": Severity.WARNING,
    "3": Severity.ERROR,  # average
    "4": Severity.ERROR,  # high
    "5": Severity.CRITICAL,  # disaster
}


def read(payload: object) -> Read:
    """The alert of a payload; raises Unreadable."""
    if not isinstance(payload, Mapping):
        raise Unreadable("this is no webhook of Zabbix: it needs an object with the parameters of the media type")
    given = {str(name): _filled(value) for name, value in list(payload.items())[: 2 * LABELS_MAX]}
    value, source = given.get("event_value", ""), given.get("event_source", "") or "0"
    if value not in ("0", "1"):
        raise Unreadable(f"event_value is {value or 'missing'}: it is 1 for a problem and 0 for its recovery")
    if source not in RECOVERING:
        raise Unreadable(f"event_source {source} never recovers; send events of triggers, services or internal ones")
    event_id = given.get("event_id", "")
    if not event_id.isascii() or not event_id.isdigit() or len(event_id) > 18:
        raise Unreadable(f"event_id is {event_id or 'missing'}: give the macro {{EVENT.ID}}, a number")
    host = given.get("host_name", "") or given.get("host_host", "")
    what = given.get("trigger_id", "") or given.get("event_name", "") or event_id
    name = given.get("event_name", "") or given.get("alert_subject", "") or f"trigger {what}"
    return Read(
        (
            Alert(
                source=SOURCE,
                identity=line(f"{what}|{host}", 150),
                episode=int(event_id),
                firing=value == "1",
                severity=_severity(given),
                title=line(f"{name} on {host}" if host and host not in name else name),
                text=_text(given),
                host=line(host),
                labels=_labels(payload, given, host),
            ),
        )
    )


def _filled(value: object) -> str:
    said = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    said = said.strip()
    return "" if _UNFILLED.fullmatch(said) else said


def _severity(given: Mapping[str, str]) -> int:
    number = given.get("event_nseverity", "")
    return int(_BY_NUMBER[number]) if number in _BY_NUMBER else severities.named(given.get("event_severity", ""))


def _text(given: Mapping[str, str]) -> str:
    names = ("alert_message", "event_opdata", "event_tags", "host_ip", "zabbix_url")
    return text("\n".join(given[name] for name in names if given.get(name)))


def _labels(payload: Mapping[str, object], given: Mapping[str, str], host: str) -> dict[str, str]:
    """The event's tags, and beside them the parameters themselves."""
    tags: object = payload.get("event_tags")
    if isinstance(tags, str):
        try:
            tags = json.loads(tags)
        except (ValueError, RecursionError):
            tags = []
    found: dict[str, str] = {}
    for one in tags[:LABELS_MAX] if isinstance(tags, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("tag"), str):
            found[line(one["tag"])] = line(one.get("value", ""))
    return (
        found
        | labels_of({name: value for name, value in given.items() if value and name in ("site", "customer")})
        | ({"host": line(host)} if host else {})
    )
