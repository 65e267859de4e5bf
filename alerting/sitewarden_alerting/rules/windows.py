"""Counting over a window of time that moves: sixty buckets, the oldest first. Pure values, never changed in place."""

from __future__ import annotations

BUCKETS = 60

Buckets = tuple[tuple[int, int], ...]  # number of the bucket, count


def bucket(at_ns: int, window_ns: int) -> int:
    """The number of the bucket that a time falls into."""
    return at_ns // max(1, window_ns // BUCKETS)


def add(buckets: Buckets, window_ns: int, *, at_ns: int, count: int) -> Buckets:
    """`buckets` with `count` more at `at_ns`, and without what fell out of the window that ends at the newest."""
    slot = bucket(at_ns, window_ns)
    if buckets and buckets[-1][0] == slot:  # as good as always
        return (*buckets[:-1], (slot, buckets[-1][1] + count))
    counted = dict(buckets)
    counted[slot] = counted.get(slot, 0) + count
    oldest = max(counted) - BUCKETS
    return tuple(sorted((s, n) for s, n in counted.items() if s > oldest))


def total(buckets: Buckets, window_ns: int, *, at_ns: int) -> int:
    """What the buckets hold of the window that ends at `at_ns`."""
    oldest = bucket(at_ns, window_ns) - BUCKETS
    return sum(n for slot, n in buckets if slot > oldest)
