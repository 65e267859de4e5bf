"""What is printed to a terminal cannot act on it: log lines, names and notices were written by others.

Into a file or a pipe everything goes as it is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from sitewarden_alerting.reading import plain


class Plain:
    """A terminal that takes text and ends of lines, and nothing else."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        return self._terminal.write(plain.lines(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Guard stdout and stderr, those that are terminals, until the end of the context."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, Plain(one)) if one.isatty() else one for one in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
