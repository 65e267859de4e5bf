"""How bad a risk is: likelihood x impact, each 1 to 5, with the factors that made it.

The tables stand here in full, so that a score can be explained to a customer. Not here: where the forecasts come from
(`forecast`), and whether a score is worth a warning (`assess`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sitewarden_alerting.model import DAY_NS, HOUR_NS, Factor
from sitewarden_alerting.wording import duration

# How soon: the likelihood of something that is on its way, by the time that is left.
BY_TIME_LEFT: tuple[tuple[int, int], ...] = ((2 * DAY_NS, 5), (7 * DAY_NS, 4), (14 * DAY_NS, 3), (30 * DAY_NS, 2))
IMPACT = {"folder_full": 4, "filesystem_full": 4, "certificate": 4}
ROOT_MOUNTS = frozenset(("/", "C:\\"))


def likelihood_of_full(
    full_ns: int, *, may_stop: bool, level_ratio: float, level_guard: float, now_ns: int
) -> tuple[int, tuple[Factor, ...]]:
    """How likely a disk or folder is to fill up, from when it will be full and how full it is."""
    left_ns = max(0, full_ns - now_ns)
    points = by_time_left(left_ns)
    factors = [Factor("time left", f"full in {duration(left_ns)}", points)]
    if may_stop:
        factors.append(Factor("uncertain", "the growth may also stop", -1))
    if level_ratio < level_guard and left_ns > HOUR_NS:
        factors.append(Factor("level", f"only {level_ratio * 100:.0f} % is used so far", -3))
    elif level_ratio >= 0.95:
        factors.append(Factor("level", f"{level_ratio * 100:.0f} % is used already", 1))
    return bounded(factors), tuple(factors)


def likelihood_of_expiry(expires_ns: int, *, now_ns: int) -> tuple[int, tuple[Factor, ...]]:
    """How likely a certificate is to expire unrenewed: the nearer its end, the more so."""
    left_ns = expires_ns - now_ns
    said = f"expires in {duration(left_ns)}" if left_ns > 0 else f"expired {duration(-left_ns)} ago"
    factors = (Factor("time left", said, by_time_left(left_ns)),)
    return bounded(factors), factors


def impact(kind: str, subject: str) -> tuple[int, tuple[Factor, ...]]:
    """What it would cost, by what it is."""
    points = IMPACT.get(kind, 3)
    said = {
        "folder_full": "the product cannot write its data when its folder is full",
        "filesystem_full": "programs on the host cannot write when its disk is full",
        "certificate": "clients refuse the product when its certificate has expired",
    }.get(kind, "not rated")
    factors = [Factor(kind.replace("_", " "), said, points)]
    if kind == "filesystem_full" and subject in ROOT_MOUNTS:
        factors.append(Factor("system disk", "the operating system lives on it", 1))
    return bounded(factors), tuple(factors)


def by_time_left(left_ns: int) -> int:
    return next((points for within_ns, points in BY_TIME_LEFT if left_ns <= within_ns), 1)


def bounded(factors: Sequence[Factor]) -> int:
    return min(5, max(1, sum(factor.weight for factor in factors)))
