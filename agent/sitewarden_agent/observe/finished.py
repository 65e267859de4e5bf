"""The files of a log that were read to their end, for a while: found again under another name they are nothing new."""

from __future__ import annotations

import contextlib

from sitewarden_agent.observe.samefile import FileKey, Found, Signature, begins_with

KEPT = 1_000


class Finished:
    """Of one run: after a restart only what its marks tell is known."""

    def __init__(self) -> None:
        self._signatures: dict[FileKey, Signature] = {}

    def add(self, key: FileKey, signature: Signature) -> None:
        self._signatures.pop(key, None)
        self._signatures[key] = signature
        if len(self._signatures) > KEPT:
            del self._signatures[next(iter(self._signatures))]

    def holds(self, found: Found) -> bool:
        """Whether that is one of them, and not a new file which got its inode."""
        signature = self._signatures.get(found.key)
        if signature is not None:
            with contextlib.suppress(OSError):
                return begins_with(found.path, signature)
        return False
