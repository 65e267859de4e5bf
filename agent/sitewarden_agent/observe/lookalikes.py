"""A flood of records that all look new, because each holds an id of its own: known again by the words around the ids.

Promises: while more than FLOOD records of one log within FLOOD_NS had to be read whole, those that differ from one of
them in words with digits alone are taken for the same, for a storm's count only, and at a fraction of the cost. What
numbers decide about (a status of HTTP, a level, a priority) is never overlooked. Memory is bounded, time an argument.
Not here: what is the same for certain (`sitewarden_alerting.reading.shapes`).
"""

from __future__ import annotations

import re
from collections import OrderedDict

from sitewarden_alerting.reading import shapes
from sitewarden_alerting.reading.familiar import Seen

FLOOD = 500
FLOOD_NS = 10_000_000_000
_KNOWN_MAX = 512
_CHARS = 2_048
_WITH_DIGITS = re.compile(rb"[A-Za-z0-9_-]*0[A-Za-z0-9_-]*")
_LEVEL = re.compile(
    rb"(?i:level|severity|lvl|priority)\"?\s?[:=]\s?\"?[0-9]{1,2}|\"[sl]\"\s?:\s?[0-9]|^.{0,4}<[0-9]{1,3}>"
)


class LookAlikes:
    """Of the records of one log."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Seen] = OrderedDict()
        self._began_ns = 0
        self._read = 0
        self._flooded = False

    def of(self, text: str, now_ns: int) -> Seen | None:
        """What is known of a record that looks like this one; None unless there is a flood."""
        self._pass(now_ns)
        if not self._flooded:
            return None
        key = _key(text)
        seen = None if key is None else self._known.get(key)
        if seen is not None:
            self._read += 1  # it would have been
        return seen

    def learn(self, text: str, seen: Seen, now_ns: int) -> None:
        """A record of a shape that was not known was read whole."""
        self._pass(now_ns)
        self._read += 1
        if self._read < FLOOD // 2 and not self._flooded:
            return
        self._flooded = self._flooded or self._read >= FLOOD
        key = _key(text)
        if key is not None:
            self._known[key] = seen
            if len(self._known) > _KNOWN_MAX:
                self._known.popitem(last=False)

    def _pass(self, now_ns: int) -> None:
        if 0 <= now_ns - self._began_ns < FLOOD_NS:
            return
        self._flooded = self._flooded and self._read >= FLOOD
        if not self._flooded:
            self._known.clear()
        self._began_ns, self._read = now_ns, 0


def _key(text: str) -> bytes | None:
    head = text[:_CHARS]
    masked = shapes.masked(head)
    if b"HTTP/" in masked or b"tatus" in masked or b"TATUS" in masked:
        return None
    raw = head.encode("utf-8", "replace")
    return _WITH_DIGITS.sub(b"0", masked) + b"\0".join(_LEVEL.findall(raw))
