"""What this process knows of itself and no database does: its streams, its queues, its disk and its open files."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil

from sitewarden_collector import pki
from sitewarden_collector.grpc_api.front import Front
from sitewarden_collector.services.health import Local


def look(front: Front) -> Local:
    """How it is now."""
    files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Local(
        streams=front.live.counts(),
        in_line=front.live.in_line,
        sent_away=front.door.sent_away,
        writes_waiting=front.db.waiting,
        free_bytes=shutil.disk_usage(front.config.data_path).free,
        files_open=len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        files_max=0 if files_max == resource.RLIM_INFINITY else files_max,
        authority_days=pki.days_left(front.authority, now_ns=front.clock.now_ns()),
    )


def open_many_files() -> None:
    """Raise the limit of open files as far as this process may: each agent is one, and shells give a thousand."""
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it, and sets its own
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
