"""Rules for secrets in the format of gitleaks: ours (`secret_rules.toml`) and the customer's own.

Promises: one pass over a text tells which keywords stand in it; a rule runs only where one of its own does, and its
pattern is compiled when it first does. Of the format are read: id, regex, keywords, entropy, secretGroup, allowlists
(regexes, regexTarget, stopwords, condition), of the rule and of the file; a rule for paths alone is none for text. Not
here: reading files, and the engine for patterns of others: `compiled` is an argument, so that the agent can give one
that no pattern makes slow.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sitewarden_alerting.reading.redact_values import PSEUDONYM, Token

OPEN_END: Final = 4_000
"""What an open repeat (`{20,}`) ends at in our own patterns, so that no text takes long."""
WITHOUT_KEYWORDS_MAX: Final = 16
"""Rules without keywords run over every record: so many of a file are taken."""
_MATCHES_MAX: Final = 1_000
_OPEN: Final = re.compile(r"\{(\d+),\}")


class RulesError(ValueError):
    """A file of rules that cannot be used. The message says which rule, and what to do."""


class Match(Protocol):
    """What a match of `re` and of RE2 have in common."""

    def span(self, group: int = 0, /) -> tuple[int, int]: ...
    def group(self, group: int = 0, /) -> Any: ...


class Pattern(Protocol):
    """What a pattern of `re` and of RE2 have in common."""

    @property
    def groups(self) -> int: ...
    def search(self, text: str, /) -> Any: ...
    def finditer(self, text: str, /) -> Iterator[Any]: ...


Compiled = Callable[[str], Pattern]


def bounded(pattern: str) -> Pattern:
    """One of our own patterns, compiled by `re`."""
    return re.compile(_OPEN.sub(rf"{{\1,{OPEN_END}}}", pattern))


@dataclass(frozen=True, slots=True)
class Allowlist:
    """What a rule finds and is no secret all the same."""

    regexes: tuple[str, ...] = ()
    target: str = "secret"
    """What the regexes look at: secret, match or line."""
    stopwords: tuple[str, ...] = ()
    every: bool = False
    """Whether all conditions must hold, instead of one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One shape of a secret."""

    name: str
    pattern: str
    keywords: tuple[str, ...] = ()
    group: int = 0
    """What is taken out; 0: the first group that matched, or the whole."""
    entropy: float = 0.0
    allowed: tuple[Allowlist, ...] = ()
    compiled: Compiled = bounded


def parse(text: str, *, compiled: Compiled = bounded) -> tuple[Rule, ...]:
    """The rules of a file. Raises RulesError. Patterns are not compiled yet (`check` does it)."""
    try:
        file = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesError(f"this is not valid TOML: {error}") from None
    tables = file.get("rules", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RulesError("rules must be a list of tables; write each as [[rules]]")
    common = tuple(_allowlists(file, "the file"))
    rules = tuple(_rule(table, common, compiled) for table in tables if "regex" in table or "path" not in table)
    bare = [rule.name for rule in rules if not rule.keywords]
    if len(bare) > WITHOUT_KEYWORDS_MAX:
        raise RulesError(
            f"{len(bare)} rules have no keywords, and so would run over every record ({', '.join(bare[:3])}, ...); "
            f"give keywords to all but {WITHOUT_KEYWORDS_MAX}"
        )
    return rules


def check(rules: Iterable[Rule]) -> None:
    """Raises RulesError for a pattern that cannot be compiled, or that would take out everything."""
    for rule in rules:
        allowing = (pattern for each in rule.allowed for pattern in each.regexes)
        for source in (rule.pattern, *allowing):
            try:
                pattern = rule.compiled(source)
            except Exception as error:  # noqa: BLE001 - each engine has errors of its own
                said = error.args[0] if error.args else error
                why = said.decode(errors="replace") if isinstance(said, bytes) else said
                raise RulesError(
                    f"rule {rule.name!r}: the pattern cannot be used ({why}); it must be one of RE2, without "
                    "looking around or back, and with repeats of 1,000 at most"
                ) from None
            if source is rule.pattern and pattern.search("") is not None:
                raise RulesError(f"rule {rule.name!r}: the pattern matches an empty text; let it ask for something")
            if source is rule.pattern and rule.group > pattern.groups:
                raise RulesError(f"rule {rule.name!r}: secretGroup is {rule.group}, the pattern has {pattern.groups}")


def _rule(table: dict[str, Any], common: tuple[Allowlist, ...], compiled: Compiled) -> Rule:
    name = table.get("id")
    if not isinstance(name, str) or not name:
        raise RulesError("a rule has no id; give each one, so that complaints can name it")
    pattern, group, entropy = table.get("regex"), table.get("secretGroup", 0), table.get("entropy", 0)
    if not isinstance(pattern, str) or not pattern:
        raise RulesError(f"rule {name!r} has no regex; write one as text")
    if not isinstance(group, int) or group < 0:
        raise RulesError(f"rule {name!r}: secretGroup must be the number of a group, not {group!r}")
    if not isinstance(entropy, int | float):
        raise RulesError(f"rule {name!r}: entropy must be a number, not {entropy!r}")
    keywords = tuple(word.lower() for word in _texts(table, "keywords", name) if word)
    allowed = (*_allowlists(table, f"rule {name!r}"), *common)
    return Rule(name, pattern, keywords, group, float(entropy), allowed, compiled)


def _allowlists(table: dict[str, Any], whose: str) -> Iterator[Allowlist]:
    found = [*_tables(table.get("allowlists", [])), *_tables(table.get("allowlist", []))]
    for each in found:
        regexes, stopwords = _texts(each, "regexes", whose), _texts(each, "stopwords", whose)
        every = str(each.get("condition", "OR")).upper() in ("AND", "&&")
        if every and (each.get("paths") or each.get("commits")):
            continue  # text has neither
        if regexes or stopwords:
            yield Allowlist(
                regexes, str(each.get("regexTarget", "secret")), tuple(word.lower() for word in stopwords), every
            )


def _tables(value: object) -> list[dict[str, Any]]:
    tables = value if isinstance(value, list) else [value]
    return [table for table in tables if isinstance(table, dict)]


def _texts(table: dict[str, Any], key: str, whose: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RulesError(f"{whose}: {key} must be a list of texts")
    return tuple(value)


class Shapes:
    """Replaces what rules find. Holds no state but the patterns that were compiled."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._always = tuple(rule for rule in rules if not rule.keywords)
        self._by_keyword: dict[str, list[Rule]] = {}
        for rule in rules:
            for keyword in rule.keywords:
                self._by_keyword.setdefault(keyword, []).append(rule)
        self._order = {rule.name: number for number, rule in enumerate(rules)}
        self._any = _any_of(self._by_keyword)
        self._compiled: dict[tuple[Compiled, str], Pattern] = {}

    @property
    def keywords(self) -> tuple[str, ...]:
        return tuple(self._by_keyword)

    @property
    def runs_always(self) -> bool:
        """Whether a rule runs over every text."""
        return bool(self._always)

    @property
    def compiled(self) -> int:
        """How many patterns were needed so far."""
        return len(self._compiled)

    def replace(self, text: str, lowered: str, token: Token) -> str:
        """`text` with every finding replaced. `lowered` is `text.lower()`."""
        if self._any is not None and self._any.search(lowered) is not None:
            due = {rule.name: rule for word, found in self._by_keyword.items() if word in lowered for rule in found}
            for name in sorted(due, key=self._order.__getitem__):
                text = self._one(due[name], text, token)
        for rule in self._always:
            text = self._one(rule, text, token)
        return text

    def _one(self, rule: Rule, text: str, token: Token) -> str:
        parts: list[str] = []
        done = 0
        for number, match in enumerate(self._pattern(rule, rule.pattern).finditer(text)):
            if number >= _MATCHES_MAX:
                return "".join(parts) + token("secret", text[done:])  # better all of the rest than one too few
            start, end = _span(rule, match, self._pattern(rule, rule.pattern).groups)
            if (
                start < done
                or end <= start
                or _is_token(text, start, end)
                or self._is_allowed(rule, match, text, (start, end))
            ):
                continue
            parts += (text[done:start], token("secret", text[start:end]))
            done = end
        return "".join(parts) + text[done:] if parts else text

    def _is_allowed(self, rule: Rule, match: Match, text: str, span: tuple[int, int]) -> bool:
        secret = text[span[0] : span[1]]
        if rule.entropy and _entropy(secret) <= rule.entropy:
            return True
        return any(self._allows(rule, each, match, text, span) for each in rule.allowed)

    def _allows(self, rule: Rule, allowed: Allowlist, match: Match, text: str, span: tuple[int, int]) -> bool:
        secret = text[span[0] : span[1]]
        looked_at = secret
        if allowed.target == "match":
            looked_at = str(match.group(0))
        elif allowed.target == "line":
            end = text.find("\n", span[1])
            looked_at = text[text.rfind("\n", 0, span[0]) + 1 : end if end >= 0 else len(text)]
        holds = []
        if allowed.regexes:
            holds.append(any(self._pattern(rule, each).search(looked_at) is not None for each in allowed.regexes))
        if allowed.stopwords:
            lowered = secret.lower()
            holds.append(any(word in lowered for word in allowed.stopwords))
        return all(holds) if allowed.every else any(holds)

    def _pattern(self, rule: Rule, source: str) -> Pattern:
        pattern = self._compiled.get((rule.compiled, source))
        if pattern is None:
            pattern = self._compiled[rule.compiled, source] = rule.compiled(source)
        return pattern


def _span(rule: Rule, match: Match, groups: int) -> tuple[int, int]:
    if rule.group:
        return match.span(rule.group)
    for group in range(1, groups + 1):
        span = match.span(group)
        if span[1] > span[0]:
            return span
    return match.span(0)


def _is_token(text: str, start: int, end: int) -> bool:
    """A pseudonym, or a part of one."""
    around = text[max(0, start - 12) : end + 20]
    return "<" in around and any(
        found.start() < end - start + min(start, 12) and found.end() > min(start, 12)
        for found in PSEUDONYM.finditer(around)
    )


def _entropy(text: str) -> float:
    """Bits for each character, after Shannon."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def _any_of(keywords: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern that finds whether any of them is there: a tree of their letters, many times faster than a list."""
    root: dict[str, Any] = {}
    for word in keywords:
        node = root
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = None
    return re.compile(_branches(root)) if root else None


def _branches(node: dict[str, Any]) -> str:
    if "" in node or not node:
        return ""
    found = [re.escape(letter) + _branches(below) for letter, below in sorted(node.items())]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"
