"""What others wrote cannot act on the terminal of the person who looks at it; what goes into a pipe stays as it is."""

from __future__ import annotations

import importlib
import io
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.reading import plain

REPAINT = "\x1b[2J\x1b]0;owned\x07 \x9b31m \u202e txt.exe \r forged"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["sitewarden_agent", "sitewarden_collector"])
def terminal(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"{request.param}.cli._terminal")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_nothing_that_is_printed_to_a_terminal_acts_on_it(
    terminal: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, name, screen)
    with terminal.guarded():
        print(f"disk broken\t{REPAINT}\nStörung 故障", file=getattr(sys, name), flush=True)
    shown = screen.getvalue()
    assert not set(shown) & set("\x1b\x07\x9b\u202e\r")
    assert shown.startswith("disk broken\t")
    assert shown.endswith("\nStörung 故障\n")
    assert getattr(sys, name) is screen


def test_a_pipe_gets_everything_as_it_is(terminal: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    with terminal.guarded():
        print(REPAINT)
    assert pipe.getvalue() == REPAINT + "\n"


@given(st.text())
def test_a_line_is_one_line_whatever_it_was(text: str) -> None:
    assert len(plain.line(text).splitlines()) <= 1


@given(st.text(), st.integers(1, 50))
def test_what_is_cut_says_so(text: str, most: int) -> None:
    cut = plain.cut(text, most)
    assert len(cut) <= most
    assert cut == text or cut.endswith("…")
