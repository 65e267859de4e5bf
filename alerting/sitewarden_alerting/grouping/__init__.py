"""Faults: what fingerprints stand for after merges that were learned from the stream and corrections by engineers.

A fingerprint is a function of one record; whether `user alice` and `user bob` differ in a name or in kind shows only
in many records. `observe` watches the stream of templates and, where the evidence suffices (`evidence`), makes one
fingerprint an alias of another. Every merge says why in a sentence, and can be undone; an undone merge is not learned
again. What an engineer said always wins.

Promises: the same stream gives the same faults; memory is bounded by `max_known`; the state is plain data (`to_data`,
`from_data`). Not here: fingerprints themselves, storing aliases, and pointing old tickets at the surviving fault (the
collector's services).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sitewarden_alerting.grouping import evidence

MAX_VALUES = 48
"""Values remembered of one open place: more prove nothing further."""

MAX_VOCABULARY = 5_000
"""Plain words proven to be values (names of people, of queues, of shops) that are remembered."""

LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class Alias:
    """A decision: from now on `fingerprint` stands for `fault`. `by` is `learned` or the engineer's name; `reason` is
    a sentence.
    """

    fingerprint: str
    fault: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observation led to: the fault now, and the aliases that this observation changed."""

    fault: str
    aliases: tuple[Alias, ...] = ()


@dataclass(slots=True)
class _Known:
    template: str
    severity: int
    count: int
    born: int  # the position in the stream, so that of two faults the older one survives


@dataclass(frozen=True, slots=True)
class _Link:
    """Why a fingerprint belongs to another one. Links make a forest; the root of a tree is the fault."""

    to: str
    reason: str
    by: str


@dataclass(slots=True)
class Grouping:
    """The state: fingerprints known, links between them, pairs that an engineer keeps apart, and the evidence
    (rebuilt when loaded).
    """

    max_known: int = 20_000
    known: dict[str, _Known] = field(default_factory=dict)
    links: dict[str, _Link] = field(default_factory=dict)
    apart: set[tuple[str, str]] = field(default_factory=set)
    vocabulary: dict[str, None] = field(default_factory=dict)
    born: int = 0
    _places: dict[int, dict[str, str]] = field(default_factory=dict)  # frame -> value in the open place -> fingerprint
    _texts: dict[tuple[int, str], tuple[str, bool]] = field(default_factory=dict)  # severity, text -> whose; opened?
    _members: dict[str, list[str]] = field(default_factory=dict)  # fault -> the fingerprints under it


def fault_of(state: Grouping, fingerprint: str) -> str:
    """The fault that a fingerprint stands for: itself when nothing was merged."""
    while (link := state.links.get(fingerprint)) is not None:
        fingerprint = link.to
    return fingerprint


def observe(state: Grouping, fingerprint: str, template: str, *, severity: int) -> Observed:
    """Take one event's fingerprint; learn from it when it is new.

    `severity` is the event's. Templates of different severities are never merged.
    """
    known = state.known.get(fingerprint)
    if known is not None:
        known.count += 1
        return Observed(fault_of(state, fingerprint))
    _make_room(state)
    state.born += 1
    state.known[fingerprint] = _Known(template, severity, 1, state.born)
    words = len(state.vocabulary)
    aliases = list(_learn(state, fingerprint))
    while len(state.vocabulary) > words:
        # New words of the vocabulary may prove places that were undecided.
        fresh = set(list(state.vocabulary)[words:])
        words = len(state.vocabulary)
        for other in [
            key
            for key, seen in state.known.items()
            if not fresh.isdisjoint(map(evidence.bare, seen.template.split(" ")))
        ]:
            aliases.extend(_learn(state, other))
    return Observed(fault_of(state, fingerprint), tuple(aliases))


def merge(state: Grouping, fingerprint: str, into: str, *, by: str, reason: str = "") -> tuple[Alias, ...]:
    """An engineer says that two are one fault. Wins over everything learned, and over an earlier split of the two."""
    state.apart -= {pair for pair in state.apart if set(pair) <= {*_tree(state, fingerprint), *_tree(state, into)}}
    return tuple(_join(state, fingerprint, into, reason or f"{by} said that they are one fault", by))


def split(state: Grouping, fingerprint: str, *, by: str) -> tuple[Alias, ...]:
    """Undo the merge of a fingerprint (or, of a fault, all merges into it). It is not learned again. ValueError when
    it is not merged.
    """
    link = state.links.get(fingerprint)
    if link is None:
        children = [child for child, towards in state.links.items() if towards.to == fingerprint]
        if not children:
            raise ValueError(f"{fingerprint} is not merged with anything; nothing to undo")
        changed: list[Alias] = []
        for child in children:
            changed.extend(split(state, child, by=by))
        return tuple(changed)
    rest = fault_of(state, fingerprint)
    others = [member for member in _tree(state, rest) if member not in set(_below(state, fingerprint))]
    del state.links[fingerprint]
    moved = list(_below(state, fingerprint))
    state._members[rest] = others
    state._members[fingerprint] = moved
    state.apart.update(_pair(member, other) for member in moved for other in others)
    return tuple(Alias(member, fingerprint, f"{by} said that it is a fault of its own", by) for member in moved)


def explain(state: Grouping, fingerprint: str) -> tuple[Alias, ...]:
    """Every merge on the way from a fingerprint to its fault, with its reason."""
    steps = []
    while (link := state.links.get(fingerprint)) is not None:
        steps.append(Alias(fingerprint, link.to, link.reason, link.by))
        fingerprint = link.to
    return tuple(steps)


def template_of(state: Grouping, fault: str) -> str:
    """One template for a fault: constant where all its templates agree."""
    templates = [state.known[member].template for member in _tree(state, fault) if member in state.known]
    if not templates:
        return ""
    if len(templates) == 1:
        return templates[0]
    rows = [template.split(" ") for template in templates]
    if len({len(row) for row in rows}) > 1:
        return templates[0]
    return " ".join(column[0] if len(set(column)) == 1 else evidence.WILD for column in zip(*rows, strict=True))


def to_data(state: Grouping) -> dict[str, Any]:
    """The state as plain data for JSON."""
    return {
        "version": 1,
        "max_known": state.max_known,
        "known": [[key, seen.template, seen.severity, seen.count, seen.born] for key, seen in state.known.items()],
        "vocabulary": list(state.vocabulary),
        "born": state.born,
        "links": [[key, link.to, link.reason, link.by] for key, link in state.links.items()],
        "apart": sorted(list(pair) for pair in state.apart),
    }


def from_data(data: dict[str, Any]) -> Grouping:
    """The state that `to_data` wrote. ValueError when it is of a version that this code does not know."""
    if data.get("version") != 1:
        raise ValueError(
            f"grouping state has version {data.get('version')!r}; this release reads version 1; restore a backup"
        )
    state = Grouping(max_known=data["max_known"])
    state.known = {
        key: _Known(template, severity, count, born) for key, template, severity, count, born in data["known"]
    }
    state.vocabulary = dict.fromkeys(data["vocabulary"])
    state.born = data["born"]
    state.links = {key: _Link(to, reason, by) for key, to, reason, by in data["links"]}
    state.apart = {(first, second) for first, second in data["apart"]}
    for key in state.links:
        root = fault_of(state, key)
        state._members.setdefault(root, [root]).append(key)
    for key, known in state.known.items():
        for frame, value, _ in evidence.frames(known.template, known.severity):
            _remember(state, frame, value, key)
        state._texts.setdefault((known.severity, known.template), (key, False))
    for key, link in state.links.items():
        one, other = state.known.get(key), state.known.get(link.to)
        if link.by == LEARNED and one is not None and other is not None:
            state._texts.setdefault((one.severity, evidence.opened(one.template, other.template)), (key, True))
    return state


def _learn(state: Grouping, fingerprint: str) -> Iterator[Alias]:
    """Enter a fingerprint into its frames, and join it with those that a frame proves to be the same."""
    known = state.known[fingerprint]
    for frame, value, around in evidence.frames(known.template, known.severity):
        place = {**_remember(state, frame, value, fingerprint)}
        if place.setdefault(value, fingerprint) != fingerprint or len(place) < 2:
            continue
        proven = evidence.variable(place, around, vocabulary=state.vocabulary)
        if value not in proven:
            continue
        _extend_vocabulary(state, proven)
        for other in sorted(proven):
            if fault_of(state, place[other]) == fault_of(state, fingerprint):
                continue
            reason = _because(state, fingerprint, place[other], proven)
            yield from _join(state, fingerprint, place[other], reason, LEARNED)
            if fault_of(state, place[other]) != fault_of(state, fingerprint):
                continue  # an engineer keeps them apart
            text = evidence.opened(known.template, state.known[place[other]].template)
            yield from _meet(state, fingerprint, text, opened=True)
    yield from _meet(state, fingerprint, known.template, opened=False)


def _meet(state: Grouping, fingerprint: str, text: str, *, opened: bool) -> Iterator[Alias]:
    """Join what reads the same once a proven place is open: the form of some values had masked them from the start.

    At least one of the two must have been opened by a merge: equal texts of two programs stay two faults.
    """
    if evidence.WILD not in text:
        return
    other, was_opened = state._texts.setdefault((state.known[fingerprint].severity, text), (fingerprint, opened))
    if other in state.known and (opened or was_opened):
        yield from _join(state, fingerprint, other, f"with its open place masked, both read `{text}`", LEARNED)


def _extend_vocabulary(state: Grouping, proven: Iterable[str]) -> None:
    for value in proven:
        word = evidence.bare(value)
        if len(state.vocabulary) < MAX_VOCABULARY and evidence.shape(word) is evidence.Shape.WORD:
            state.vocabulary.setdefault(word)


def _remember(state: Grouping, frame: int, value: str, fingerprint: str) -> dict[str, str]:
    place = state._places.setdefault(frame, {})
    if len(place) < MAX_VALUES:
        place.setdefault(value, fingerprint)
    return place


def _because(state: Grouping, one: str, other: str, values: set[str]) -> str:
    shown = ", ".join(sorted(values)[:4]) + (", ..." if len(values) > 4 else "")
    return (
        f"`{state.known[other].template}` and `{state.known[one].template}` differ only in one place,"
        f" which took {len(values)} values ({shown})"
    )


def _join(state: Grouping, one: str, other: str, reason: str, by: str) -> Iterator[Alias]:
    """Put two trees together under the older root, unless an engineer keeps members of them apart."""
    first, second = fault_of(state, one), fault_of(state, other)
    if first == second:
        return
    mine, theirs = _tree(state, first), _tree(state, second)
    if by == LEARNED and state.apart and any(_pair(a, b) in state.apart for a in mine for b in theirs):
        return
    older, newer = (second, first) if by != LEARNED or _born(state, second) <= _born(state, first) else (first, second)
    moved = mine if newer == first else theirs
    state.links[newer] = _Link(older, reason, by)
    state._members[older] = [*_tree(state, older), *moved]
    state._members.pop(newer, None)
    for member in moved:
        yield Alias(member, older, reason, by)


def _born(state: Grouping, fingerprint: str) -> int:
    known = state.known.get(fingerprint)
    return 0 if known is None else known.born


def _tree(state: Grouping, member: str) -> list[str]:
    root = fault_of(state, member)
    return state._members.get(root, [root])


def _below(state: Grouping, fingerprint: str) -> Iterable[str]:
    """A fingerprint and everything that is linked to it, directly or not."""
    return [member for member in {*state.links, fingerprint} if _leads(state, member, fingerprint)]


def _leads(state: Grouping, member: str, to: str) -> bool:
    while member != to:
        link = state.links.get(member)
        if link is None:
            return False
        member = link.to
    return True


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _make_room(state: Grouping) -> None:
    """Forget the oldest unmerged fingerprints when there are too many, and their evidence with them."""
    if len(state.known) < state.max_known:
        return
    linked = {link.to for link in state.links.values()} | set(state.links)
    spare = [key for key in state.known if key not in linked][: max(1, state.max_known // 10)]
    for key in spare or list(state.known)[: max(1, state.max_known // 10)]:
        known = state.known.pop(key)
        state._texts.pop((known.severity, known.template), None)
        for frame, value, _ in evidence.frames(known.template, known.severity):
            place = state._places.get(frame)
            if place is not None and place.get(value) == key:
                del place[value]
                if not place:
                    del state._places[frame]
