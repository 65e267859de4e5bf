"""What rules, services and errors say in English, in the reader's language.

Sentences are worded once, in English, where they are decided, and kept so: a history says the same for ever. Whoever
shows one to a person lets it through `said`, which knows every sentence by its shape and says it in Chinese, with the
names, numbers and the programs' own words in it as they are. What it does not know stays as it is. A test reads
the code for sentences that have no translation. Not here: labels and forms (the console's catalogs).
"""

from __future__ import annotations

import re
from functools import lru_cache

from sitewarden_collector.services.sentences.chinese_errors import ERRORS
from sitewarden_collector.services.sentences.chinese_errors_more import MORE_ERRORS
from sitewarden_collector.services.sentences.chinese_health import HEALTH
from sitewarden_collector.services.sentences.chinese_rules import RULES
from sitewarden_collector.services.sentences.chinese_words import WORDS
from sitewarden_collector.services.sentences.chinese_work import WORK

PARTS_MAX = 4  # a sentence may hold another one
CHARACTERS_MAX = 4_000  # of a line; a longer one is a program's
LETTERS_MIN = 5  # fixed in a sentence: of one with fewer nobody could tell whether it is one of ours
PAIRS = (*RULES, *WORK, *HEALTH, *ERRORS, *MORE_ERRORS)
_GAP = re.compile(r"\{\}")


class _Shape:
    """One sentence: what stands fixed in it, and the gaps between, none of them empty. Matched in one pass."""

    __slots__ = ("chinese", "fixed", "letters", "parts")

    def __init__(self, english: str, chinese: str) -> None:
        self.parts = _GAP.split(english)
        self.chinese = chinese
        self.fixed = sum(map(len, self.parts))
        self.letters = sum(character.isalpha() for part in self.parts for character in part)

    def gaps(self, line: str) -> list[str] | None:
        """What stands in the gaps, each as short as can be; None when the line is not this sentence."""
        if len(self.parts) == 1:
            return [] if line == self.parts[0] else None
        first, *between, last = self.parts
        end = len(line) - len(last)
        if not line.startswith(first) or not line.endswith(last):
            return None
        at, found = len(first), []
        for part in between:
            next_at = line.find(part, at + 1, end)
            if next_at < 0:
                return None
            found.append(line[at:next_at])
            at = next_at + len(part)
        return [*found, line[at:end]] if at < end else None


def _shapes() -> list[_Shape]:
    """Those whose beginning is fixed first, and of these the one with the most fixed words: it is the right one."""
    shapes = []
    for english, chinese in PAIRS:
        for one, other in zip(english.split("\n"), chinese.split("\n"), strict=True):
            shape = _Shape(one, other)
            if shape.letters >= LETTERS_MIN:
                shapes.append(shape)
    return sorted(shapes, key=lambda shape: (not shape.parts[0], -shape.fixed))


_SHAPES = _shapes()


def said(text: str, language: str) -> str:
    """`text` in that language (en or zh), line by line."""
    if language != "zh" or not text:
        return text
    return "\n".join(_line(line, PARTS_MAX) for line in text.split("\n"))


def said_of_page(body: str, language: str) -> str:
    """A page's body in that language: its first and its last paragraph are ours, what stands between are a program's
    own words or titles."""
    if language != "zh":
        return body
    paragraphs = body.split("\n\n")
    ours = {0, len(paragraphs) - 1}
    return "\n\n".join(said(one, language) if place in ours else one for place, one in enumerate(paragraphs))


@lru_cache(maxsize=4096)
def _line(line: str, depth: int) -> str:
    if not line.strip() or depth == 0 or len(line) > CHARACTERS_MAX:
        return line
    if (word := WORDS.get(line)) is not None:
        return word
    for shape in _SHAPES:
        if (found := shape.gaps(line)) is not None:
            return shape.chinese.format(*(_line(part, depth - 1) for part in found))
    return _measure(line)


_MEASURES = (
    (re.compile(r"([\d.,e+-]+) s"), "{0} 秒"),
    (re.compile(r"([\d.,e+-]+) min"), "{0} 分钟"),
    (re.compile(r"([\d.,e+-]+) h"), "{0} 小时"),
    (re.compile(r"([\d.,e+-]+) days?"), "{0} 天"),
)


def _measure(text: str) -> str:
    """A length of time; anything else as it is."""
    for pattern, chinese in _MEASURES:
        if (found := pattern.fullmatch(text)) is not None:
            return chinese.format(*found.groups())
    return text
