"""What an alert of other monitoring is, whoever sent it, and what it means against what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sitewarden_alerting.identity import key
from sitewarden_alerting.model import HOUR_NS, Evidence, Signal, SignalKind, SignalState
from sitewarden_alerting.reading import plain

ALERTS_MAX = 20_000  # of one payload
LABELS_MAX = 64
TITLE_CHARS = 200
TEXT_CHARS = 3000
LABEL_CHARS = 200
EARLIER_NS = HOUR_NS  # an alert that began longer ago than this counts from its arrival less this


class Unreadable(ValueError):
    """This is not the payload that was expected; the message says what is."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `episode` grows each time it begins anew: repeats of one episode are the same news."""

    source: str  # alertmanager, grafana, zabbix
    identity: str
    episode: int
    firing: bool
    severity: int
    title: str
    text: str
    started_ns: int | None = None
    ended_ns: int | None = None
    host: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """What a payload holds. `left_out` were not sent, or were too many; `complaints` say what could not be read."""

    alerts: tuple[Alert, ...]
    left_out: int = 0
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What was heard of an alert last."""

    episode: int
    firing: bool


class News(StrEnum):
    BEGINS = "begins"
    GOES_ON = "goes_on"
    ENDS = "ends"
    NOTHING = "nothing"  # told already, or overtaken by what came later


def follow(alert: Alert, known: Known | None) -> News:
    """What an alert tells that was not known."""
    if known is None:
        return News.BEGINS if alert.firing else News.NOTHING
    if alert.episode < known.episode:
        return News.NOTHING
    if alert.firing:
        if alert.episode > known.episode:
            return News.BEGINS
        return News.GOES_ON if known.firing else News.NOTHING
    return News.ENDS if known.firing else News.NOTHING


def signal(
    alert: Alert, news: News, *, site_id: str, customer_id: str, now_ns: int, in_storm: bool = False
) -> Signal | None:
    """The signal that news of an alert is; None when there is none. An alert that goes on counts no event, and opens a
    ticket only where there is none for it any more. In a storm of its source the storm's ticket counts it."""
    if news is News.NOTHING or (news is News.GOES_ON and in_storm):
        return None
    said = alert.ended_ns if news is News.ENDS else alert.started_ns
    at_ns = now_ns if said is None or news is News.GOES_ON else min(max(said, now_ns - EARLIER_NS), now_ns)
    seen = Evidence("", alert.source, 0, 0, at_ns, alert.host, f"{alert.title}\n{alert.text}".strip())
    return Signal(
        rule=alert.source,
        kind=SignalKind.ALERT,
        site_id=site_id,
        customer_id=customer_id,
        fault=fault(alert),
        subject=alert.title,
        state=SignalState.RECOVERED if news is News.ENDS else SignalState.FIRING,
        severity=alert.severity,
        title=alert.title,
        reason=f"{alert.source} says that it is over" if news is News.ENDS else f"{alert.source} says so",
        at_ns=at_ns,
        count=1 if news is News.BEGINS else 0,
        evidence=() if news is News.ENDS else (seen,),
        part_of=storm_fault(alert.source) if in_storm else "",
        repeats=news is News.GOES_ON,
    )


def storm(
    source: str,
    *,
    firing: int,
    severity: int,
    site_id: str,
    customer_id: str,
    now_ns: int,
    over: bool = False,
    repeats: bool = False,
) -> Signal:
    """The signal that so many alerts of one source fire at a site that they become one ticket; or that it is over.
    `repeats`: none of them is new."""
    title = f"Storm of alerts from {source}"
    return Signal(
        rule=f"{source}-storm",
        kind=SignalKind.STORM,
        site_id=site_id,
        customer_id=customer_id,
        fault=storm_fault(source),
        subject=title,
        state=SignalState.RECOVERED if over else SignalState.FIRING,
        severity=severity,
        title=title,
        reason=f"{firing} alerts are left" if over else f"{firing} alerts fire at once",
        at_ns=now_ns,
        count=0,
        repeats=repeats,
    )


def fault(alert: Alert) -> str:
    """The identity that an alert's ticket is opened under."""
    return key(alert.source, alert.identity)


def storm_fault(source: str) -> str:
    return key(source, "storm")


def line(value: object, most: int = TITLE_CHARS) -> str:
    """Others' words as one line of bounded length."""
    return plain.cut(plain.line(_whole(value, most)).strip(), most)


def text(value: object) -> str:
    """Others' words as text of bounded length."""
    return plain.cut(plain.lines(_whole(value, TEXT_CHARS)).strip(), TEXT_CHARS)


def _whole(value: object, most: int) -> str:
    """A little more than will be kept: what comes behind it is not worth a look."""
    said = value if isinstance(value, str) else "" if isinstance(value, dict | list) else str(value)
    return said[: 2 * most].encode(errors="replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def labels_of(value: object) -> dict[str, str]:
    """Labels as texts, so many at most; an empty mapping for what is none."""
    if not isinstance(value, Mapping):
        return {}
    pairs = list(value.items())[:LABELS_MAX]
    return {line(name, LABEL_CHARS): line(one, LABEL_CHARS) for name, one in pairs if isinstance(one, str)}
