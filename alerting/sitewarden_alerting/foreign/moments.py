"""Times as other monitoring writes them: RFC 3339 with up to nine digits of a second."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_YEAR = 2200


def nanoseconds(text: object) -> int | None:
    """UTC nanoseconds; None for what is no time, or none at all (the year 1 stands for that)."""
    found = _RFC3339.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 64 else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    zone = UTC if found[8] else timezone(_offset(found[9], int(found[10]), int(found[11])))
    if not 1970 <= year < LATEST_YEAR or second > 60:
        return None
    try:
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None
    since = at - _EPOCH
    fraction = int((found[7] or "0").ljust(9, "0"))
    return max(0, (since.days * 86_400 + since.seconds) * 1_000_000_000 + fraction)


def _offset(sign: str, hours: int, minutes: int) -> timedelta:
    away = timedelta(hours=min(hours, 23), minutes=min(minutes, 59))
    return -away if sign == "-" else away
