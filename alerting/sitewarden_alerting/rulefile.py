"""Rule packs: TOML text to a rulebook, with every mistake told at once, each with its line.

    [[rule]]
    name = "memory"                # unique; a later file's rule of the same name replaces it
    kind = "threshold"             # or new_fault, rate, storm, probe_failed, absence, agent_silent, data_lost, changed
    series = "memory_used_ratio"
    above = "95 %"                 # numbers, or text with a unit: "95 %", "10 GiB"
    for = "5 m"                    # times need a unit: s, m, h, d
    severity = "error"             # debug, info, warning, error, critical
    title = "Memory nearly full"
    page = true

    disable = ["load"]             # at the top of the file: rules of earlier files that are not wanted

`parse` gives the pack or raises Complaints; `combine` joins packs in their order. The shipped packs are data of this
package (`packs/*.toml`). Not here: opening files.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules.rulebook import (
    Absence,
    AgentSilent,
    AnyRule,
    Changed,
    DataLost,
    LogFilter,
    NewFault,
    ProbeFailed,
    Rate,
    Rulebook,
    Storm,
    Threshold,
)

GAP_REASONS = ("shed", "expired", "refused", "restored", "file_lost", "redaction", "spool_lost")
_TIMES = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZES = {"%": 0.01, "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_SIZES |= {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12} | _TIMES
_QUANTITY = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z%]*)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    line: int
    text: str


class Complaints(ValueError):
    """Everything that is wrong with a rule file. `complaints` are in the order of their lines."""

    def __init__(self, name: str, complaints: Iterable[Complaint]) -> None:
        self.name = name
        self.complaints = tuple(sorted(complaints))
        super().__init__("\n".join(f"{name}:{complaint.line}: {complaint.text}" for complaint in self.complaints))


@dataclass(frozen=True, slots=True)
class Pack:
    """One file's rules, and the names of earlier rules that it takes out."""

    name: str
    rules: tuple[AnyRule, ...]
    disable: tuple[str, ...] = ()


class _Wrong(ValueError):
    """A value that cannot be used; the message says why and what would be right."""


def parse(text: str, name: str = "rules") -> Pack:
    """The pack that `text` holds; raises Complaints with every mistake in it. `name` is what they call the file."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        said = re.sub(r" \(at .*\)$", "", str(error))
        raise Complaints(name, [Complaint(line, f"this is not TOML: {said}")]) from error
    reader = _Reader(_Lines(text))
    pack = reader.pack(raw, name)
    if reader.complaints:
        raise Complaints(name, reader.complaints)
    return pack


def combine(packs: Iterable[Pack]) -> Rulebook:
    """One book of several packs: what comes later replaces rules of the same name, or takes them out."""
    rules: dict[str, AnyRule] = {}
    for pack in packs:
        for name in pack.disable:
            rules.pop(name, None)
        rules.update({rule.name: rule for rule in pack.rules})
    return Rulebook(tuple(rules.values()))


class _Lines:
    """Where things stand in a TOML text that has been parsed: a scan for tables and keys, blind inside long strings."""

    def __init__(self, text: str) -> None:
        self.keys: dict[tuple[int, str], int] = {}
        self.rules: list[int] = []
        table, fence = -1, ""
        for number, line in enumerate(text.splitlines(), start=1):
            if fence:
                fence = "" if line.count(fence) % 2 else fence
                continue
            if re.match(r"\s*\[\[\s*[\"']?rule[\"']?\s*\]\]", line):
                table += 1
                self.rules.append(number)
            elif found := re.match(r"\s*\[+\s*(rule\.)?([\w\-]+)", line):
                self.keys.setdefault((table if found[1] else -1, found[2]), number)
            elif found := re.match(r"\s*[\"']?([\w\-]+)[\"']?\s*[.=]", line):
                self.keys.setdefault((table, found[1]), number)
            for mark in ('"""', "'''"):
                if line.count(mark) % 2:
                    fence = mark

    def of_rule(self, rule: int, key: str = "") -> int:
        start = self.rules[rule] if 0 <= rule < len(self.rules) else 1
        return self.keys.get((rule, key), start)


@dataclass(frozen=True, slots=True)
class _Field:
    """How one key is read, and under which name the rule keeps it."""

    read: Callable[[Any], Any]
    keep: str = ""
    needed: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong(f"it must be text in quotes, not {_shown(value)}")
    return value


def _word(value: Any) -> str:
    """A name that becomes part of a fault's identity."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", value):
        raise _Wrong(f"it must be a word of letters, digits, '_', '-' and '.', up to 64 long, not {_shown(value)}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"it must be true or false, not {_shown(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Wrong(f"it must be a whole number of at least 1, not {_shown(value)}")
    return value


def _seconds(value: Any) -> float:
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None or not found[2]:
        raise _Wrong(f'it must be a time with its unit, such as "90 s", "5 m", "2 h" or "7 d", not {_shown(value)}')
    if found[2] not in _TIMES:
        raise _Wrong(f"unknown unit of time {found[2]!r}{_near(found[2], _TIMES)}; the units are s, m, h, d")
    if float(found[1]) <= 0:
        raise _Wrong(f"it must be longer than nothing, not {_shown(value)}")
    return float(found[1]) * _TIMES[found[2]]


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _Wrong(f'it must be a number, or text such as "95 %" or "10 GiB", not {_shown(value)}')
    if found[2] and found[2] not in _SIZES:
        raise _Wrong(f"unknown unit {found[2]!r}{_near(found[2], _SIZES)}; the units are {', '.join(_SIZES)}")
    return float(found[1]) / 100 if found[2] == "%" else float(found[1]) * _SIZES.get(found[2], 1.0)


def _severity(value: Any) -> Severity:
    names = [severity.name.lower() for severity in Severity]
    if not isinstance(value, str) or value.lower() not in names:
        near = _near(value, names) if isinstance(value, str) else ""
        raise _Wrong(f"unknown severity {_shown(value)}{near}; the severities are {', '.join(names)}")
    return Severity[value.upper()]


def _pattern(value: Any) -> str:
    text = _text(value)
    try:
        re.compile(text)
    except re.error as error:
        raise _Wrong(f"it is no regular expression: {error}") from error
    if re.search(r"[+*}]\)[+*{]", text):
        raise _Wrong("a repetition inside a repetition can take for ever; write it with a single one")
    return text


def _labels(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise _Wrong(f'it must be a table of texts, such as {{ mount = "/data*" }}, not {_shown(value)}')
    return tuple(sorted(value.items()))


def _choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            near = _near(value, allowed) if isinstance(value, str) else ""
            raise _Wrong(f"it cannot be {_shown(value)}{near}; it is one of {', '.join(allowed)}")
        return str(value)

    return read


def _choices(*allowed: str) -> Callable[[Any], tuple[str, ...]]:
    one = _choice(*allowed)

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _Wrong(f"it must be a list of texts, not {_shown(value)}")
        return tuple(one(item) for item in value)

    return read


_COMMON = {
    "name": _Field(_word, needed=True),
    "kind": _Field(_text, needed=True),
    "severity": _Field(_severity),
    "title": _Field(_text),
    "page": _Field(_truth),
}
_WHERE = {
    "min_severity": _Field(_severity),
    "max_severity": _Field(_severity),
    "source": _Field(_text),
    "component": _Field(_text),
    "contains": _Field(_text),
    "matches": _Field(_pattern),
}
_KINDS: dict[str, tuple[type[Any], Mapping[str, _Field]]] = {
    "new_fault": (NewFault, _WHERE),
    "rate": (
        Rate,
        _WHERE
        | {
            "count": _Field(_whole, needed=True),
            "window": _Field(_seconds, "window_s", needed=True),
            "by": _Field(_choice("site", "agent", "fault")),
        },
    ),
    "storm": (Storm, {"events": _Field(_whole), "faults": _Field(_whole), "window": _Field(_seconds, "window_s")}),
    "threshold": (
        Threshold,
        {
            "series": _Field(_text, needed=True),
            "divide_by": _Field(_text),
            "labels": _Field(_labels),
            "above": _Field(_number),
            "below": _Field(_number),
            "clear": _Field(_number),
            "for": _Field(_seconds, "for_s"),
        },
    ),
    "probe_failed": (
        ProbeFailed,
        {"probe": _Field(_text), "failures": _Field(_whole), "successes": _Field(_whole)},
    ),
    "absence": (
        Absence,
        _WHERE | {"within": _Field(_seconds, "within_s", needed=True), "probe": _Field(_text), "series": _Field(_text)},
    ),
    "agent_silent": (AgentSilent, {"after": _Field(_seconds, "after_s")}),
    "data_lost": (DataLost, {"reasons": _Field(_choices(*GAP_REASONS))}),
    "changed": (Changed, {"change": _Field(_text, needed=True)}),
}


KIND_NAMES: dict[type[Any], str] = {make: name for name, (make, _) in _KINDS.items()}


class _Reader:
    """Turns parsed TOML into rules and gathers complaints on the way."""

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.complaints: list[Complaint] = []

    def pack(self, raw: Mapping[str, Any], name: str) -> Pack:
        for key in raw:
            if key not in ("rule", "disable"):
                self._say(
                    -1, key, f"unknown key {key!r}{_near(key, ('rule', 'disable'))}; a file holds [[rule]] tables"
                )
        disable = raw.get("disable", [])
        if not isinstance(disable, list) or not all(isinstance(one, str) for one in disable):
            self._say(-1, "disable", 'disable must be a list of the names of rules, such as ["load"]')
            disable = []
        tables = raw.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._say(-1, "rule", "rules are written as [[rule]] tables, with two brackets")
            tables = []
        rules: dict[str, AnyRule] = {}
        for place, table in enumerate(tables):
            rule = self._rule(place, table)
            if rule is not None and rule.name in rules:
                self._say(place, "name", f"the name {rule.name!r} is taken by a rule above; names are unique in a file")
            elif rule is not None:
                rules[rule.name] = rule
        return Pack(name, tuple(rules.values()), tuple(disable))

    def _rule(self, place: int, table: Mapping[str, Any]) -> AnyRule | None:
        before = len(self.complaints)
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            near = _near(kind, _KINDS) if isinstance(kind, str) else ""
            said = "a rule needs its kind" if kind is None else f"unknown kind {_shown(kind)}{near}"
            self._say(place, "kind", f"{said}; the kinds are {', '.join(_KINDS)}")
            return None
        make, own = _KINDS[kind]
        fields = {**_COMMON, **own}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in fields:
                self._say(
                    place,
                    key,
                    f"unknown key {key!r} in a rule of kind {kind}{_near(key, fields)}; it has {', '.join(fields)}",
                )
                continue
            try:
                values[fields[key].keep or key] = fields[key].read(value)
            except _Wrong as error:
                self._say(place, key, f"{key}: {error}")
        for key, entry in fields.items():
            if entry.needed and key not in table:
                self._say(place, "", f"a rule of kind {kind} needs {key!r}")
        if len(self.complaints) == before:
            self._check(place, kind, values)
        if len(self.complaints) > before:
            return None
        return self._made(make, kind, values)

    def _made(self, make: type[Any], kind: str, values: dict[str, Any]) -> AnyRule:
        values.pop("kind")
        where = {key: values.pop(key) for key in _WHERE if key in values}
        if kind == "new_fault":
            where.setdefault("min_severity", Severity.ERROR)
            values["where"] = LogFilter(**where)
        elif kind == "rate":
            values["where"] = LogFilter(**where)
        elif kind == "absence" and where:
            values["log"] = LogFilter(**where)
        rule: AnyRule = make(**values)
        return rule

    def _check(self, place: int, kind: str, values: Mapping[str, Any]) -> None:
        """What single values cannot tell."""
        if kind == "threshold":
            above, below, clear = (values.get(key) for key in ("above", "below", "clear"))
            if (above is None) == (below is None):
                self._say(place, "above", "a threshold needs exactly one of 'above' and 'below'")
            elif above is not None and clear is not None and clear > above:
                self._say(place, "clear", f"clear ({clear:g}) must not be more than above ({above:g})")
            elif below is not None and clear is not None and clear < below:
                self._say(place, "clear", f"clear ({clear:g}) must not be less than below ({below:g})")
        if kind == "absence":
            named = [bool(values.get("probe")), bool(values.get("series")), any(key in values for key in _WHERE)]
            if sum(named) != 1:
                keys = ", ".join(_WHERE)
                self._say(
                    place, "within", f"absence needs exactly one thing to wait for: probe, series, or a log ({keys})"
                )

    def _say(self, place: int, key: str, text: str) -> None:
        line = self.lines.of_rule(place, key) if place >= 0 else self.lines.keys.get((-1, key), 1)
        self.complaints.append(Complaint(line, text))


def _near(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
