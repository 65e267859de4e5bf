"""Keeps out of a long-lived process's memory what it never uses. Measured by `tests/bench`, footprint.

Promises: `begin`, before anything large is imported, spares 7 MB of backports that msgspec and gRPC ask for and Python
has itself, and 6 MB more where nobody needs Python's TLS and OpenSSL with it (gRPC has its own). `settle`, once
everything is loaded, gives back what only the start needed. Neither changes what the process can do; neither fails.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import typing

_MADV_DONTNEED = 4
_M_ARENA_MAX = -8
_PR_SET_TIMERSLACK = 29
SLACK_NS = 100_000_000
LONG_SLACK_NS = 400_000_000
"""So much later a wait may end, so that many end at once: a processor woken once for all sleeps more. What somebody
else ends (a line, a ring of the bell, an answer) is not late by it."""
_TRIM_KEEP_BYTES = 64 * 1024


def begin(*, tls: bool, slack_ns: int = SLACK_NS) -> None:
    """Before the first import of asyncio, msgspec, grpc or hashlib. `tls`: whether Python's own will be used."""
    with contextlib.suppress(OSError, AttributeError):
        _libc().prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(slack_ns), 0, 0, 0)  # of this thread and those it starts
        _libc().mallopt(_M_ARENA_MAX, 1)  # one heap for all threads: they work in turns anyway. glibc only
    # Those names of it that are asked for are Python's own since 3.11; msgspec and grpc try `typing` themselves.
    sys.modules.setdefault("typing_extensions", typing)
    if tls or "asyncio" in sys.modules:
        return
    without = ("ssl", "_hashlib")  # OpenSSL, whose hashes Python has itself
    sys.modules.update(dict.fromkeys(without, typing.cast(typing.Any, None)))
    try:  # each of these goes without what is not there
        import asyncio  # noqa: F401
        import hashlib  # noqa: F401
        import hmac  # noqa: F401
    finally:
        for name in without:
            del sys.modules[name]


def settle() -> None:
    """Once all is loaded and running."""
    gc.collect()
    gc.freeze()  # what is there now stays: no later collection walks over it, nor touches its pages
    settle_again()


def settle_again() -> None:
    """From time to time: what was needed once since is given back."""
    with contextlib.suppress(OSError, AttributeError, ValueError, IndexError):
        trim()
        _let_go_of_code()


def trim() -> None:
    """Give free memory back to the system. glibc only."""
    _libc().malloc_trim(_TRIM_KEEP_BYTES)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _let_go_of_code() -> None:
    """Let go of the pages of libraries that were read in and not changed. Most of them only the start needed; what is
    used again comes back from the page cache by itself."""
    madvise = _libc().madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _clean_mappings():
        madvise(start, end - start, _MADV_DONTNEED)


def _clean_mappings() -> list[tuple[int, int]]:
    """Mappings of files, not writable, of which this process has no page of its own."""
    found: list[tuple[int, int]] = []
    current: tuple[int, int] | None = None
    with open("/proc/self/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            words = line.split()
            if words[0][-1] != ":":
                start, _, end = words[0].partition("-")
                is_code = len(words) > 5 and words[5].startswith("/") and words[1] in ("r-xp", "r--p")
                current = (int(start, 16), int(end, 16)) if is_code else None
            elif current is not None and words[0] in ("Private_Dirty:", "Shared_Dirty:", "Anonymous:", "Swap:"):
                if words[1] != "0":
                    current = None
            elif current is not None and words[0] == "VmFlags:":
                found.append(current)
                current = None
    return found
