"""The holidays of a country, as dates with names, taken once when a version of a calendar is made.

They come from the library `holidays`, with the weekend days that are worked in their place where a country has those
(China). A later edition of the library may say otherwise: what a version has, it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from sitewarden_alerting.servicelevels.calendars import NamedDay
from sitewarden_collector.errors import Invalid

IN_LIEU = "worked in place of a holiday"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`source` says where the days came from, as `CN 2026-2027, holidays 0.109`."""

    holidays: tuple[NamedDay, ...]
    workdays: tuple[NamedDay, ...]
    source: str


def snapshot(country: str, years: Sequence[int], *, subdivision: str = "") -> Snapshot:
    """The days of a country (ISO code, as DE or CN) in some years. Raises Invalid."""
    if not years or not all(1970 <= year <= 2200 for year in years):
        raise Invalid("say for which years, as 2026 or 2026-2028")
    import holidays as library  # here: it is slow to import, and every command that knows calendars would

    try:
        found = library.country_holidays(country.upper(), subdiv=subdivision or None, years=list(years))
    except NotImplementedError as error:
        raise Invalid(f"no holidays are known for {country} {subdivision}".strip() + f": {error}") from None
    wanted = set(years)
    days = sorted((day, name) for day, name in found.items() if day.year in wanted)
    worked = sorted(day for day in getattr(found, "weekend_workdays", ()) if day.year in wanted)
    where = f"{country.upper()} {subdivision}".strip()
    span = f"{min(years)}-{max(years)}" if len(wanted) > 1 else str(min(years))
    return Snapshot(
        tuple(NamedDay(day, name) for day, name in days),
        tuple(NamedDay(day, IN_LIEU) for day in worked),
        f"{where} {span}, holidays {version('holidays')}",
    )
