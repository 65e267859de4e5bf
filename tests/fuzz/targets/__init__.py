"""The doors, by what comes in through them."""

from __future__ import annotations

from tests.fuzz.run import Target
from tests.fuzz.targets import certificates, desk, desk_web, reading, road, settings, web, wire

TARGETS: tuple[Target, ...] = (
    *reading.TARGETS,
    *road.TARGETS,
    *wire.TARGETS,
    *certificates.TARGETS,
    *settings.TARGETS,
    *web.TARGETS,
    *desk.TARGETS,
    *desk_web.TARGETS,
)
