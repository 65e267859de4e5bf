"""Commands stand in the audit log too: whatever one writes is noted in the same transaction, under the login name of
whoever typed it.

Only the command's own words are noted, and the number of the thing where there is one: what else was typed may be
somebody's words, or a secret.
"""

from __future__ import annotations

import getpass
import re
import time
from collections.abc import Sequence
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection

from sitewarden_collector.cli._typed import typed
from sitewarden_collector.store.engine import Database, Service

P = ParamSpec("P")
T = TypeVar("T")
NUMBER = re.compile(r"[A-Za-z]{3}-\d+|[0-9a-f]{8}-[0-9a-f-]{27}")


class Audited(Database):
    """A database that notes what it writes for a command."""

    def write_now(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        from sitewarden_collector.services import audit  # commands that only read need not wait for it

        by, what = who(), shown(typed.get())  # here, as the writer's thread knows nothing of the command

        def noted(tx: Connection) -> T:
            result = service(tx, *args, **kwargs)
            audit.note(tx, by, "command", what, now_ns=time.time_ns())
            return result

        return super().write_now(noted)


def who() -> str:
    """As the log names somebody at the host's own command line."""
    try:
        return f"{getpass.getuser()} (command)"
    except (KeyError, OSError):
        return "somebody (command)"


def shown(words: Sequence[str]) -> str:
    """`ticket assign INC-1001` of `ticket assign INC-1001 ada --by bob`."""
    named = []
    for place, word in enumerate(words[:4]):
        if (place < 2 and re.fullmatch(r"[a-z][a-z-]*", word)) or NUMBER.fullmatch(word):
            named.append(word)
    return " ".join(named)
