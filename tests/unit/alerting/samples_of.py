"""Texts that a pattern matches, made at random from the pattern itself."""

from __future__ import annotations

import random
import re
from typing import Any

_PRINTABLE = [chr(code) for code in range(33, 127)]
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789",
}
_REPEATS_MORE = 6


def sample_of(pattern: str, chance: random.Random) -> tuple[str, dict[int, str]]:
    """A text that `pattern` matches as a whole, and its groups."""
    groups: dict[int, str] = {}
    tree = re._parser.parse(pattern)
    return _sequence(tree, chance, groups), groups


def _sequence(tree: Any, chance: random.Random, groups: dict[int, str]) -> str:
    return "".join(_one(str(op), argument, chance, groups) for op, argument in tree)


def _one(op: str, argument: Any, chance: random.Random, groups: dict[int, str]) -> str:
    if op == "LITERAL":
        return chr(argument)
    if op == "NOT_LITERAL":
        return chance.choice([c for c in _PRINTABLE if ord(c) != argument and c.isalnum()])
    if op == "IN":
        return chance.choice(_of_class(argument))
    if op in ("MAX_REPEAT", "MIN_REPEAT"):
        low, high, inner = argument
        times = chance.randint(low, min(int(high), low + _REPEATS_MORE))
        return "".join(_sequence(inner, chance, groups) for _ in range(times))
    if op == "SUBPATTERN":
        number, _, _, inner = argument
        text = _sequence(inner, chance, groups)
        if number is not None:
            groups[number] = text
        return text
    if op == "BRANCH":
        return _sequence(chance.choice(argument[1]), chance, groups)
    if op == "AT":
        return ""
    raise AssertionError(f"no sample of {op}")


def _of_class(items: Any) -> list[str]:
    negated = str(items[0][0]) == "NEGATE"
    found: set[str] = set()
    for op, argument in items:
        if str(op) == "LITERAL":
            found.add(chr(argument))
        elif str(op) == "RANGE":
            found |= {chr(code) for code in range(argument[0], argument[1] + 1)}
        elif str(op) == "CATEGORY":
            found |= set(_CATEGORIES[str(argument)])
    if negated:
        left = [c for c in _PRINTABLE if c not in found and c not in "<%\\"]
        return [c for c in left if c.isalnum()] or left
    return sorted(found & set(_PRINTABLE)) or sorted(found)
