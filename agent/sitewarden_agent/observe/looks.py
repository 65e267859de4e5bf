"""What one look of a probe saw, in the words that all kinds of probes share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sitewarden_agent.model import Series

DETAIL_MAX = 500
Level = Literal["", "warning", "critical", "unknown"]
"""How bad a look was, from probes that say so themselves."""


class Bad(Exception):
    """What was looked at is not as it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Look:
    ok: bool
    detail: str
    duration_ns: int = 0
    """0: as long as the look took from outside."""
    certificate_expires_ns: int | None = None
    level: Level = ""
    values: Mapping[Series, float] = field(default_factory=dict)
    """What was measured besides."""
