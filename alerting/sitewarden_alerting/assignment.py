"""Who is to do it: the engineer whose skills fit a ticket, who has room, and whose turn it is, with the reason.

Skills decide first (component, category, product, the customer's language), then load against capacity, then rotation:
whoever was given a ticket longest ago. Who is away or full is never chosen. Pure; the same question gets the same
answer. Not here: who may be asked (accounts), and telling them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sitewarden_alerting.model import Ticket


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engineer. `skills` are components and categories; `open_tickets` is their load now."""

    name: str
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    capacity: int = 10
    away_until_ns: int | None = None
    open_tickets: int = 0
    last_assigned_ns: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What else a ticket asks of an engineer."""

    language: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """`who` is empty where nobody can take it; `reason` says why in either case."""

    who: str
    reason: str
    considered: tuple[str, ...] = ()


def choose(candidates: Iterable[Candidate], ticket: Ticket, now_ns: int, *, wish: Wish | None = None) -> Choice:
    """The engineer for a ticket."""
    wish = wish or Wish()
    every = sorted(candidates, key=lambda one: one.name)
    here = [one for one in every if one.away_until_ns is None or one.away_until_ns <= now_ns]
    free = [one for one in here if one.open_tickets < one.capacity]
    if not free:
        if not every:
            return Choice("", "no engineer is known; `sitewarden engineer set NAME` adds one")
        return Choice("", f"of {len(every)} engineers {len(every) - len(here)} are away and {len(here)} are full")

    def order(one: Candidate) -> tuple[float, float, int, str]:
        return (-_fit(one, ticket, wish), one.open_tickets / one.capacity, one.last_assigned_ns, one.name)

    best = min(free, key=order)
    return Choice(best.name, _because(best, free, ticket, wish), tuple(one.name for one in free))


def _fit(one: Candidate, ticket: Ticket, wish: Wish) -> int:
    """How well the skills fit: a component says most, then product, language, category."""
    return sum(weight for weight, _ in _fitting(one, ticket, wish))


def _fitting(one: Candidate, ticket: Ticket, wish: Wish) -> list[tuple[int, str]]:
    asked = (
        (8, ticket.component, one.skills, "knows the component"),
        (4, wish.product, one.products, "knows the product"),
        (2, wish.language, one.languages, "speaks"),
        (1, ticket.category, one.skills, "knows the category"),
    )
    return [
        (weight, f"{text} {word}")
        for weight, word, known, text in asked
        if word and word.casefold() in {name.casefold() for name in known}
    ]


def _because(best: Candidate, free: list[Candidate], ticket: Ticket, wish: Wish) -> str:
    said = [text for _, text in _fitting(best, ticket, wish)] or ["no skill tells the engineers apart"]
    fit = _fit(best, ticket, wish)
    equals = [one for one in free if one.name != best.name and _fit(one, ticket, wish) == fit]
    said.append(f"has {best.open_tickets} of {best.capacity} open tickets")
    share = best.open_tickets / best.capacity
    if any(one.open_tickets / one.capacity == share for one in equals):
        said.append("was given one longest ago" if best.last_assigned_ns else "is next in turn")
    return ", ".join(said)
