"""The example configurations can be used as they stand, and leave no key out."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sitewarden_agent import config as agent
from sitewarden_collector import config as collector

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "deploy" / "agent" / "agent.example.toml"
COLLECTOR = ROOT / "deploy" / "collector" / "collector.example.toml"


def keys(kind: object) -> Iterator[str]:
    """The names of all keys of a configuration, as the file writes them, those of inner tables included."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        tag = getattr(kind.__struct_config__, "tag_field", None)
        if tag is not None:
            yield tag
        for field in msgspec.structs.fields(kind):
            yield field.encode_name
            yield from keys(field.type)
    elif typing.get_origin(kind) is not None or isinstance(kind, types.UnionType):
        for inner in typing.get_args(kind):
            yield from keys(inner)


def written(text: str) -> set[str]:
    """Every key that stands in a file, also where it is commented out, and every name of a table."""
    lines = [line.lstrip("# ") for line in text.splitlines()]
    assigned = {found[1] for line in lines if (found := re.match(r"([a-z][a-z0-9_]*)\s*=", line))}
    tables = {name for line in lines if (found := re.match(r"\[\[?([\w.-]+)\]", line)) for name in found[1].split(".")}
    return assigned | tables


def test_the_agents_example_can_be_used_as_it_stands() -> None:
    assert agent.parse(AGENT.read_text(), AGENT).logs


def test_the_collectors_example_can_be_used_as_it_stands() -> None:
    assert collector.parse(COLLECTOR.read_text(), str(COLLECTOR)).listen.streams


@pytest.mark.parametrize(("path", "kind"), [(AGENT, agent.Config), (COLLECTOR, collector.Config)])
def test_no_key_is_left_out_of_an_example(path: Path, kind: type) -> None:
    assert set(keys(kind)) - written(path.read_text()) == set()


def test_a_key_that_is_left_out_is_noticed() -> None:
    assert set(keys(collector.Config)) - written("[listen]\nstreams = '0.0.0.0:1'\n# http = 'x'\n") >= {"enrolment"}
    assert {"kind", "url", "limit_bytes", "from"} <= set(keys(agent.Config))
