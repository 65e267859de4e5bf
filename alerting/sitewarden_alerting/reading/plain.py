"""Text of others, made fit for a terminal, a log or a table.

What a log, an agent or a headquarters says may hold escape sequences that repaint a screen, forge lines or turn the
direction of writing. Each such character becomes U+FFFD, so that one sees that something was there. Unicode 15.0,
categories Cc, Zl and Zp, and the direction marks of UAX #9. Letters of every language stay.
"""

from __future__ import annotations

import re

_NOT_PLAIN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_IN_LINES = re.compile(f"[{_NOT_PLAIN}]")
_IN_A_LINE = re.compile(rf"[{_NOT_PLAIN}\t\n]")
_MARK = "\N{REPLACEMENT CHARACTER}"


def lines(text: str) -> str:
    """`text` with its tabs and ends of lines, and without anything else that a terminal acts on."""
    return _IN_LINES.sub(_MARK, text.replace("\r\n", "\n"))


def line(text: str) -> str:
    """`text` as a single line: what would end it is a space."""
    return _IN_A_LINE.sub(lambda found: " " if found[0] in "\t\n" else _MARK, text.replace("\r\n", "\n"))


def cut(text: str, most: int) -> str:
    """The first `most` characters of `text`; where something is left out, it says so."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
