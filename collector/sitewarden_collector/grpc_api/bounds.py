"""What nothing from the wire may exceed, for whoever decodes it. Pure."""

from __future__ import annotations

from sitewarden_collector.errors import Refused

NAME_MAX = 4_096
KEY_MAX = 128  # what is indexed
VALUES_MAX = 1_000_000  # numbers in the blocks of one batch
TIME_MAX = 2**62  # the year 2116


def corrected(wall_ns: int, offset_ns: int, latest_ns: int) -> int:
    """A time as it was at headquarters: never later than that of the receipt, with its tolerance."""
    return max(0, min(wall_ns + offset_ns, latest_ns))


def bounded(text: str, field: str, limit: int) -> str:
    """The text as every database keeps it; raises Refused (TOO_LARGE)."""
    if len(text) > limit:
        raise Refused("TOO_LARGE", f"{field} has {len(text)} characters; {limit} are allowed")
    return text.replace("\0", "\ufffd")  # PostgreSQL stores no NUL
