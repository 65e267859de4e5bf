"""The places of the console, in the order of the menu, with the keys that lead there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sitewarden_collector.console.i18n import N_
from sitewarden_collector.services.access import Permission, Principal


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu. `key` is pressed after `g`."""

    path: str
    label: str
    icon: str
    key: str
    permission: Permission
    here: bool = False
    also: tuple[str, ...] = ()  # further paths that belong to it


PLACES = (
    Place("/", N_("Board"), "flame", "b", Permission.TICKETS_READ),
    Place("/tickets", N_("Tickets"), "ticket", "t", Permission.TICKETS_READ),
    Place("/problems", N_("Problems"), "puzzle", "p", Permission.CUSTOMERS_READ, also=("/majors", "/tasks")),
    Place("/sites", N_("Sites"), "server", "s", Permission.SITES_READ),
    Place("/customers", N_("Customers"), "building", "c", Permission.CUSTOMERS_READ),
    Place("/contracts", N_("Contracts"), "certificate", "v", Permission.CUSTOMERS_READ, also=("/calendars",)),
    Place("/oncall", N_("On call"), "phone", "o", Permission.ONCALL_READ),
    Place("/silences", N_("Silences"), "bell-off", "m", Permission.ONCALL_READ, also=("/maintenance",)),
    Place("/risks", N_("Risks"), "shield-exclamation", "r", Permission.SITES_READ),
    Place("/admin", N_("Administration"), "settings", "a", Permission.SETTINGS_WRITE),
)


def shown(principal: Principal | None, path: str) -> list[Place]:
    """The places that this reader may see, with the one marked that `path` belongs to."""
    if principal is None:
        return []
    return [
        replace(one, here=any(_within(path, place) for place in (one.path, *one.also)))
        for one in PLACES
        if principal.may(one.permission)
    ]


def _within(path: str, place: str) -> bool:
    return path == place or (place != "/" and path.startswith(place + "/"))
