"""When an incident is a major one, and when its customers are to hear of it next. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sitewarden_alerting.model import SECOND_NS


@dataclass(frozen=True, slots=True)
class MajorPolicy:
    customers: int = 3  # one fault at so many customers at once
    sites: int = 5  # or at so many sites
    update_every_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How far an open incident reaches now: all open tickets of its fault."""

    tickets: int
    customers: int
    sites: int
    priority: int
    storm: bool


def is_major(extent: Extent, policy: MajorPolicy) -> str:
    """Why it is a major incident; empty where it is none."""
    if extent.customers >= policy.customers:
        return f"{extent.customers} customers at once"
    if extent.sites >= policy.sites:
        return f"{extent.sites} sites at once"
    if extent.storm and extent.priority == 1:
        return "a storm of errors with priority 1"
    return ""


def next_update_ns(last_ns: int, update_every_s: float) -> int:
    """When customers are to be told next, after they were told at `last_ns`."""
    return last_ns + round(update_every_s * SECOND_NS)
