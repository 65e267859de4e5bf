"""Passwords: what makes one good enough, and their hashes (argon2id). Hashing takes a while by intent: call it off the
event loop.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sitewarden_collector.errors import Invalid

MAX = 256  # characters; hashing is not for novels
_HASHER = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)

# What is tried first everywhere, without digits and signs at the end.
_WORST_WORDS = """
    password passwort passw0rd p@ssw0rd p@ssword qwerty qwertyuiop qwertz qwertzuiop azerty asdfghjkl zxcvbnm admin
    administrator root welcome willkommen letmein iloveyou monkey dragon football baseball basketball superman batman
    princess sunshine master shadow michael jordan hunter trustno access login abc abcd abcdef abcdefgh changeme
    changemenow default secret test tester testing guest user hello helloworld whatever starwars computer internet
    google samsung ferrari freedom passpass passwordpassword correcthorsebatterystaple qweasdzxc qazwsx qazwsxedc
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc woaini woaini1314 5201314 aini1314 sitewarden support summer winter
    spring autumn sommer herbst january february october november december"""
_WORST = frozenset(_WORST_WORDS.split())


def check(password: str, *, name: str, shortest: int) -> None:
    """Raise Invalid, saying what would do, when a password is too easily guessed. Any characters are fine."""
    if len(password) < shortest:
        raise Invalid(
            f"a password has at least {shortest} characters; a few words that do not belong together are good"
        )
    if len(password) > MAX:
        raise Invalid(f"a password has at most {MAX} characters")
    small = password.casefold()
    core = re.sub(r"[\W\d_]+$", "", small)
    joined = re.sub(r"[\W_]+", "", small)
    if {small, core, joined, re.sub(r"\d+$", "", joined)} & _WORST or _is_run(small) or len(set(small)) < 5:
        raise Invalid("this password is among those that are tried first; take a few words that do not belong together")
    own = "".join(name.split()).casefold()
    if len(own) > 2 and own in joined and len(joined) < len(own) + shortest:
        raise Invalid(
            "this password is little more than the account's name; take words that have nothing to do with it"
        )


def make_hash(password: str) -> str:
    """What may be kept of a password."""
    return _HASHER.hash(password)


def is_right(kept: str, password: str) -> bool:
    """Whether this is the password; as slow without a hash, and then always False."""
    try:
        return _HASHER.verify(kept or _nobody(), password[: MAX + 1]) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobody() -> str:
    """The hash of no password: an account that does not exist takes as long to refuse as one that does."""
    return make_hash(token_urlsafe(32))


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return bool(kept) and _HASHER.check_needs_rehash(kept)


def _is_run(text: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    half = len(text) // 2
    return (
        steps in ({1}, {-1}, {0})
        or (len(text) % 2 == 0 and text[:half] == text[half:] and text[:half].isdigit())
        or text.startswith(("123456789", "987654321"))
    )
