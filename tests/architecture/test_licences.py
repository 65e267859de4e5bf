"""No licence in what we install surprises whoever passes it on."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
# LGPL is allowed beside us in the collector, and nowhere in the agent.
COPYLEFT = re.compile(r"\b(A?GPL|SSPL|GNU (Affero )?General Public)", re.IGNORECASE)
LESSER = re.compile(r"\bLGPL|Lesser General Public", re.IGNORECASE)


def closure(extra: str) -> dict[str, Distribution]:
    """Every distribution that this extra brings into an environment of this kind."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(line) for line in requires("sitewarden") or []]
    waiting = [r for r in waiting if r.marker is not None and r.marker.evaluate({"extra": extra})]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found:
            continue
        found[name] = distribution(name)
        for line in found[name].requires or []:
            further = Requirement(line)
            asked = requirement.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in asked):
                waiting.append(further)
    return found


def licence(found: Distribution) -> str:
    """What the distribution says of itself, in its newest field first."""
    metadata = found.metadata
    said = metadata["License-Expression"] or (metadata["License"] or "").partition("\n")[0]
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return str(said or "; ".join(classifiers))


def binary(found: Distribution) -> bool:
    return any(re.search(r"\.(so|pyd|dylib)(\.|$)", str(path)) for path in found.files or [])


def test_nothing_in_the_agent_is_under_a_copyleft_licence() -> None:
    said = {name: licence(found) for name, found in closure("agent").items()}
    assert {"grpcio", "cffi", "typing-extensions"} <= set(said)  # the walk goes beyond what we name ourselves
    assert {name: text for name, text in said.items() if COPYLEFT.search(text) or LESSER.search(text)} == {}


def test_nothing_in_the_collector_is_under_a_licence_that_reaches_us() -> None:
    said = {name: licence(found) for name, found in closure("collector").items()}
    assert {name: text for name, text in said.items() if COPYLEFT.search(text)} == {}
    assert {name for name, text in said.items() if LESSER.search(text)} <= {
        *("psycopg", "psycopg-binary"),
        *("recurring-ical-events", "x-wr-timezone"),
    }


@pytest.mark.parametrize("extra", ["agent", "collector"])
def test_every_distribution_says_its_licence(extra: str) -> None:
    assert [name for name, found in closure(extra).items() if not licence(found)] == []


@pytest.mark.parametrize("extra", ["agent", "collector"])
def test_the_notice_lists_every_wheel_with_compiled_parts(extra: str) -> None:
    listed = set(re.findall(r"(?m)^  ([a-z][a-z0-9-]+)  ", (ROOT / "NOTICE").read_text())) - {"wheel"}
    compiled = {name for name, found in closure(extra).items() if binary(found)}
    assert compiled - listed == set()


@pytest.mark.parametrize("text", ["GPL-3.0-only", "GNU General Public License v2", "AGPL-3.0", "SSPL-1.0"])
def test_the_search_for_copyleft_finds_it(text: str) -> None:
    assert COPYLEFT.search(text)


@pytest.mark.parametrize("text", ["LGPL-3.0-only", "MIT", "Apache-2.0 OR BSD-3-Clause", "PSF-2.0", "MPL-2.0"])
def test_the_search_for_copyleft_finds_nothing_else(text: str) -> None:
    assert not COPYLEFT.search(text)
