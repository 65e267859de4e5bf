"""The doors, by what comes in through them."""

from __future__ import annotations

from tests.fuzz.run import Target
from tests.fuzz.targets import (
    certificates,
    desk,
    desk_web,
    logs,
    probes,
    reading,
    road,
    scanning,
    settings,
    site,
    web,
    wire,
)

TARGETS: tuple[Target, ...] = (
    *reading.TARGETS,
    *scanning.TARGETS,
    *logs.TARGETS,
    *road.TARGETS,
    *wire.TARGETS,
    *certificates.TARGETS,
    *probes.TARGETS,
    *settings.TARGETS,
    *site.TARGETS,
    *web.TARGETS,
    *desk.TARGETS,
    *desk_web.TARGETS,
)
