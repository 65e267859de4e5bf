"""What a contract promises, as people write it: `30m`, `4h@office`; `customer: solution resolution`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

from sitewarden_alerting.model import PRIORITIES, Waiting
from sitewarden_alerting.servicelevels.targets import DEFAULT, PAUSES, Target
from sitewarden_collector.errors import Invalid
from sitewarden_collector.store.contracts import Goals

_UNITS = {"h": 3600, "m": 60, "s": 1}
DEFAULT_GOALS: Goals = {
    priority: {target.value: (round(goal.goal_s), "") for target, goal in level.items()}
    for priority, level in DEFAULT.levels.items()
}
DEFAULT_PAUSES: Mapping[str, tuple[str, ...]] = {
    reason: tuple(target.value for target in Target if (reason, target) in PAUSES)
    for reason in sorted({reason for reason, _ in PAUSES})
}


def read_goal(text: str) -> tuple[int, str] | None:
    """Seconds and a calendar's name of `4h@office`; None for empty text and `none`. Raises Invalid."""
    text = text.strip()
    if text in ("", "none"):
        return None
    amount, _, calendar = text.partition("@")
    found = re.fullmatch(r"(\d{1,6})\s*([hms])", amount.strip())
    if found is None or int(found[1]) == 0:
        raise Invalid(f"{text!r} is no goal; write 30m, 4h, or 4h@office to count by the calendar called office")
    return int(found[1]) * _UNITS[found[2]], calendar.strip()


def write_goal(goal: tuple[int, str] | None) -> str:
    """A goal as `read_goal` reads it."""
    if goal is None:
        return ""
    seconds, calendar = goal
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}" + (f"@{calendar}" if calendar else "")


def read_goals(texts: Iterable[str], before: Goals) -> Goals:
    """`before` with what `texts` say, each as `1:resolution=4h@office`. Raises Invalid."""
    made = {priority: dict(level) for priority, level in before.items()}
    for text in texts:
        found = re.fullmatch(r"([1-4]):(\w+)=(.*)", text.strip())
        if found is None or found[2] not in tuple(Target):
            raise Invalid(
                f"{text!r} is no goal; write PRIORITY:TARGET=TIME as 1:resolution=4h@office, with a target of "
                + ", ".join(Target)
            )
        level = made.setdefault(int(found[1]), {})
        goal = read_goal(found[3])
        if goal is None:
            level.pop(found[2], None)
        else:
            level[found[2]] = goal
    return {priority: made[priority] for priority in PRIORITIES if made.get(priority)}


def read_pauses(text: str) -> Mapping[str, tuple[str, ...]]:
    """`customer: solution resolution; third_party: resolution` by reason. Raises Invalid."""
    made = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        reason, _, targets = part.partition(":")
        names = tuple(target.value for target in Target if target.value in targets.split())
        if reason.strip() not in tuple(Waiting) or set(targets.split()) - set(names) or not names:
            raise Invalid(
                f"{part!r} does not say what pauses; write REASON: TARGETS as `customer: solution resolution`, with a "
                f"reason of {', '.join(Waiting)}"
            )
        made[reason.strip()] = names
    return made


def write_pauses(pauses: Mapping[str, tuple[str, ...]]) -> str:
    """Pauses as `read_pauses` reads them."""
    return "; ".join(f"{reason}: {' '.join(targets)}" for reason, targets in pauses.items())


def read_day(text: str, what: str) -> str:
    """An ISO date; raises Invalid."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise Invalid(f"{what}: {text!r} is no date; write it as 2026-12-31") from None
