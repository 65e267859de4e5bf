"""An empty database gets its tables in a process of its own: what makes them (Alembic, and the text of every statement)
is a tenth of a collector's memory, is needed once, and ends with that process.

What goes wrong there is passed over: whoever opens the database next meets it again, and says it.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress

from sitewarden_collector.cli import _common
from sitewarden_collector.config import Config
from sitewarden_collector.store import migrate


def fill(config: Config) -> None:
    """Make the tables where a SQLite file is not there yet or PostgreSQL may be empty. Call it before any thread is
    started."""
    path = migrate.sqlite_path(config.database_url)
    with suppress(OSError):
        if path is not None and path.stat().st_size:
            return
    child = os.fork()
    if child == 0:
        with suppress(BaseException), closing(_common.open_database(config)):
            pass
        os._exit(0)
    os.waitpid(child, 0)
