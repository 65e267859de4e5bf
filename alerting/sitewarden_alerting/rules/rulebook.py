"""The kinds of rule, as data. `rulefile` reads them from TOML; `evaluate` and `tick` apply them.

Every rule has a name that is unique in its book, the severity of the tickets it opens, a title in words, and whether
its tickets may page; it may also say what the fault means and what to do first (`Guide`). Seconds where a name ends in
`_s`. Not here: how a rule is applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from sitewarden_alerting.observations import LogEvent
from sitewarden_alerting.reading.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log events are meant. What is empty does not restrict; `source`, `component` and `file` are globs."""

    min_severity: Severity = Severity.DEBUG
    max_severity: Severity = Severity.CRITICAL
    source: str = ""
    component: str = ""
    file: str = ""
    contains: str = ""
    contains_any: tuple[str, ...] = ()  # one of them is enough
    matches: str = ""  # a regular expression, searched in the message

    def takes(self, event: LogEvent) -> bool:
        return (
            self.min_severity <= event.severity <= self.max_severity
            and (not self.source or fnmatchcase(event.source, self.source))
            and (not self.component or fnmatchcase(event.component, self.component))
            and (not self.file or fnmatchcase(event.file, self.file))
            and (not self.contains or self.contains in event.message)
            and (not self.contains_any or any(one in event.message for one in self.contains_any))
            and (not self.matches or re.search(self.matches, event.message) is not None)
        )

    @property
    def is_narrow(self) -> bool:
        """Whether it means something particular, and not whatever is bad enough."""
        return bool(self.source or self.component or self.file or self.contains or self.contains_any or self.matches)

    @property
    def needles(self) -> tuple[str, ...]:
        """Texts of which a message must hold one; without any, every message must be tried."""
        return (self.contains,) if self.contains else self.contains_any


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a fault is called, what it means for the people who use the product, and what an engineer does first."""

    title: str = ""
    impact: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    severity: Severity = Severity.ERROR
    title: str = ""
    page: bool = True
    impact: str = ""
    steps: tuple[str, ...] = ()
    zh: Guide = Guide()  # the same in Chinese, as far as it is given
    pack: str = field(default="", compare=False)

    def guide(self, language: str = "en") -> Guide:
        """The words of the rule in that language, in English where it has none."""
        own = self.zh if language == "zh" else Guide()
        return Guide(title=own.title or self.title, impact=own.impact or self.impact, steps=own.steps or self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFault(Rule):
    """A log event that passes the filter opens the ticket of its fault, with the event's own severity, or with the
    rule's where `sets_severity`."""

    where: LogFilter = field(default_factory=lambda: LogFilter(min_severity=Severity.ERROR))
    sets_severity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise(Rule):
    """A log event that passes the filter opens no ticket, and counts only for rates that mean it in particular."""

    where: LogFilter = field(default_factory=LogFilter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Rule):
    """At least `count` events that pass the filter within `window_s`, counted by site, agent or fault."""

    count: int
    window_s: float
    by: Literal["site", "agent", "fault"] = "site"
    where: LogFilter = field(default_factory=LogFilter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm(Rule):
    """So much at once that single tickets would bury the desk: `events` events of `faults` faults within `window_s`.

    A first look at an old log, or a release that fails in a dozen ways, is no storm yet: each way needs its ticket.
    """

    events: int = 100
    faults: int = 25
    window_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Rule):
    """A series over (`above`) or under (`below`) a level for `for_s`; over again only after it was past `clear`.

    `divide_by` names a second series with the same labels: the level is then of the ratio. Labels are globs.
    """

    series: str
    divide_by: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    above: float | None = None
    below: float | None = None
    clear: float | None = None  # the level itself where it is not given
    for_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFailed(Rule):
    """A probe that fails `failures` times in a row; recovered after `successes` in a row. `probe` is a glob.

    `probe_kinds` restricts the kinds of probes (empty: all), `other_than` takes some out. Where a probe itself says
    that it is only a warning, `warning_severity` counts.
    """

    probe: str = "*"
    probe_kinds: tuple[str, ...] = ()
    other_than: tuple[str, ...] = ()
    failures: int = 1
    successes: int = 1
    warning_severity: Severity = Severity.WARNING

    def is_of(self, name: str, kind: str) -> bool:
        """Whether it judges a probe of that name and kind."""
        if kind in self.other_than or (self.probe_kinds and kind not in self.probe_kinds):
            return False
        return fnmatchcase(name, self.probe)

    def severity_of(self, level: str) -> Severity:
        """How severe a failure is of which the probe itself says how bad it is."""
        match level:
            case "warning":
                return min(self.severity, self.warning_severity)
            case "unknown":  # it could not find out
                return min(self.severity, Severity.ERROR)
        return self.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence(Rule):
    """Something expected at a site that did not come for `within_s`: a log event, a probe's result, or a series."""

    within_s: float
    log: LogFilter | None = None
    probe: str = ""
    series: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSilent(Rule):
    """Nothing heard of an agent for `after_s`, counted from the collector's own start at the earliest."""

    after_s: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLost(Rule):
    """A gap record: the agent says what is missing. `reasons` restricts; empty: all."""

    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Rule):
    """A change of the given kind at a site, such as an agent that was put into quarantine."""

    change: str


AnyRule = NewFault | Noise | Rate | Storm | Threshold | ProbeFailed | Absence | AgentSilent | DataLost | Changed
Judge = NewFault | Noise


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules in their order. Of those that judge a log event, narrow ones come before those that take whatever is bad
    enough; the first that takes it decides."""

    rules: tuple[AnyRule, ...] = ()
    rates: tuple[Rate, ...] = field(init=False, repr=False, compare=False, default=())
    storms: tuple[Storm, ...] = field(init=False, repr=False, compare=False, default=())
    others: tuple[AnyRule, ...] = field(init=False, repr=False, compare=False, default=())  # not of log events alone
    _judges: tuple[Judge, ...] = field(init=False, repr=False, compare=False, default=())
    _needles: tuple[tuple[str, int], ...] = field(init=False, repr=False, compare=False, default=())
    _tried: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        found = [rule for rule in self.rules if isinstance(rule, NewFault | Noise)]
        judges = sorted(found, key=lambda rule: not rule.where.is_narrow)
        at = list(enumerate(judges))
        sorts = (NewFault, Noise, Rate, Storm)
        object.__setattr__(self, "rates", tuple(rule for rule in self.rules if isinstance(rule, Rate)))
        object.__setattr__(self, "storms", tuple(rule for rule in self.rules if isinstance(rule, Storm)))
        object.__setattr__(self, "others", tuple(rule for rule in self.rules if not isinstance(rule, sorts)))
        object.__setattr__(self, "_judges", tuple(judges))
        object.__setattr__(self, "_needles", tuple((one, i) for i, rule in at for one in rule.where.needles))
        object.__setattr__(self, "_tried", tuple(i for i, rule in at if not rule.where.needles))

    def named(self, name: str) -> AnyRule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def judges(self, event: LogEvent) -> Iterator[Judge]:
        """The rules that may judge the event, in their order. Hundreds of packs' rules cost a search of text each."""
        message = event.message
        held = {i for needle, i in self._needles if needle in message}
        yield from (self._judges[i] for i in sorted(held.union(self._tried)))
