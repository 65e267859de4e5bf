"""Rule packs: TOML text to a rulebook, with every mistake told at once, each with its line.

    [[rule]]
    name = "memory"                # unique; a later file's rule of the same name replaces it
    kind = "threshold"             # or new_fault, noise, rate, storm, probe_failed, absence, agent_silent, data_lost,
                                   # changed
    series = "memory_used_ratio"
    above = "95 %"                 # numbers, or text with a unit: "95 %", "10 GiB"
    for = "5 m"                    # times need a unit: s, m, h, d
    severity = "error"             # debug, info, warning, error, critical
    title = "Memory nearly full"
    page = true
    impact = "The system ends programs."      # what it means, and what to do first: shown with the ticket
    steps = ["See which program grew."]
    [rule.zh]                      # the same in Chinese
    title = "内存将满"

    disable = ["load"]             # at the top of the file: rules of earlier files that are not wanted
    general = true                 # there too: narrow rules of other files go before those of this one

A rule that judges log events (new_fault, noise) and names a text, source or component goes before those that take
whatever is bad enough, and a later pack's before an earlier one's; the first that takes an event decides.

`parse` gives the pack or raises Complaints; `combine` joins packs in their order. The shipped packs are data of this
package (`packs/*.toml`). Not here: opening files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sitewarden_alerting import rulevalues as read
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules.rulebook import (
    Absence,
    AgentSilent,
    AnyRule,
    Changed,
    DataLost,
    Guide,
    LogFilter,
    NewFault,
    Noise,
    ProbeFailed,
    Rate,
    Rulebook,
    Storm,
    Threshold,
)

_TOP = ("rule", "disable", "general")
GAP_REASONS = ("shed", "expired", "refused", "restored", "file_lost", "redaction", "spool_lost")


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
    """One file's rules, and the names of earlier rules that it takes out. `general`: about whatever runs, so that the
    rules of other packs go first."""

    name: str
    rules: tuple[AnyRule, ...]
    disable: tuple[str, ...] = ()
    general: bool = False


def parse(text: str, name: str = "rules") -> Pack:
    """The pack that `text` holds; raises Complaints with every mistake in it. `name` is what they call the file."""
    try:
        raw = tomllib.loads(text)
    except RecursionError as error:
        raise Complaints(name, [Complaint(1, "it is nested too deeply; rules are flat tables")]) from error
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
    places: dict[str, tuple[bool, int]] = {}
    for place, pack in enumerate(packs):
        for name in pack.disable:
            rules.pop(name, None)
        rules.update({rule.name: replace(rule, pack=pack.name) for rule in pack.rules})
        places.update({rule.name: (pack.general, -place) for rule in pack.rules})
    ordered = sorted(rules.values(), key=lambda rule: places[rule.name] if _is_narrow(rule) else (True, 1))
    return Rulebook(tuple(ordered))


def _is_narrow(rule: AnyRule) -> bool:
    return isinstance(rule, NewFault | Noise) and rule.where.is_narrow


class _Lines:
    """Where things stand in a TOML text that has been parsed: a scan for tables and keys, blind inside long strings."""

    def __init__(self, text: str) -> None:
        self.keys: dict[tuple[int, str], int] = {}
        self.rules: list[int] = []
        table, fence = -1, ""
        for number, line in enumerate(text.split("\n"), start=1):
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


def _guide(value: Any) -> Guide:
    """A rule's words in another language."""
    keys = ("title", "impact", "steps")
    if not isinstance(value, dict):
        raise read.Wrong(f"it must be a table with {', '.join(keys)}, not {read.shown(value)}")
    for key in value:
        if key not in keys:
            raise read.Wrong(f"unknown key {key!r}{read.near(key, keys)}; it has {', '.join(keys)}")
    return Guide(
        title=read.text(value["title"]) if "title" in value else "",
        impact=read.text(value["impact"]) if "impact" in value else "",
        steps=read.texts(value["steps"]) if "steps" in value else (),
    )


_COMMON = {
    "name": _Field(read.word, needed=True),
    "kind": _Field(read.text, needed=True),
    "severity": _Field(read.severity),
    "title": _Field(read.text),
    "page": _Field(read.truth),
    "impact": _Field(read.text),
    "steps": _Field(read.texts),
    "zh": _Field(_guide),
}
_WHERE = {
    "min_severity": _Field(read.severity),
    "max_severity": _Field(read.severity),
    "source": _Field(read.text),
    "component": _Field(read.text),
    "file": _Field(read.text),
    "contains": _Field(read.text),
    "contains_any": _Field(read.texts),
    "matches": _Field(read.pattern),
}
_KINDS: dict[str, tuple[type[Any], Mapping[str, _Field]]] = {
    "new_fault": (NewFault, _WHERE),
    "noise": (Noise, _WHERE),
    "rate": (
        Rate,
        _WHERE
        | {
            "count": _Field(read.whole, needed=True),
            "window": _Field(read.seconds, "window_s", needed=True),
            "by": _Field(read.choice("site", "agent", "fault")),
        },
    ),
    "storm": (
        Storm,
        {"events": _Field(read.whole), "faults": _Field(read.whole), "window": _Field(read.seconds, "window_s")},
    ),
    "threshold": (
        Threshold,
        {
            "series": _Field(read.text, needed=True),
            "divide_by": _Field(read.text),
            "labels": _Field(read.labels),
            "above": _Field(read.number),
            "below": _Field(read.number),
            "clear": _Field(read.number),
            "for": _Field(read.seconds, "for_s"),
        },
    ),
    "probe_failed": (
        ProbeFailed,
        {
            "probe": _Field(read.text),
            "probe_kinds": _Field(read.texts),
            "other_than": _Field(read.texts),
            "failures": _Field(read.whole),
            "successes": _Field(read.whole),
            "warning_severity": _Field(read.severity),
        },
    ),
    "absence": (
        Absence,
        _WHERE
        | {
            "within": _Field(read.seconds, "within_s", needed=True),
            "probe": _Field(read.text),
            "series": _Field(read.text),
        },
    ),
    "agent_silent": (AgentSilent, {"after": _Field(read.seconds, "after_s")}),
    "data_lost": (DataLost, {"reasons": _Field(read.choices(*GAP_REASONS))}),
    "changed": (Changed, {"change": _Field(read.text, needed=True)}),
}


KIND_NAMES: dict[type[Any], str] = {make: name for name, (make, _) in _KINDS.items()}


class _Reader:
    """Turns parsed TOML into rules and gathers complaints on the way."""

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.complaints: list[Complaint] = []

    def pack(self, raw: Mapping[str, Any], name: str) -> Pack:
        for key in raw:
            if key not in _TOP:
                self._say(-1, key, f"unknown key {key!r}{read.near(key, _TOP)}; a file holds [[rule]] tables")
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
        general = raw.get("general", False)
        if not isinstance(general, bool):
            self._say(-1, "general", "general must be true or false: whether other packs' rules go first")
        return Pack(name, tuple(rules.values()), tuple(disable), general is True)

    def _rule(self, place: int, table: Mapping[str, Any]) -> AnyRule | None:
        before = len(self.complaints)
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            near = read.near(kind, _KINDS) if isinstance(kind, str) else ""
            said = "a rule needs its kind" if kind is None else f"unknown kind {read.shown(kind)}{near}"
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
                    f"unknown key {key!r} in a rule of kind {kind}{read.near(key, fields)}; it has {', '.join(fields)}",
                )
                continue
            try:
                values[fields[key].keep or key] = fields[key].read(value)
            except read.Wrong as error:
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
            if not any(key in where for key in ("contains", "contains_any", "matches")):  # a text is severe enough
                where.setdefault("min_severity", Severity.ERROR)
            values |= {"where": LogFilter(**where), "sets_severity": "severity" in values}
        elif kind in ("rate", "noise"):
            values["where"] = LogFilter(**where)
        elif kind == "absence" and where:
            values["log"] = LogFilter(**where)
        rule: AnyRule = make(**values)
        return rule

    def _check(self, place: int, kind: str, values: Mapping[str, Any]) -> None:
        """What single values cannot tell."""
        if kind == "noise" and not any(key in values for key in _WHERE if not key.endswith("severity")):
            self._say(place, "", "noise needs to say which events it means: contains, matches, component or source")
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
