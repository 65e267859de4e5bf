"""The values that go into the spool and come out of it. No SQL here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sitewarden_agent.errors import Transient
from sitewarden_agent.model import Observation

NANOSECONDS = 1_000_000_000

DiskUsage = Callable[[Path], tuple[int, int, int]]
"""What shutil.disk_usage does: total, used and free bytes of the file system under a path."""


class SpoolFull(Transient):
    """There is no room for this now. Nothing of the call was stored: keep the position and try again later."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """The bounds of the spool. A guest on somebody else's disk keeps all of them at once."""

    max_bytes: int = 512 * 1024 * 1024
    """Pages in use, waiting and sealed and kept, all together."""
    max_age_s: float = 7 * 86_400.0
    """What waited longer is given up, with a gap that says so."""
    max_disk_share: float = 0.9
    """Past this share of the file system in use, by whomever, the spool stops growing (but for `floor_bytes`)."""
    acked_keep_s: float = 86_400.0
    """How long an acknowledged batch stays, for headquarters restored from a backup."""
    parked_max: int = 100
    """Batches refused for good that stay to be looked at."""
    floor_bytes: int = 16 * 1024 * 1024
    """What may be used even on a disk past its share, so that an almost full disk can still be reported."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One numbered batch. Its content never changes."""

    seq: int
    observations: tuple[Observation, ...]
    bytes: int
    """Size of the content as the spool counts it; at least about the size on the wire before compression."""


@dataclass(frozen=True, slots=True)
class Resume:
    """What `seek` found: send what follows `after_seq`; say hello again first when the epoch is new."""

    after_seq: int
    new_epoch: bool = False
    resent: int = 0
    """Batches that headquarters lost and will get again."""
    lost: tuple[int, int] | None = None
    """First and last batch that headquarters lost and the spool does not keep any more; a gap says so."""


@dataclass(frozen=True, slots=True)
class SpoolState:
    """For status and heartbeats."""

    epoch: str
    bytes: int
    """Pages in use, without what may be dropped at once (the acknowledged tail)."""
    bytes_max: int
    held: int
    """Observations that headquarters has not acknowledged."""
    unacked: int
    """Batches that headquarters has not acknowledged."""
    shed: int
    """Observations given up since the spool was made."""
    parked: int
    """Batches refused for good since the spool was made."""
    oldest_ns: int
    """Wall time of the oldest observation held; 0 when none is."""
    last_sealed_seq: int
    acked_seq: int
    oldest_kept_seq: int
    """The oldest batch that could still be sent; 0 when there is none."""
    level: str
    """ok, 70 %, 90 % or full."""
    acked_ns: int = 0
    """Wall time of the last acknowledgement; 0 when there was none."""


class WatchLevel(msgspec.Struct, frozen=True):
    """A value that matters now: a block of samples closes at once when it is crossed."""

    series: str
    above: float | None = None
    below: float | None = None
