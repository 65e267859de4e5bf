"""Runs a target on random input, until a count or a time is reached or a promise is broken."""

from __future__ import annotations

import base64
import contextlib
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutate import mutated

FOUND = Path(__file__).parent / "found"
CORPUS_MAX = 400
SLOW_S = 5.0  # on 20 kB; a pattern that goes wild takes minutes


@dataclass(frozen=True, slots=True)
class Target:
    """A door, and what came in through it before. `check` returns a word for what happened; it raises only when a
    promise is broken. `sample` is how many inputs every test run tries."""

    name: str
    seeds: tuple[bytes, ...]
    check: Callable[[bytes], str]
    sample: int = 300


@dataclass(slots=True)
class Report:
    name: str
    inputs: int = 0
    words: Counter[str] = field(default_factory=Counter)


class Broken(AssertionError):
    """A promise was broken; the message says with which input."""


def must(kept: bool, promise: str) -> None:
    """`assert` for places where the linters want none."""
    if not kept:
        raise AssertionError(promise)


def run(target: Target, *, seed: int, inputs: int | None = None, seconds: float | None = None) -> Report:
    """Try the seeds and what was found before, then mutations. Raises Broken."""
    draw = random.Random(f"{target.name}:{seed}")
    report = Report(target.name)
    corpus = [*target.seeds, *found(target)]
    for data in corpus:
        _try(target, data, report)
    ends = None if seconds is None else time.monotonic() + seconds
    while (inputs is None or report.inputs < inputs) and (ends is None or time.monotonic() < ends):
        data = mutated(corpus, draw)
        known = len(report.words)
        _try(target, data, report)
        if len(report.words) > known and len(corpus) < CORPUS_MAX:
            corpus.append(data)
    return report


def found(target: Target) -> list[bytes]:
    """Inputs that broke this target once, kept so that they do not again."""
    folder = FOUND / slug(target.name)
    return [path.read_bytes() for path in sorted(folder.glob("*"))]


def slug(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", name.lower().replace("'", ""))


def _try(target: Target, data: bytes, report: Report) -> None:
    try:
        with _hurried():
            word = target.check(data)
    except Exception as error:
        raise Broken(f"{target.name}: {type(error).__name__}: {error}\n  input, base64: {_shown(data)}") from error
    report.inputs += 1
    report.words[word] += 1


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """Ends what takes longer than SLOW_S of CPU time, a pattern that went wild included."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread alone
        return

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"took more than {SLOW_S:g} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOW_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _shown(data: bytes) -> str:
    return base64.b64encode(data).decode()
