"""What counts as evidence that templates are one fault: they differ in a place which holds values, not meaning.

A *frame* is a template with places left open: each single word in turn, and all its identifiers at once. Templates
that share a frame differ only there. How many different values must be seen before the place counts as a variable
depends on two things: how much constant text stands around it, and what the values look like. An identifier
(`node-D3`, `com.acme.Foo`) is a value by its form; a plain word may carry the meaning (`started`, `failed`), so it
needs many witnesses, and words of state never count.

Promises: pure functions of templates. Not here: the stream and what is remembered of it
(`sitewarden_alerting.grouping`).
"""

import re
from collections.abc import Collection, Container, Iterator
from enum import IntEnum
from hashlib import blake2b

WILD = "<*>"
OPEN = "\0"
MAX_TOKENS = 60
"""Longer templates are compared by their first tokens' frames only; what differs late in a long text is rarely its
meaning.
"""

_TRACE = " | "
_WORD = re.compile(r"[^\W\d_]{2,}")
_MEANING = re.compile(
    r"""[^\w<]*(?:
    no|not|none|never|without|any|all|some|and|or|is|are|was|were|has|have|had|be|been|to|from|in|on|at|by|for|with
    |of|as|the|a|an|ok|okay|true|false|yes|null|nil|up|down|off|active|inactive|enabled?|disabled?|open|opened
    |opening|closed?|closing|start(?:ed|ing)?|stop(?:ped|ping)?|restart(?:ed|ing)?|success(?:ful|fully)?
    |succeed(?:ed|s)?|fail(?:ed|ure|s|ing)?|errors?|warn(?:ing)?s?|fatal|critical|panic|abort(?:ed)?|killed|dead
    |alive|running|resumed?|paused?|suspend(?:ed)?|connect(?:ed|ing|ion)?|disconnect(?:ed|ing|ion)?|online|offline
    |lost|found|missing|created?|creating|deleted?|deleting|deletion|add(?:ed|ing)?|remov(?:ed|ing|e)|accept(?:ed)?
    |reject(?:ed)?|den(?:y|ied)|allow(?:ed)?|grant(?:ed)?|refused|timed?|timeout|expired|invalid|valid|unknown|known
    |begin|began|end(?:ed)?|enter(?:ed|ing)?|exit(?:ed|ing)?|read(?:ing)?|writ(?:e|ing|ten)|sent|send(?:ing)?
    |receiv(?:e|ed|ing)|load(?:ed|ing)?|unload(?:ed|ing)?|lock(?:ed)?|unlock(?:ed)?|mount(?:ed)?|unmount(?:ed)?|full
    |empty|low|high|first|last|min|max|before|after|inside|outside|local|remote|primary|secondary|source|destination
    |src|dst|input|output|in|out|client|server|master|slave|replica|left|right|old|new|GET|POST|PUT|PATCH|DELETE
    |HEAD|OPTIONS|CONNECT|SELECT|INSERT|UPDATE|CREATE|DROP|ALTER|BEGIN|COMMIT|ROLLBACK
    |\S*(?:Exception|Error|Throwable|Failure|Fault|Warning)
    )[^\w>]*$""",
    re.VERBOSE | re.IGNORECASE,
)
_NAMED = re.compile(
    r"\W*(?:ipv[46]|https?|tcp|udp|tls|ssl|utf-?8|md5|sha\d+|x86(?:_64)?|amd64|arm64)\W*$", re.IGNORECASE
)
_NAMED_IN_BRACKETS = re.compile(r"(?:\[[A-Za-z_][\w.@-]*\]|\([A-Za-z_][\w.@-]*\))[,:;.]?$")  # `[web]`: which, not what
_STATE = re.compile(
    r"""\W+(?:up|down|on|off|ok|failed|failure|error|warn(?:ing)?|info|debug|notice|fatal|critical|open|closed|active
    |inactive|enabled?|disabled?|running|stopped|started|success|timeout|true|false|yes|no|none|null|full|empty
    |dead|alive|lost|online|offline|read|write|in|accept|connect|primary|secondary|master|slave|standby)\W+$""",
    re.VERBOSE | re.IGNORECASE,
)
_NUMBERED = re.compile(r"[\W_]*(?:[A-Za-z]{0,5}[\W_]*(?:<\*>|\d+)[\W_]*)+(?:[A-Za-z]{0,4}[\W_]*)$")
_QUALIFIED = re.compile(r"\W*(?:[\w$-]+[./\\@])+[\w$-]+\W*$")
_JOINED = re.compile(r".*(?:\d|<\*>|[A-Za-z0-9][_.@:/\\~#$-][A-Za-z0-9]|[a-z][A-Z]|[A-Z]{2}[a-z])")
_TAG = re.compile(r"[A-Za-z][\w.-]*\(.*\):$|[A-Za-z]\S*\.(?:service|socket|timer|mount):$")
"""A first word such as `pam_unix(cron:session):` or `nginx.service:` says what is spoken of; that is no value."""

_RUN = re.compile(r"<\*>(?: <\*>)+(?![\w/])")


class Shape(IntEnum):
    """What a token looks like, in the order in which it is believed to be a value."""

    MEANING = 0  # state, negation, direction, a verb, an exception: may make the difference between two faults
    WORD = 1
    JOINED = 2  # CamelCase, snake_case, a-b, a.b.c: a name of something, in the code or in the world
    INDEXED = 3  # a longer name with numbers: `broadcast_<*>_piece<*>`
    NUMBERED = 4  # short letters with numbers: an id that the masks could not recognise


# How many values must be seen in a place, by shape and constant words around it: (words, values) from strict to lax.
_WITNESSES = {
    Shape.WORD: ((12, 3), (8, 5), (5, 6), (3, 10), (2, 20)),
    Shape.JOINED: ((6, 3), (4, 4), (3, 5), (2, 8)),
    Shape.INDEXED: ((6, 2), (4, 3), (3, 4), (2, 6)),
    Shape.NUMBERED: ((3, 2), (2, 3)),
}
# The same where a sibling has the very place masked already, which is one of the values.
_BESIDE_MASK = {
    Shape.WORD: ((6, 2), (4, 3), (3, 4), (2, 6)),
    Shape.JOINED: ((3, 2), (2, 3)),
    Shape.INDEXED: ((2, 2),),
    Shape.NUMBERED: ((2, 2),),
}
_STRICT_TO_LAX = (Shape.NUMBERED, Shape.INDEXED, Shape.JOINED, Shape.WORD)
SAME_TRACE = 8
"""Templates with the same exceptions at the same place have more in common than their words: it counts as so many."""
FIRST_PLACE = 2
"""A message begins with its verb or function rather than with a value: there, so many words around do not count."""


def head(template: str) -> str:
    """The part of a template that may differ: the message, not the exceptions and frames of a trace."""
    text, bar, _ = template.rpartition(_TRACE)
    return text if bar else template


def shape(token: str) -> Shape:
    """What a token of a template looks like."""
    if _NAMED_IN_BRACKETS.match(token) is not None and _STATE.match(token) is None:
        return Shape.JOINED
    if "=" in token or "..." in token or _MEANING.match(token) is not None or _NAMED.match(token) is not None:
        return Shape.MEANING
    if _NUMBERED.match(token) is not None:
        return Shape.NUMBERED
    if _JOINED.match(token) is not None:
        return Shape.INDEXED if WILD in token else Shape.JOINED
    return Shape.WORD if any(char.isalnum() for char in token) else Shape.MEANING


def frames(template: str, severity: int) -> Iterator[tuple[int, str, int]]:
    """The frames of a template: (key, value in the open place, constant words around it).

    Nothing for a bare trace: exceptions and frames are never variables. The severity is part of the key, so templates
    of different severities never meet.
    """
    text = head(template)
    if text == template and " at " in template and " < " in template:
        return
    trace = template[len(text) :]
    tokens = text.split(" ")
    is_tagged = _TAG.match(tokens[0]) is not None
    words = [len(_WORD.findall(token.replace(WILD, " "))) if token != WILD else 0 for token in tokens]
    total = sum(1 for count in words if count) + (SAME_TRACE if trace else 0)
    for place, token in enumerate(tokens[:MAX_TOKENS]):
        if place == 0 and is_tagged:
            continue
        key = _key(severity, trace, [*tokens[:place], OPEN, *tokens[place + 1 :]])
        yield key, token, total - (1 if words[place] else 0) - (FIRST_PLACE if place == 0 else 0)
    identifiers = [
        place
        for place, token in enumerate(tokens)
        if token != WILD and shape(token) >= Shape.JOINED and not (place == 0 and is_tagged)
    ]
    if len(identifiers) > 1:
        opened = [OPEN if place in identifiers or token == WILD else token for place, token in enumerate(tokens)]
        around = total - sum(1 for place in identifiers if words[place]) - (FIRST_PLACE if 0 in identifiers else 0)
        yield _key(severity, trace, opened), " ".join(tokens[place] for place in identifiers), around


def _key(severity: int, trace: str, tokens: list[str]) -> int:
    text = "\1".join((str(severity), trace, *tokens))
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def opened(one: str, other: str) -> str:
    """The template of two that share a frame with the place open, and runs of open places as one, as the masks do."""
    columns = zip(one.split(" "), other.split(" "), strict=False)
    return _RUN.sub(WILD, " ".join(a if a == b else WILD for a, b in columns))


def bare(token: str) -> str:
    """A token without the punctuation around it, as the vocabulary keeps it."""
    return token.strip("()[]{}<>\"'`.,:;!?")


def variable(values: Collection[str], around: int, *, vocabulary: Container[str] = ()) -> set[str]:
    """Which of the values seen in an open place are proven to be values of one variable; empty when nothing is
    proven.

    `around` is the number of constant words that the templates share. `vocabulary` holds plain words which other
    places have proven to be values (`alice`, `bob`): they are believed as readily as identifiers.
    """
    shapes = {value: shape(value) for value in values}
    for value, kind in shapes.items():
        if kind is Shape.WORD and bare(value) in vocabulary:
            shapes[value] = Shape.JOINED
    usable = [value for value in values if shapes[value] is not Shape.MEANING or value == WILD]
    proven: set[str] = set()
    for least in _STRICT_TO_LAX:
        alike = [value for value in usable if shapes[value] >= least]
        if len(alike) >= _needed(_WITNESSES[least], around):
            proven.update(alike)
    for mask in usable:
        if WILD not in mask:
            continue
        # This place is masked in a sibling: that it varies is known, only the form of the other values hid it.
        hides = re.compile(re.escape(mask).replace(re.escape(WILD), ".+") + "$")
        hidden = [value for value in usable if value != mask and hides.match(value) is not None]
        for least in _STRICT_TO_LAX:
            alike = [value for value in hidden if shapes[value] >= least]
            if alike and len(alike) + 1 >= _needed(_BESIDE_MASK[least], around):
                proven.update(alike)
                proven.add(mask)
    return proven if len(proven) > 1 else set()


def _needed(steps: tuple[tuple[int, int], ...], around: int) -> int:
    return next((values for words, values in steps if around >= words), 1 << 30)
