"""The text formats of Prometheus and OpenMetrics, as far as samples go: name, labels, value. Pure.

One pass of one pattern finds the lines of the names that are wanted; all other lines are never looked at again. Times
and exemplars are left out, and so are values that are no number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

LABELS_MAX = 16
LABEL_MAX = 200
_LABELS = r'\{(?:[^"{}\n]|"(?:[^"\\\n]|\\.)*")*\}'
_PAIR = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPED = re.compile(r'\\(["\\n])')

Wanted = re.Pattern[bytes]


def wanted(names: Iterable[str]) -> Wanted:
    """What finds the samples of these names; * and ? in them match within a name."""
    each = "|".join(name.replace("*", r"[\w:]*").replace("?", r"[\w:]") for name in names)
    return re.compile(rf"^((?:{each})(?:{_LABELS})?)[ \t]+(\S+)".encode(), re.M)


def samples(text: bytes, names: Wanted) -> Iterator[tuple[bytes, float]]:
    """Name with labels as it is written, and the value."""
    for match in names.finditer(text):
        try:
            value = float(match[2])
        except ValueError:
            continue
        if math.isfinite(value):
            yield match[1], value


def series(written: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The name and at most `LABELS_MAX` labels of one sample, in their order of names; long values are cut."""
    name, _, rest = written.decode("utf-8", "replace").partition("{")
    pairs = {key: _ESCAPED.sub(_unescaped, value)[:LABEL_MAX] for key, value in _PAIR.findall(rest)}
    return name, tuple(sorted(pairs.items()))[:LABELS_MAX]


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
