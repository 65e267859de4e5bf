"""What README and the guides tell people to type exists; no file tells where it was written."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import sitewarden_agent.cli
import sitewarden_collector.cli

ROOT = Path(__file__).parents[2]
GUIDES = sorted({*ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*.md"), *ROOT.glob("*/README.md")})
PARSERS = {"sitewarden": sitewarden_collector.cli.parser, "sitewarden-agent": sitewarden_agent.cli.parser}
INCOMPLETE = "the following arguments are required"
COMMAND = re.compile(r"(?:^|[\s/;&(])(sitewarden(?:-agent)?)((?:\s+[^\s;&|)#`]+)+)")


def code_lines(text: str, *, sentences: bool = True) -> Iterator[str]:
    """Lines of code blocks, indented or fenced; with `sentences`, pieces of code inside them as well. Continued lines
    are joined."""
    fenced = False
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip().removeprefix("$ ")
        elif sentences:
            yield from re.findall(r"`([^`]+)`", line)


def commands(text: str, *, sentences: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Our own commands in the code of a guide: (program, arguments). Lists of them (`run | status`) are left out."""
    for line in code_lines(text, sentences=sentences):
        for program, arguments in COMMAND.findall(line.partition(" # ")[0]):
            words = shlex.split(arguments)
            # A list of subcommands (`run | status`, `a|b`) or a sentence is not something to type.
            if (
                words
                and re.fullmatch(r"[a-z][a-z-]*", words[0])
                and "|" not in line.split(program, 1)[1].partition("#")[0]
            ):
                yield program, words


def understood(program: str, words: list[str]) -> str:
    """What the parser says against these words; empty when it takes them. Nothing is run."""
    parser = PARSERS[program]()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(words)
        except SystemExit as end:
            return said.getvalue() if end.code else ""
        except argparse.ArgumentError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_guides_is_understood(guide: Path) -> None:
    text = guide.read_text()
    to_type = {" ".join((program, *words)) for program, words in commands(text, sentences=False)}
    told = {" ".join((program, *words)): understood(program, words) for program, words in commands(text)}
    # A sentence may name a command without all that it needs (`notice send`); a block is there to be typed.
    wrong = {line: said for line, said in told.items() if said and (line in to_type or INCOMPLETE not in said)}
    assert wrong == {}


def test_every_target_of_make_in_the_guides_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    for guide in GUIDES:
        named = {found for line in code_lines(guide.read_text()) for found in re.findall(r"^make ([a-z]+)", line)}
        assert named - targets == set(), guide


def test_a_command_that_is_not_there_is_noticed() -> None:
    text = "Type `sitewarden frobnicate --now`, then:\n\n    .venv/bin/sitewarden notice list --state nowhere\n"
    found = list(commands(text))
    assert [program for program, _ in found] == ["sitewarden", "sitewarden"]
    assert all(understood(program, words) for program, words in found)


def test_every_target_of_make_says_what_it_is_for() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    assert targets - set(re.findall(r"(?m)^([a-z]+):.*##", makefile)) == set()


def test_no_file_names_the_place_where_it_was_written() -> None:
    here = str(ROOT)
    if here.count("/") < 2:
        pytest.skip("this checkout lies too near the root to tell its name from other words")
    skipped = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
    telling = []
    for path in ROOT.rglob("*"):
        if path.is_file() and not skipped & set(path.parts) and path.stat().st_size < 1_000_000:
            with contextlib.suppress(UnicodeDecodeError):
                if here + "/" in path.read_text():
                    telling.append(str(path.relative_to(ROOT)))
    assert telling == []
