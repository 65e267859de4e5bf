"""The site's own key for pseudonyms: made here once, never sent anywhere.

Promises: the same key for as long as the state folder lives, readable by the agent's user alone. Without it the tokens
of this site can't be guessed back; with another one they would no longer be the same tokens.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from sitewarden_agent.errors import ConfigError

NAME = "redaction.key"
_BYTES = 32


def read(state_dir: Path) -> bytes | None:
    """The key, or None when there is none yet or this user may not read it."""
    try:
        key = (state_dir / NAME).read_bytes()
    except OSError:
        return None
    return key if len(key) >= _BYTES else None


def read_or_make(state_dir: Path) -> bytes:
    """The key; made on the first call. Raises ConfigError when it can be neither read nor made."""
    path = state_dir / NAME
    try:
        if key := read(state_dir):
            return key
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(prefix=NAME, dir=state_dir)  # for this user alone
        try:
            os.write(descriptor, secrets.token_bytes(_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(fresh, path)  # the first of two processes wins; a torn key is never seen
        except FileExistsError:
            if read(state_dir) is None:  # what is there is no key: left by a full disk
                os.replace(fresh, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)
    except OSError as error:
        message = (
            f"the redaction key {path} can be neither read nor made ({error.strerror}); check who owns {state_dir}"
        )
        raise ConfigError(message) from None
    key = read(state_dir)
    if key is None:
        raise ConfigError(f"the redaction key {path} cannot be read back; check who owns {state_dir}")
    return key
