"""What a series is called in a remote store: its name and labels, as Prometheus allows them.

A name stays as it is, unit and all (`disk_read_bytes_per_second`); what Prometheus does not allow in one becomes `_`.
To the series' own labels come `customer`, `site`, `host` and `agent`, and those of the configuration. A label of its
own that is called like one of these is told as `exported_site`, as Prometheus itself does with what it scrapes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sitewarden_alerting.observations import Series
from sitewarden_collector.store.remote_places import Place

NAME = "__name__"
OURS = ("customer", "site", "host", "agent")
Pairs = tuple[tuple[str, str], ...]


def metric(name: str) -> str:
    """A series' name as a metric's."""
    return _sound(name, r"[^a-zA-Z0-9_:]")


def own(series: Series, further: Mapping[str, str]) -> dict[str, str]:
    """The series' own labels, by names that are allowed and free. `further`: labels that every series gets."""
    found: dict[str, str] = {}
    for name, value in series.labels:
        key = _sound(name, r"[^a-zA-Z0-9_]")
        if key in OURS or key in further or key.startswith("__"):
            key = f"exported_{key.lstrip('_')}"
        while key in found:
            key += "_"
        if value:
            found[key] = value
    return found


def labels(series: Series, place: Place, further: Mapping[str, str]) -> Pairs:
    """Every label of a series, its name among them, in the order of their names."""
    where = {"customer": place.customer, "site": place.site, "host": place.host, "agent": place.agent_id}
    told = {NAME: metric(series.name)} | dict(further) | where | own(series, further)
    return tuple(sorted((name, value) for name, value in told.items() if value))


def _sound(name: str, other: str) -> str:
    """`name` with `_` for everything that is not allowed in it."""
    made = re.sub(other, "_", name) or "_"
    return f"_{made}" if made[0].isdigit() else made
