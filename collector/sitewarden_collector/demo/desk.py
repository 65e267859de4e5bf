"""The desk of the demo, furnished by the commands that a vendor would type: two customers under different contracts, a
rotation of engineers, accounts that can sign in.

acme is promised a first response within two hours at any hour; globex within four, while its office is open. Ada and
Bob take turns by the week, Mei is their manager. The password is drawn anew each time and told once, at the end.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sitewarden_collector.demo.stage import Stage

CUSTOMERS = ("acme", "globex")
GLOBEX_SITE = "osaka-1"
ENGINEER, COLLEAGUE, MANAGER, CUSTOMER = "ada", "bob", "mei", "li"


class Command(Protocol):
    def __call__(self, words: Sequence[str], *, said: str = "") -> None:
        """Run `sitewarden WORDS` for this stage, with `said` as its input."""


@dataclass(frozen=True, slots=True)
class Furnished:
    """What whoever looks around needs: where, as whom, with what."""

    address: str
    password: str


def furnish(stage: Stage, command: Command, *, now: datetime) -> Furnished:
    """Set up customers, contracts, the rotation and the accounts, each by its command. Raises what `command` raises."""
    password = secrets.token_urlsafe(12)
    # A turn begins on Monday, and ada has the first: it is she whose phone rings, whenever the demo is shown.
    monday = (now - timedelta(days=now.weekday())).date()
    for words in _customers(now.year):
        command(words)
    for name, role, more in (
        (ENGINEER, "engineer", ("--locale", "en")),
        (COLLEAGUE, "engineer", ("--locale", "zh", "--timezone", "Asia/Shanghai")),
        (MANAGER, "manager", ("--locale", "zh", "--timezone", "Asia/Shanghai")),
        (CUSTOMER, "customer", ("--customer", "globex", "--locale", "zh", "--timezone", "Asia/Tokyo")),
    ):
        command(("account", "add", name, "--role", role, *more), said=f"{password}\n{password}\n")
    for words in _rotation(str(monday)):
        command(words)
    return Furnished(f"http://127.0.0.1:{stage.http_port}/", password)


def _customers(year: int) -> Sequence[tuple[str, ...]]:
    return (
        ("customer", "add", "acme", "--tier", "gold", "--locale", "en"),
        ("customer", "add", "globex", "--tier", "silver", "--locale", "zh"),
        ("contact", "add", "Li Na", "--customer", "globex", "--role", "operations", "--language", "zh"),
        ("contact", "add", "Anna Berg", "--customer", "acme", "--role", "operations", "--phone", "+49 30 1234567"),
        (
            *("calendar", "add", "osaka office", "--zone", "Asia/Tokyo", "--week", "mon-fri 09:00-18:00"),
            *("--country", "JP", "--years", f"{year}-{year + 1}"),
        ),
        (
            *("contract", "add", "Platinum, around the clock", "--customer", "acme", "--from", f"{year}-01-01"),
            *("--until", f"{year + 1}-12-31", "--goal", "1:resolution=8h", "--include", "on_site=4"),
        ),
        (
            *("contract", "add", "Office hours", "--customer", "globex", "--from", f"{year}-01-01"),
            *("--until", f"{year + 1}-03-31", "--calendar", "osaka office"),
            *("--goal", "2:first_response=4h", "--goal", "3:first_response=4h", "--include", "inspection=2"),
        ),
    )


def _rotation(monday: str) -> Sequence[tuple[str, ...]]:
    return (
        ("oncall", "add", "support", "--zone", "Europe/Berlin", "--manager", MANAGER),
        ("oncall", "layer", "support", "weekly", "--people", f"{ENGINEER},{COLLEAGUE}", "--start", f"{monday}T00:00"),
        ("oncall", "person", "set", ENGINEER, "--road", "phone"),
        ("oncall", "person", "set", COLLEAGUE, "--road", "phone"),
        ("oncall", "person", "set", MANAGER, "--road", "phone", "--locale", "zh"),
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
