"""Secrets in the database rest under a key that is not in it; the key can be changed.

`rotate` encrypts anew, under the first key of the file, whatever it finds encrypted: in the columns of every table, in
values inside them, and in the folder of attachments. It stops nothing: old keys stay good until they are taken out.
"""

from __future__ import annotations

import re
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection

from sitewarden_collector.errors import DatabaseUnusable
from sitewarden_collector.store import sealed_values

SEALED = re.compile(r"gAAAAA[A-Za-z0-9_-]{60,}={0,2}")


def sealed(key: Fernet, text: str) -> str:
    """`text` as it may rest in the database."""
    return key.encrypt(text.encode()).decode()


def opened(key: Fernet, kept: str) -> str:
    """What was sealed; raises DatabaseUnusable when the key is another one."""
    try:
        return key.decrypt(kept.encode()).decode()
    except InvalidToken:
        raise DatabaseUnusable(
            "a secret in the database was encrypted under another key: put that key back, in a line of its own below "
            "the one of today"
        ) from None


def rotate(tx: Connection, key: Fernet) -> int:
    """Encrypt every secret in the database anew; how many."""
    count = 0

    def anew(found: re.Match[str]) -> str:
        nonlocal count
        again = _anew(key, found[0].encode())
        count += again is not None
        return found[0] if again is None else again.decode()

    sealed_values.replace(tx, lambda text: SEALED.sub(anew, text))
    return count


def rotate_files(folder: Path, key: Fernet) -> int:
    """Encrypt every file below a folder anew that was encrypted; how many."""
    count = 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_file() or path.suffix == ".new":
            continue
        again = _anew(key, path.read_bytes())
        if again is not None:
            fresh = path.with_name(f"{path.name}.new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(again)
            fresh.replace(path)
            count += 1
    return count


def _anew(key: Fernet, kept: bytes) -> bytes | None:
    try:
        return key.encrypt(key.decrypt(kept))
    except InvalidToken:
        return None  # not ours, whatever it looks like
