"""Looks into what a text holds in another writing: escapes of JSON, URLs, HTML and C, base64, hexadecimal.

Promises: `unescaped` gives the text with its escapes resolved, so that the finders see what a reader would; the others
put a token in the place of each run of base64 or hexadecimal whose own text holds a finding, or is a name and a
password as HTTP's Basic writes them. Time linear in the text. Not here: what a finding is (`redact`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from sitewarden_alerting.reading.redact_values import Token

LEVELS: Final = 2
"""How deep escapes are resolved: JSON in JSON, a URL in a URL."""
ESCAPES: Final = re.compile(r"\\u00|\\x[0-9a-fA-F]|%[0-9a-fA-F]{2}|&(?:quot|amp|apos|lt|gt|#x?[0-9a-fA-F]{2,3});")
_ESCAPE: Final = re.compile(
    r"\\{1,4}u00([2-7][0-9a-fA-F])|\\{1,2}x([2-7][0-9a-fA-F])|%([2-7][0-9a-fA-F])|&#x([2-7][0-9a-fA-F]);|&#([0-9]{2,3});"
    r"|&(quot|amp|apos|lt|gt);"
)
_NAMED: Final = {"quot": '"', "amp": "&", "apos": "'", "lt": "<", "gt": ">"}

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-](?<![A-Za-z0-9+/_\-].)[A-Za-z0-9+/_\-]{15,}+={0,2}")
_HEX: Final = re.compile(
    r"[0-9a-fA-F](?<![0-9A-Za-z].)[0-9a-fA-F](?:[0-9a-fA-F]{22,}+|(?:[ :,][0-9a-fA-F]{2}){11,}+"
    r"|[0-9a-fA-F]{2}(?: [0-9a-fA-F]{4}){5,}+(?: [0-9a-fA-F]{2})?)(?![0-9A-Za-z])"
)
_DUMP: Final = re.compile(  # a line of hexdump or xxd: place, bytes, and what of them can be read
    r"^[ \t]{0,16}[0-9a-fA-F]{4,16}:?[ \t]{1,4}((?:[0-9a-fA-F]{2}[ \t]{0,2}){1,16})(?:[ \t|].{0,40})?$", re.M
)
_ESCAPED_DIGITS: Final = re.compile(
    r"\\u00|\\x0|%0|&#0|[0-9a-fA-F]{2}[ :,][0-9a-fA-F]{2}[ :,][0-9a-fA-F]{2}[ :,]|[0-9a-fA-F]{4} [0-9a-fA-F]{4} "
)
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9+/_\-]{16,}")
_READABLE: Final = re.compile(rb"[\t\n\r -~]+")
_LOGIN: Final = re.compile(r"[^\s:]{1,100}:\S{3,200}")

Finds = Callable[[str], bool]


def hinges_on_digits(shape: str) -> bool:
    """Whether a text could say something else altogether with other digits. In `shape` each of them is 0."""
    return _ESCAPED_DIGITS.search(shape) is not None or any("0" in run for run in _LONG_RUN.findall(shape))


def unescaped(text: str) -> str:
    """`text` with its escapes of printable ASCII resolved, one level of them."""
    return _ESCAPE.sub(_resolved, text)


def _resolved(found: re.Match[str]) -> str:
    if found[6]:
        return _NAMED[found[6]]
    if found[5]:
        number = int(found[5])
        return chr(number) if 32 <= number < 127 else found[0]
    number = int(found[1] or found[2] or found[3] or found[4], 16)
    return chr(number) if number < 127 else found[0]


def replace_hexadecimal(text: str, finds: Finds, token: Token) -> str:
    """`text` with the runs and dumps replaced whose own text `finds` says to hold something. To be done before other
    finders take numbers out of them."""
    if ":" in text or "\n" in text:
        text = _dumps(text, finds, token)
    return _HEX.sub(lambda m: token("secret", m[0]) if _holds(_of_hex(m[0]), finds) else m[0], text)


def replace_base64(text: str, finds: Finds, token: Token) -> str:
    """`text` with the runs replaced whose own text holds something, or is a name and a password."""
    return _BASE64.sub(lambda m: token("secret", m[0]) if _holds(_of_base64(m[0]), finds, login=True) else m[0], text)


def _holds(raw: bytes, finds: Finds, *, login: bool = False) -> bool:
    if len(raw) < 8 or _READABLE.fullmatch(raw) is None:
        return False
    text = raw.decode("ascii")
    return finds(text) or (login and _LOGIN.fullmatch(text) is not None)


def _of_base64(run: str) -> bytes:
    """What it says, or nothing when that is evidently no text."""
    body = run.rstrip("=").translate(_STANDARD)
    try:
        start = base64.b64decode(body[:16])
        if _READABLE.fullmatch(start) is None:
            return b""
        return base64.b64decode(body[: len(body) - (len(body) % 4 == 1)] + "=" * (-len(body) % 4))
    except ValueError:
        return b""


_STANDARD: Final = str.maketrans("-_", "+/")


def _of_hex(run: str) -> bytes:
    digits = "".join(c for c in run if c not in " :,\t")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _dumps(text: str, finds: Finds, token: Token) -> str:
    """Dumps line by line: their bytes make one text."""
    lines = list(_DUMP.finditer(text))
    if not lines:
        return text
    raw = b"".join(_of_hex(line[1]) for line in lines)
    shown = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in raw)
    if not finds(shown):
        return text
    return _DUMP.sub(lambda line: token("secret", line[0]), text)
