"""What became different between two inventories of a host, noted as changes at the site.

Promises: in the transaction that keeps the inventory, so each difference is noted exactly once. Versions of components
and of the agent are told by the agent itself, as changes. Not here: keeping inventories (`store.inventories`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sitewarden_alerting.observations import Change, Disk, Inventory
from sitewarden_collector.store.inventories import Kept

KIND = "inventory"
_WORDS = ("kernel", "distribution", "architecture", "cpu_model", "virtualisation", "container", "time_zone", "hostname")
_GIB = 1024**3
_SHARE = 0.02  # a size that differs by less is the same: firmware and ballooning take a little, and give it back


def differences(before: Inventory, after: Inventory) -> Iterator[Change]:
    """What a person would call a change of the host, each with what it was and what it is."""
    for field in _WORDS:
        was, now = getattr(before, field), getattr(after, field)
        if was != now:
            yield Change(KIND, field.replace("_", " "), was, now)
    if before.cpus != after.cpus:
        yield Change(KIND, "processors", str(before.cpus), str(after.cpus))
    for subject, was_bytes, now_bytes in (
        ("memory", before.memory_bytes, after.memory_bytes),
        ("swap", before.swap_bytes, after.swap_bytes),
    ):
        if _differ(was_bytes, now_bytes):
            yield Change(KIND, subject, _gib(was_bytes), _gib(now_bytes))
    yield from _disks(before, after)
    cards, cards_now = {card.name for card in before.cards}, {card.name for card in after.cards}
    yield from (Change(KIND, f"network card {name}", "there", "gone") for name in sorted(cards - cards_now))
    yield from (Change(KIND, f"network card {name}", "", "new") for name in sorted(cards_now - cards))


def course(kept: Sequence[Kept]) -> list[tuple[int, Change]]:
    """What became different, and when, out of inventories with the newest first."""
    steps = pairwise(kept)
    return [(after.since_ns, one) for after, before in steps for one in differences(before.inventory, after.inventory)]


def _disks(before: Inventory, after: Inventory) -> Iterator[Change]:
    was: dict[str, Disk] = {disk.mountpoint: disk for disk in before.disks}
    now: dict[str, Disk] = {disk.mountpoint: disk for disk in after.disks}
    for mountpoint in sorted({*was, *now}):
        old, new = was.get(mountpoint), now.get(mountpoint)
        if old is None and new is not None:
            yield Change(KIND, f"disk {mountpoint}", "", f"new, {_gib(new.size_bytes)}")
        elif old is not None and new is None:
            yield Change(KIND, f"disk {mountpoint}", _gib(old.size_bytes), "gone")
        elif old is not None and new is not None and _differ(old.size_bytes, new.size_bytes):
            yield Change(KIND, f"disk {mountpoint}", _gib(old.size_bytes), _gib(new.size_bytes))


def _differ(was_bytes: int, now_bytes: int) -> bool:
    return abs(was_bytes - now_bytes) > _SHARE * max(was_bytes, now_bytes)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / _GIB:.1f} GiB"
