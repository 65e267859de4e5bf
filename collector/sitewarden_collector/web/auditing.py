"""The audit log of requests, in one place: whoever is signed in and changes something, or looks at a thing, has a row.

Changes are written down before they are answered, with the route and how it ended, and never with what was sent. Views
are gathered and written together: at most one row in a while for the same person and page, and none is lost when the
collector stops in order. Not here: what a change means (services note that with the change).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sitewarden_collector.errors import CollectorError
from sitewarden_collector.services import audit
from sitewarden_collector.services.access import Principal
from sitewarden_collector.store.audit import Entry
from sitewarden_collector.store.engine import Database

AGAIN_NS = 600 * 1_000_000_000  # the same page seen by the same person
KNOWN_MAX = 20_000
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

_log = logging.getLogger("sitewarden.audit")


class Seen:
    """What was looked at and is not written down yet. One a process."""

    def __init__(self) -> None:
        self._waiting: list[Entry] = []
        self._known: OrderedDict[tuple[str, str], int] = OrderedDict()

    def add(self, who: Principal, what: str, *, now_ns: int) -> None:
        key = (who.account_id or who.name, what)
        if now_ns - self._known.get(key, -AGAIN_NS) < AGAIN_NS:
            return
        self._known[key] = now_ns
        self._known.move_to_end(key)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        self._waiting.append(audit.entry(who.name, "see", what, customer_id=who.customer_id, now_ns=now_ns))

    async def flush(self, db: Database) -> None:
        """Write down what was looked at. What the database does not take is kept for the next time."""
        taken, self._waiting = self._waiting, []
        if not taken:
            return
        try:
            await db.run(audit.note_all, taken)
        except BaseException:
            self._waiting = taken + self._waiting
            raise


class Audited:
    """ASGI around an application with a context."""

    def __init__(self, app: ASGIApp, *, context: Any) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._note(scope, state, int(message["status"]))
            await send(message)

        await self._app(scope, receive, noted)

    async def _note(self, scope: Scope, state: Any, status: int) -> None:
        who = state.get("principal")
        if not isinstance(who, Principal):
            return
        now_ns = self._context.now_ns()
        if scope["method"] in SAFE:
            if scope.get("path_params") and status < 400:
                self._context.seen.add(who, scope["path"], now_ns=now_ns)
            return
        data = {"status": status, "route": getattr(scope.get("route"), "path", ""), "token": who.scopes is not None}
        what = f"{scope['method']} {scope['path']}"
        try:
            await self._context.db.run(
                audit.note, who.name, "request", what, customer_id=who.customer_id, data=data, now_ns=now_ns
            )
        except CollectorError:
            _log.exception("the audit log did not take that %s did %s", who.name, what)
