"""How long something has waited, on hosts whose wall clock jumps.

The age of a row must not depend on a clock that somebody sets a year ahead: seven days of faults would be given up at
once. So the spool has a time of its own, in nanoseconds. It advances with the monotonic clock while a boot lasts. Over
a reboot it advances by the wall clock, but by a day at most: what waited through a long outage is late, not lost.
Pure: nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

REBOOT_MAX_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Tick:
    """The spool's time `spool_ns`, and the clocks at which it was so."""

    spool_ns: int
    wall_ns: int
    monotonic_ns: int
    boot_id: str


def advance(last: Tick | None, *, wall_ns: int, monotonic_ns: int, boot_id: str) -> Tick:
    """The tick that follows `last`. The spool's time never goes back."""
    if last is None:
        return Tick(0, wall_ns, monotonic_ns, boot_id)
    if boot_id == last.boot_id:
        passed_ns = max(0, monotonic_ns - last.monotonic_ns)
    else:
        passed_ns = min(REBOOT_MAX_NS, max(0, wall_ns - last.wall_ns))
    return Tick(last.spool_ns + passed_ns, wall_ns, monotonic_ns, boot_id)
