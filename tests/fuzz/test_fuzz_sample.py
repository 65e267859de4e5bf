"""A seeded sample of the fuzzing with every test run; `make fuzz` does the full count."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.mutate import MAX_BYTES, mutated
from tests.fuzz.run import FOUND, Broken, Target, run, slug
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.fuzz


@pytest.mark.parametrize("target", [pytest.param(target, id=slug(target.name)) for target in TARGETS])
def test_a_door_holds_its_promises_for_random_input(target: Target) -> None:
    report = run(target, seed=1, inputs=target.sample)
    assert report.inputs >= target.sample


def test_the_names_of_targets_are_unique() -> None:
    assert len({slug(target.name) for target in TARGETS}) == len(TARGETS)
    assert {path.name for path in FOUND.iterdir() if path.is_dir()} <= {slug(target.name) for target in TARGETS}


def test_the_same_seed_makes_the_same_inputs() -> None:
    def take(seed: int) -> list[bytes]:
        draw = random.Random(seed)
        return [mutated([b"abc", b"\n"], draw) for _ in range(50)]

    assert take(7) == take(7) != take(8)
    assert all(len(data) <= MAX_BYTES for data in take(7))


def test_a_broken_promise_is_told_with_its_input() -> None:
    def check(data: bytes) -> str:
        if b"\0" in data:
            raise KeyError("nul")
        return "ok"

    with pytest.raises(Broken, match="input, base64"):
        run(Target("breaks", (b"abc",), check), seed=1, inputs=10_000)
