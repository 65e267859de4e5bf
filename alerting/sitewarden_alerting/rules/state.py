"""What the rules remember of one site between two batches: plain values, so that it can rest as JSON.

A state is never changed: `evaluate` and `tick` work on a copy (`Working`) and hand back the next one. Keys of the maps
are a rule's name and a subject, joined by `identity.key`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sitewarden_alerting.model import MINUTE_NS, Signal
from sitewarden_alerting.observations import Key

HEADS_MAX = 500
FULLS_MAX = 1000
OVER_NS = 15 * MINUTE_NS  # so long a level that fired is remembered after its recovery


@dataclass(frozen=True, slots=True)
class Level:
    """A series that a threshold rule watches, while it is past its level, and for a while after it fired (`over`)."""

    since_ns: int
    last_ns: int
    value: float
    signal: Signal | None = None  # as it fired, to be said again while it goes on
    over: bool = False  # recovered at `since_ns`


@dataclass(frozen=True, slots=True)
class Streak:
    """A probe's results in a row, up to the last."""

    failures: int
    successes: int
    last_ns: int
    signal: Signal | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Events counted in buckets of a sixtieth of the rule's window, the oldest first."""

    buckets: tuple[tuple[int, int], ...]
    last_ns: int
    signal: Signal | None = None  # the last one, while there are too many


@dataclass(frozen=True, slots=True)
class StormState:
    buckets: tuple[tuple[int, int], ...] = ()
    faults: dict[str, int] = field(default_factory=dict)  # the fault and the bucket in which it was last seen
    last_ns: int = 0
    over_ns: int = 0  # when it was last over its levels
    firing: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A record's first line that may be followed by the whole: one a file, for a file has one open record."""

    offset: int
    own: str  # its own fault
    home: str  # the fault it was counted under
    at_ns: int
    alone: Signal  # what is to be said when nothing follows


@dataclass(frozen=True, slots=True)
class Certificate:
    target: str
    hostname: str
    expires_ns: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """When an expected thing was last seen, or was first waited for."""

    last_ns: int
    signal: Signal | None = None


@dataclass(frozen=True, slots=True)
class SiteState:
    levels: dict[str, Level] = field(default_factory=dict)
    probes: dict[str, Streak] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    storms: dict[str, StormState] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    fulls: dict[str, str] = field(default_factory=dict)
    awaited: dict[str, Awaited] = field(default_factory=dict)
    silent: dict[str, Signal] = field(default_factory=dict)
    certificates: dict[str, Certificate] = field(default_factory=dict)
    reminded_ns: int = 0  # when what goes on was last said again


@dataclass(slots=True)
class Working:
    """The copy that one call works on, and what it found."""

    levels: dict[str, Level]
    probes: dict[str, Streak]
    windows: dict[str, Window]
    storms: dict[str, StormState]
    heads: dict[str, Head]
    fulls: dict[str, str]
    awaited: dict[str, Awaited]
    silent: dict[str, Signal]
    certificates: dict[str, Certificate]
    reminded_ns: int
    signals: list[Signal] = field(default_factory=list)

    @classmethod
    def of(cls, state: SiteState) -> Working:
        return cls(
            levels=dict(state.levels),
            probes=dict(state.probes),
            windows=dict(state.windows),
            storms=dict(state.storms),
            heads=dict(state.heads),
            fulls=dict(state.fulls),
            awaited=dict(state.awaited),
            silent=dict(state.silent),
            certificates=dict(state.certificates),
            reminded_ns=state.reminded_ns,
        )

    def settled(self) -> SiteState:
        return SiteState(
            levels=self.levels,
            probes=self.probes,
            windows=self.windows,
            storms=self.storms,
            heads=self.heads,
            fulls=self.fulls,
            awaited=self.awaited,
            silent=self.silent,
            certificates=self.certificates,
            reminded_ns=self.reminded_ns,
        )


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule that could not be applied to an observation (None: to the time): for the operator's eyes."""

    rule: str
    key: Key | None
    error: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rule took, over so many calls."""

    calls: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The next state, what was found, which rules failed on what, and what each cost where that was measured."""

    state: SiteState
    signals: tuple[Signal, ...]
    failures: tuple[RuleFailure, ...] = ()
    costs: dict[str, Cost] = field(default_factory=dict, compare=False)
