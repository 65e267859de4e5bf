"""The fingerprint: a stateless function of one redacted record which is the same at every site.

Promises: `of` masks what varies and gives the rest a short id. The same fault has the same id on every host, for
every user, in every release that did not change its text or its place; a different text, exception or place has a
different one. The id begins with the version of the algorithm. When the algorithm changes, `VERSION` rises and
`ALIASES` leads from ids of old versions to those of the new, so that tickets and known errors survive.
Not here: merges learned from many messages, and corrections by an engineer (`grouping`); finding the message in a
line (`reading`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

from sitewarden_alerting.fingerprint import masks, stacks

VERSION = "f1"
ALIASES: Mapping[str, str] = MappingProxyType({})
"""Ids of earlier versions -> ids of this one, for messages whose id the new version changed. Empty while there is one
version.
"""

MAX_TEMPLATE_CHARS = 1000
MAX_LINES = 400
MAX_LINE_CHARS = 400
"""How far into a record a trace is looked for."""
TELLING_WORDS = 3
"""A template with fewer constant words says too little to stand alone: the component then counts as part of the
identity.
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`id` such as `f1:0123456789abcdef`; `template` is what a person reads: constant words, and `<*>` for what
    varies.
    """

    id: str
    template: str


_WORD = re.compile(r"[^\W\d_]{2,}")
_BARE_HEAD = re.compile(
    r"Traceback \(most recent call last\)|Exception in thread|Stack trace|panic|goroutine \d+|\S+:\d+$"
    r"|thread '.*' panicked"
)


def of(message: str, *, component: str = "") -> Fingerprint:
    """The fingerprint of a redacted message (text after the header; further lines after newlines).

    The component is part of the identity only when the message alone tells too little; process numbers, threads and
    hosts never are.
    """
    head, newline, rest = message.partition("\n")
    if newline and rest:
        return _of_lines(head, rest, component)
    return _identify(masks.template(head[: 2 * MAX_TEMPLATE_CHARS]), component, "")


def current(fingerprint_id: str) -> str:
    """The id of this version for an id of any version."""
    return ALIASES.get(fingerprint_id, fingerprint_id)


def _of_lines(head: str, rest: str, component: str) -> Fingerprint:
    lines = [line[:MAX_LINE_CHARS] for line in rest.split("\n", MAX_LINES)[:MAX_LINES]]
    stack = stacks.read([head[:MAX_LINE_CHARS], *lines])
    if stack is None:
        first = masks.template(head[: 2 * MAX_TEMPLATE_CHARS])
        if len(_WORD.findall(first)) < TELLING_WORDS:
            following = next((line for line in lines if line.strip()), "")
            first = f"{first} {masks.template(following[: 2 * MAX_TEMPLATE_CHARS])}"
        return _identify(first, component, "")
    chain = " <- ".join(stack.types)
    place = " < ".join(stack.frames)
    if _BARE_HEAD.match(head) is not None or any(kind in head for kind in stack.types):
        first = "" if stack.types else masks.template(head)
    else:
        first = masks.template(head[: 2 * MAX_TEMPLATE_CHARS])
    trace = f"{chain} at {place}" if chain else f"at {place}"
    return _identify(first, component, trace)


@lru_cache(maxsize=1 << 11)
def _identify(template: str, component: str, trace: str) -> Fingerprint:
    template = template[:MAX_TEMPLATE_CHARS]
    if trace:
        shown = f"{template} | {trace}" if template else trace
        return Fingerprint(_id(template, trace), shown)
    if len(_WORD.findall(template.replace(masks.WILD, " "))) >= TELLING_WORDS:
        return Fingerprint(_id(template), template)
    return Fingerprint(_id(template, masks.template(component)), template)


def _id(*parts: str) -> str:
    return f"{VERSION}:{blake2b(chr(31).join(parts).encode(), digest_size=8).hexdigest()}"
