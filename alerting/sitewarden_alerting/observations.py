"""Observations as headquarters sees them: what arrived, from where, and when.

The collector's edge makes these from the wire; rules and triage read them. `wall_ns` is the agent's wall clock, already
corrected by the offset that was measured for that agent, and never later than `received_ns` plus the tolerance of the
collector. Nothing personal is in here: redaction happened at the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Who saw it. The site comes from the certificate."""

    customer_id: str
    site_id: str
    agent_id: str
    hostname: str


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The name of one observation, for ever: spool epoch (hex), batch sequence, index in the batch."""

    epoch: str
    seq: int
    index: int


@dataclass(frozen=True, slots=True)
class LogEvent:
    source: str
    file: str
    file_id: str
    offset: int
    part: Literal["whole", "head", "full"]
    severity: int  # reading.severity.Severity
    component: str
    message: str
    template: str
    fingerprint: str
    count: int
    logged_ns: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    labels: tuple[tuple[str, str], ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Samples:
    """One block: `columns[i][t]` is the value of `series[i]` at `times_ns[t]`; NaN where there is none."""

    schema_id: str
    series: tuple[Series, ...]
    times_ns: tuple[int, ...]
    columns: tuple[Sequence[float], ...]
    early: bool


@dataclass(frozen=True, slots=True)
class ProbeResult:
    probe: str
    kind: str
    target: str
    ok: bool
    latency_us: int
    detail: str
    certificate_expires_ns: int | None
    level: str = ""  # how bad, where the probe itself says so: warning, critical, unknown


@dataclass(frozen=True, slots=True)
class Change:
    """`detail` is what takes more than a line: a diff, redacted at the site."""

    kind: str
    subject: str
    before: str
    after: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    mountpoint: str
    device: str = ""
    file_system: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """Addresses are pseudonyms. Speed 0: not known."""

    name: str
    speed_mbit: int = 0
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the product; without a version `trouble` says why."""

    name: str
    version: str = ""
    source: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a host is."""

    hostname: str
    kernel: str = ""
    distribution: str = ""
    architecture: str = ""
    cpus: int = 0
    cpu_model: str = ""
    memory_bytes: int = 0
    swap_bytes: int = 0
    virtualisation: str = ""
    container: str = ""
    agent_version: str = ""
    python_version: str = ""
    time_zone: str = ""
    disks: tuple[Disk, ...] = ()
    cards: tuple[NetworkCard, ...] = ()
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    action_id: str
    state: Literal["received", "done", "failed", "expired", "refused", "applying"]
    detail: str


@dataclass(frozen=True, slots=True)
class Gap:
    reason: str
    kind: str
    count: int
    from_ns: int
    to_ns: int
    first_seq: int
    last_seq: int
    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A kind from a newer agent, kept as its bytes came."""

    field_number: int
    raw: bytes


What = LogEvent | Samples | ProbeResult | Change | Inventory | Outcome | Gap | Unknown


@dataclass(frozen=True, slots=True)
class Observation:
    place: Place
    key: Key
    wall_ns: int
    received_ns: int
    what: What
