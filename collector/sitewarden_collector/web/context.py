"""What every request may use: the database, the clock, the configuration. Made once in `app`, found by `context`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.fernet import Fernet
from fastapi import Request

from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Config
from sitewarden_collector.services.health import Local
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.auditing import Seen
from sitewarden_collector.web.live import Live


@dataclass(frozen=True, slots=True)
class Context:
    """`secret` is the key that secrets in the database rest under. `wake` has the outbox looked at now. `seen`
    gathers what was looked at, for the audit log. `rulebook`: the rules that the collector started with. `local` looks
    at what only this process knows of itself."""

    db: Database
    config: Config
    now_ns: Callable[[], int]
    secret: Fernet
    live: Live
    wake: Callable[[], None]
    seen: Seen = field(default_factory=Seen)
    rulebook: Rulebook = field(default_factory=Rulebook)
    local: Callable[[], Local] = Local


def context(request: Request) -> Context:
    """The context of the application that serves this request."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found
