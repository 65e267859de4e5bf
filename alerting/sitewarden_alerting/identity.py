"""Names of subjects: parts joined so that people can read them, and never too long for a key."""

from __future__ import annotations

from hashlib import sha256

KEY_MAX = 200


def key(first: str, *parts: str) -> str:
    """`first|part|part`, cut and given a hash where it would be longer than `KEY_MAX`."""
    joined = "|".join((first, *parts))
    if len(joined) <= KEY_MAX:
        return joined
    return f"{joined[: KEY_MAX - 17]}~{sha256(joined.encode()).hexdigest()[:16]}"


def first_of(joined: str) -> str:
    """The first part of a name that `key` made."""
    return joined.partition("|")[0]
