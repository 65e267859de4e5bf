"""Wakes the tail when something changes in its folders.

Promises: one observer for all, folders only, never files; what cannot be watched (limits, network file systems) is a
complaint, for the tail looks by itself every second. Our own reading wakes nobody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import lru_cache

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

_EVENTS: list[type[FileSystemEvent]] = [
    FileModifiedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class _Caller(FileSystemEventHandler):
    def __init__(self, wake: Callable[[bool], None], concerns: Callable[[str], bool]) -> None:
        self._wake = wake
        self._concerns = concerns

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Most of what changes in a folder like /var/log is somebody else's log.
        if event.is_directory or self._concerns(str(event.src_path)) or self._concerns(str(event.dest_path)):
            self._wake(not isinstance(event, FileModifiedEvent))


class Watch:
    """Life: made, `folders` any number of times, `close`.

    `wake` is called from another thread when a path changed that `concerns` anybody, with True when it was made,
    renamed or deleted: then there may be other files than before.
    """

    def __init__(self, wake: Callable[[bool], None], concerns: Callable[[str], bool]) -> None:
        self._caller = _Caller(wake, lru_cache(maxsize=4096)(concerns))
        self._observer = Observer()
        self._observer.daemon = True
        self._observer.start()
        self._watches: dict[tuple[str, int], ObservedWatch] = {}
        self._failed: list[str] = []

    def folders(self, wanted: set[str]) -> None:
        """Watch these folders and no others. One that was made anew under its name is another folder."""
        keys = {(folder, os.stat(folder).st_ino) for folder in wanted if os.path.isdir(folder)}
        for key in self._watches.keys() - keys:
            with contextlib.suppress(KeyError, OSError):  # the folder is gone and its watch with it
                self._observer.unschedule(self._watches[key])
            del self._watches[key]
        self._failed = []
        for key in keys - self._watches.keys():
            try:
                self._watches[key] = self._observer.schedule(self._caller, key[0], event_filter=_EVENTS)
            except OSError as error:
                why = f"{key[0]} cannot be watched ({error.strerror}); it is looked at every second"
                self._failed.append(why)

    def complaints(self) -> list[str]:
        return list(self._failed)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join(timeout=5)
