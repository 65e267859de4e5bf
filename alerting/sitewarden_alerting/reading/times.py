"""Time stamps of logs: where one stands in a line, and which instant it means.

Promises: `STAMP` finds a stamp of any common form at a position; `resolve` turns it into UTC nanoseconds. What a
stamp leaves out is settled by arguments alone: the zone by `default_zone`, the year (or the date, or which of day and
month comes first) by nearness to `now_ns`, where a reading that lies in the future counts only when no other is left.
Nothing here reads a clock.
Not here: what follows a stamp in a line (`header`).
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

NS = 1_000_000_000
_FIRST_NS = -62_135_596_800 * NS
_LAST_NS = 253_402_300_800 * NS - 1
_AHEAD_NS = 7 * 86_400 * NS  # clocks and zones of hosts differ, but a log is not written months ahead
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_MON = "(?:" + "|".join(_MONTHS) + ")[a-z]{0,6}"
_DAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s+)?"
_ZONE = (
    r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)(?!\w)"
    r"|\s(?:[CEM]?E[SD]?T|[CMP][SD]T|BST|IST|[JK]ST|AE[SD]T|MSK|NZ[SD]T|HKT|SGT)(?!\w))?"
)
_TIME = r"\d{1,2}:\d\d:\d\d(?:[.,:]\d{1,9})?"

_FORMS = {
    # 2024-05-06T07:08:09.123456Z, 2024/05/06 07:08:09, 2005-06-03-15.42.50.675872, 2016-09-28 04:30:30,123 +0200
    "iso": rf"\d{{4}}[-/.]\d\d?[-/.]\d\d?(?:[T_-]|\s{{1,2}})\d\d?[:.]\d\d[:.]\d\d(?:[.,:]\d{{1,9}})?{_ZONE}",
    # 20240506T070809Z, 20171223-22:15:29:606
    "compact": rf"(?:19|20)\d{{6}}[-T _]\d{{1,2}}:?\d{{1,2}}:?\d{{1,2}}(?:[:.,]\d{{1,9}})?{_ZONE}(?!\d)",
    # Sun Dec 04 04:47:44 2005, Jan  2 03:04:05, Thu Oct 05 10:00:00.123456 2023, Mon Jan 2 15:04:05 UTC 2006
    "month": rf"{_DAY}{_MON}\s+\d{{1,2}}(?:,?\s+\d{{4}},?)?\s+{_TIME}(?:\s[AP]M)?"
    rf"(?:\s+(?:[A-Z]{{3,4}}\s+)?(?:19|20)\d\d(?![\w:.]))?{_ZONE}",
    # 05/Oct/2023:10:00:00 +0000, 05 Oct 2023 10:00:00.123, 05-Oct-2023 10:00:00.123
    "day": rf"{_DAY}\d{{1,2}}[-/ ]{_MON}[-/ ]\d{{2,4}}[:T ]+{_TIME}(?:\s[AP]M)?{_ZONE}",
    # 10/30/2023, 4:05:06 PM; 17/06/09 20:10:40; 30.10.2023 16:49:06
    "slash": rf"\d{{1,2}}([-/.])\d{{1,2}}\1\d{{2,4}},?[T\s]+{_TIME}(?:\s[AP]M)?{_ZONE}",
    # 03-17 16:13:38.811, 10.30 16:49:06
    "nodate": rf"\d\d[-./]\d\d\s+{_TIME}",
    # 081109 203615
    "plain": r"\d{6} \d{6}(?=\s)|\d{6}\s+\d{1,2}:\d\d:\d\d",
    # 04:47:44.123
    "clock": r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?![\w:])",
    # 1117838570, 1699999999.123456, 1699999999123
    "epoch": r"1\d{9}(?:\.\d{1,9}|\d{3})?(?=[\s:|,\]]|$)",
}
STAMP_PATTERN = "|".join(_FORMS.values()).replace("([-/.])", "[-/.]").replace(r"\1", "[-/.]")
"""The pattern of a stamp of any form, without groups."""
STAMP = re.compile(
    "|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items())
    .replace("([-/.])", "(?P<mark>[-/.])")
    .replace(r"\1", "(?P=mark)")
)
"""Matches a stamp at a position; `lastgroup` of the match is its form."""

_NUMBERS = re.compile(r"\d+")
_FRACTION = re.compile(r"\d\d?[:.]?\d\d?[:.]?\d\d?[.,:](\d{1,9})(?!\d*:)")
_OFFSET = re.compile(r"(?:(?<=\d)|\s)(?P<utc>Z|UTC|GMT)(?!\w)|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?$")
_NAME = re.compile("|".join(_MONTHS), re.IGNORECASE)


@lru_cache(maxsize=4096)
def _minute(year: int, month: int, day: int, hour: int, minute: int, zone: tzinfo) -> int:
    """Seconds since the epoch of a local minute; ValueError when there is no such day."""
    return int(datetime(year, month, day, hour, minute, tzinfo=zone).timestamp())


def resolve(form: str, text: str, *, default_zone: tzinfo, now_ns: int) -> int | None:
    """UTC nanoseconds of the stamp `text` of `form`, or None when it names no instant of the years 1 to 9999 (such as
    30 February).
    """
    try:
        at = _epoch(text) if form == "epoch" else _civil(form, text, default_zone, now_ns)
    except (ValueError, OverflowError, IndexError):
        return None
    return at if _FIRST_NS <= at <= _LAST_NS else None


def _epoch(text: str) -> int:
    whole, _, fraction = text.partition(".")
    if len(whole) == 13:
        return int(whole) * 1_000_000
    return int(whole) * NS + int((fraction or "0").ljust(9, "0"))


def _zone_of(text: str, default: tzinfo) -> tuple[tzinfo, str]:
    """The zone that a stamp states and the stamp without it."""
    tail = _OFFSET.search(text, max(len(text) - 8, 8))
    if tail is None:
        return default, text
    if tail["utc"]:
        return UTC, text[: tail.start()]
    offset = timedelta(hours=int(tail["hours"]), minutes=int(tail["minutes"] or 0))
    return timezone(offset if tail["sign"] == "+" else -offset), text[: tail.start()]


def _civil(form: str, text: str, default_zone: tzinfo, now_ns: int) -> int:
    zone, text = _zone_of(text, default_zone)
    numbers = _NUMBERS.findall(text)
    dates: list[tuple[int, int, int]]
    if form == "iso":
        dates, clock = [(int(numbers[0]), int(numbers[1]), int(numbers[2]))], numbers[3:]
    elif form == "compact":
        date, digits = numbers[0], numbers[1:]
        if len(digits[0]) == 6:
            digits = [digits[0][:2], digits[0][2:4], digits[0][4:], *digits[1:]]
        dates, clock = [(int(date[:4]), int(date[4:6]), int(date[6:]))], digits
    elif form == "month":
        month, (day, clock, year) = _month(text), _month_first(numbers)
        dates = [(year, month, day)] if year else _years(month, day, now_ns)
    elif form == "day":
        dates, clock = [(_century(numbers[1]), _month(text), int(numbers[0]))], numbers[2:]
    elif form == "slash":
        dates, clock = _orders(numbers[0], numbers[1], numbers[2]), numbers[3:]
    elif form == "nodate":
        dates, clock = _years(int(numbers[0]), int(numbers[1]), now_ns), numbers[2:]
    elif form == "plain":
        date = numbers[0]
        clock = numbers[1:] if len(numbers) > 2 else [numbers[1][:2], numbers[1][2:4], numbers[1][4:]]
        dates = [(_century(date[:2]), int(date[2:4]), int(date[4:]))]
    else:
        dates, clock = _days(now_ns, zone), numbers
    hour = int(clock[0])
    if text.endswith("PM") or text.endswith("AM"):
        hour = hour % 12 + (12 if text.endswith("PM") else 0)
    second, fraction = int(clock[2]), clock[3] if len(clock) > 3 else "0"
    instants = []
    for year, month, day in dates:
        try:
            at = _minute(year, month, day, hour, int(clock[1]), zone)
        except ValueError:
            continue
        instants.append((at + second) * NS + int(fraction[:9].ljust(9, "0")))
    if not instants:
        raise ValueError(text)
    if len(instants) == 1:
        return instants[0]
    return min(instants, key=lambda at: (at > now_ns + _AHEAD_NS, abs(at - now_ns)))


def _month(text: str) -> int:
    name = _NAME.search(text)
    if name is None:
        raise ValueError(text)
    return _MONTH[name[0].lower()]


def _month_first(numbers: list[str]) -> tuple[int, list[str], int]:
    """Day, clock and year (0: none) of the numbers in `Oct 5 [2023] 10:00:00[.123] [2023]`."""
    if len(numbers[1]) == 4:
        return int(numbers[0]), numbers[2:], int(numbers[1])
    if len(numbers) > 4 and len(numbers[-1]) == 4 and numbers[-1][:2] in ("19", "20"):
        return int(numbers[0]), numbers[1:-1], int(numbers[-1])
    return int(numbers[0]), numbers[1:], 0


def _century(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 70 else 1900)


def _orders(first: str, second: str, third: str) -> list[tuple[int, int, int]]:
    """Every reading of a date in figures: month first, day first, and year first when all have two digits."""
    year = _century(third)
    readings = [(year, int(first), int(second)), (year, int(second), int(first))]
    if len(first) == 2 and len(third) == 2:
        readings.append((_century(first), int(second), int(third)))
    return [reading for reading in readings if 1 <= reading[1] <= 12 and 1 <= reading[2] <= 31]


def _years(month: int, day: int, now_ns: int) -> list[tuple[int, int, int]]:
    this = datetime.fromtimestamp(now_ns // NS, UTC).year
    return [(year, month, day) for year in (this - 1, this, this + 1)]


def _days(now_ns: int, zone: tzinfo) -> list[tuple[int, int, int]]:
    today = datetime.fromtimestamp(now_ns // NS, zone)
    near = (today - timedelta(days=1), today, today + timedelta(days=1))
    return [(day.year, day.month, day.day) for day in near]
