"""The outgoing heartbeat: somebody outside hears of this collector while it does its work, and misses it otherwise.

A beat goes out only when the database took a write just now, evaluation keeps up and no notice that is due waits: a
collector that merely answers is not alive. The receiver (a monitor with a grace time, another vendor's or your own)
raises the alarm when the beats stay away. Not here: agents that watch this collector (the agent's [deadman]).
"""

from __future__ import annotations

import asyncio
import logging

from sitewarden_collector.channels import http
from sitewarden_collector.config import Heartbeat
from sitewarden_collector.errors import CollectorError
from sitewarden_collector.services import health
from sitewarden_collector.store import settings
from sitewarden_collector.store.engine import Database

DEADLINE_S = 10.0

_log = logging.getLogger("sitewarden.heartbeat")


async def beat(db: Database, config: Heartbeat, *, now_ns: int) -> bool:
    """Send one beat if all is well; whether it was taken. What keeps it from being sent is logged, never raised: the
    silence is the message."""
    try:
        await db.run(settings.put, "heartbeat_ns", now_ns)
        verdict = health.judge(await db.read(health.examine, now_ns=now_ns))
        if verdict.failing:
            _log.warning("no heartbeat: %s", "; ".join(verdict.failing))
            return False
        address = http.parse("heartbeat", config.url)
        said = {"status": verdict.status, "attention": list(verdict.attention)}
        await asyncio.to_thread(http.post_json, "heartbeat", address, said, headers={}, deadline_s=DEADLINE_S)
    except CollectorError as error:
        _log.warning("no heartbeat: %s", error)
        return False
    return True
