"""Moments and spans as people read them: in the reader's zone, with the site's beside it where that differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_timedelta
from fastapi import Request
from markupsafe import Markup, escape

from sitewarden_alerting.oncall.local import zone_of as zone_of_name
from sitewarden_collector.services.access import Principal

SECOND_NS = 1_000_000_000
COOKIE = "zone"


def zone_of(request: Request, principal: Principal | None) -> str:
    """The account's zone, else the one that the browser told, else UTC."""
    told = request.cookies.get(COOKIE, "").replace("%2F", "/")
    for name in (principal.timezone if principal is not None else "", told):
        if name and name != "UTC" and _zone(name) is not None:
            return name
    return "UTC"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return zone_of_name(name)
    except ValueError:
        return None


def at(ns: int, zone: str = "UTC") -> datetime:
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).astimezone(_zone(zone) or UTC)


def iso(ns: int) -> str:
    return at(ns).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=8192)
def short(ns: int, *, locale: str, zone: str) -> str:
    """Day and time, without the year."""
    moment = at(ns, zone)
    return f"{format_skeleton('MMMd', moment, locale=locale)} {moment:%H:%M}"


def clock_time(ns: int, *, zone: str) -> str:
    """Hour, minute, second."""
    return at(ns, zone).strftime("%H:%M:%S")


def wall(ns: int, *, zone: str) -> str:
    """As a field of the kind datetime-local takes it."""
    return at(ns, zone).strftime("%Y-%m-%dT%H:%M")


def full(ns: int, *, locale: str, zone: str) -> str:
    """To the second, with the zone's name."""
    moment = at(ns, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone} ({moment:%z})"


def moment(ns: int, *, locale: str, zone: str, site_zone: str = "") -> Markup:
    """A <time>; with the site's own time beside it where that reads differently."""
    text = short(ns, locale=locale, zone=zone)
    shown = Markup('<time datetime="{}" title="{}">{}</time>').format(iso(ns), full(ns, locale=locale, zone=zone), text)
    if site_zone and at(ns, site_zone).utcoffset() != at(ns, zone).utcoffset():
        there = at(ns, site_zone)
        same_day = there.date() == at(ns, zone).date()
        shown += Markup(' <span class="site-time" title="{}">{} {}</span>').format(
            full(ns, locale=locale, zone=site_zone),
            there.strftime("%H:%M") if same_day else short(ns, locale=locale, zone=site_zone),
            site_zone.rpartition("/")[2].replace("_", " "),
        )
    return shown


@lru_cache(maxsize=8192)
def _ago(seconds: int, locale: str) -> str:
    return format_timedelta(timedelta(seconds=seconds), add_direction=True, locale=locale, format="short")


def ago(ns: int, *, now_ns: int, locale: str, zone: str) -> Markup:
    """A <time> that says how long ago, or in how long, and goes on by itself in the browser."""
    said = _ago((ns - now_ns) // SECOND_NS, locale)
    return Markup('<time datetime="{}" data-ago title="{}">{}</time>').format(
        iso(ns), full(ns, locale=locale, zone=zone), said
    )


def span(ns: int, *, locale: str = "en") -> str:
    """How long, in at most two units: 2 d 4 h, 3 h 20 min, 45 s."""
    seconds = abs(ns) // SECOND_NS
    units = {"zh": ("天", "小时", "分", "秒")}.get(locale, ("d", "h", "min", "s"))
    sizes = (86400, 3600, 60, 1)
    for place, size in enumerate(sizes):
        if seconds >= size or size == 1:
            first, rest = divmod(seconds, size)
            said = f"{first} {units[place]}"
            if place < 2 and (second := rest // sizes[place + 1]):
                said += f" {second} {units[place + 1]}"
            return f"−{said}" if ns < 0 else said
    return ""


def countdown(due_ns: int, *, now_ns: int, locale: str) -> Markup:
    """The time left until `due_ns`, which the browser counts down; negative when it is over."""
    return Markup('<span class="countdown" data-due="{}">{}</span>').format(
        due_ns // 1_000_000, escape(span(due_ns - now_ns, locale=locale))
    )
