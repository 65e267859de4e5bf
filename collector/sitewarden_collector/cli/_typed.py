"""The words of the command that runs, for whatever notes it. Apart, so that `--help` waits for no database."""

from __future__ import annotations

from contextvars import ContextVar

typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
