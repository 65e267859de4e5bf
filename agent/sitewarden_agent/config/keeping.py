"""What a `keep` pattern of the configuration may be, so that every engine finds the same by it.

Promises: `complaint` says what is wrong with one and what to write instead; `prepared` gives the bytes that the engines
take. A pattern is searched for in each line, as UTF-8: `.` is a byte, only ASCII letters are letters, and `$` stands
before a carriage return too. Not here: how many there may be (`settings`), the search itself.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 500
MOST_REPEATS = 200

_PART = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]*[:)]|\(\?|.", re.DOTALL)
_COUNTED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_FLAGS = re.compile(r"\(\?[ims]+\)")
_GROUP = re.compile(r"\(\?[ims]*:")
_REPEAT = re.compile(r"[*+?{]")
_ESCAPES = frozenset("dDwWsSbB")


def complaint(pattern: str) -> str | None:
    """What is wrong with the pattern, or None."""
    if len(pattern) > MOST_CHARACTERS:
        return f"it has {len(pattern)} characters; at most {MOST_CHARACTERS} are allowed, so make it two"
    try:
        compiled = re.compile(prepared(pattern), re.MULTILINE)
    except re.error as error:
        return f"it is no regular expression ({error})"
    if compiled.search(b"") is not None:
        return "it matches an empty line, so it would keep everything; name what must be there"
    if any(int(number) > MOST_REPEATS for found in _COUNTED.findall(pattern) for number in found if number):
        return f"it repeats more than {MOST_REPEATS} times; write * or + instead"
    return _unshared(pattern)


def _unshared(pattern: str) -> str | None:
    """What of it an engine does not know, or understands in its own way."""
    parts = _PART.findall(pattern)
    for number, part in enumerate(parts):
        after = parts[number + 1] if number + 1 < len(parts) else ""
        flags = number == 0 and _FLAGS.fullmatch(part)
        if part.startswith("(?") and not flags and not _GROUP.fullmatch(part):
            return (
                f"{part!r} is not allowed: looking around, names and later flags are not; write a plain group (?:...)"
            )
        if part.startswith("[") and len(part) > 1 and not part.isascii():
            return "a set in [] may hold ASCII alone; write (?:甲|乙) instead of [甲乙]"
        if len(part) == 1 and not part.isascii() and _REPEAT.match(after):
            return f"{part!r} is repeated; write (?:{part}){after}"
        if part.startswith("\\") and len(part) == 2 and part[1].isalnum() and part[1] not in _ESCAPES | set("t"):
            return f"{part} is not allowed; within a line there are \\d \\w \\s \\b, their opposites and \\t"
        if part == "[" or "[[" in part or (part in ("*", "+", "?") and after == "+") or (part == "}" and after == "+"):
            return f"{part + after!r} is understood differently by different engines; write it in another way"
    return None


def prepared(pattern: str, *, encoding: str = "utf-8") -> bytes:
    """The pattern for bytes, with its dollars before a carriage return too."""
    parts = [r"\r?$" if part == "$" else part for part in _PART.findall(pattern)]
    if parts and _FLAGS.fullmatch(parts[0]):
        return "".join((parts[0][:-1], ":", *parts[1:], ")")).encode(encoding)
    return "".join(parts).encode(encoding)
