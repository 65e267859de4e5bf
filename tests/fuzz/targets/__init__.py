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
    redaction,
    remote,
    road,
    scanning,
    settings,
    site,
    supervision,
    web,
    wire,
)

TARGETS: tuple[Target, ...] = (
    *reading.TARGETS,
    *redaction.TARGETS,
    *scanning.TARGETS,
    *logs.TARGETS,
    *road.TARGETS,
    *wire.TARGETS,
    *certificates.TARGETS,
    *probes.TARGETS,
    *settings.TARGETS,
    *site.TARGETS,
    *supervision.TARGETS,
    *web.TARGETS,
    *desk.TARGETS,
    *desk_web.TARGETS,
    *remote.TARGETS,
)
