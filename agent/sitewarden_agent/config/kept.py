"""What of headquarters' configurations lies in the state folder: the received, the running and the last good one.

Promises: each is a file of its own, replaced as a whole, and on the disk when `write` returns: a kill at any step
leaves the old one or the new one; a file that is damaged counts as none. Only documents are kept, never the result of
merging one: what runs is merged with the local file as it is at each start. Not here: what follows (`observe.trial`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

FOLDER = "remote_config"
FILE_MAX_BYTES = 1024 * 1024


class Document(msgspec.Struct, frozen=True):
    """A configuration as headquarters sent it, and the action that it came with."""

    action_id: str
    version: int
    text: str


class Trial(msgspec.Struct, frozen=True):
    """The running one is not known to be good yet."""

    starts: int = 0
    ended_well: bool = True
    """Whether the last process that ran with it was told to stop; False while one runs."""
    boot_id: str = ""
    complaints: tuple[str, ...] = ()
    """What was wrong before it."""


class Owed(msgspec.Struct, frozen=True):
    """An outcome that headquarters is still to be told."""

    action_id: str
    state: str
    detail: str
    settles: bool = True
    """Whether it is the outcome of the action; else it says what came later, after that."""


class Running(msgspec.Struct, frozen=True):
    """What runs: the local file alone when there is no document. Good, unless it is on trial."""

    document: Document | None = None
    trial: Trial | None = None
    owed: tuple[Owed, ...] = ()
    withdrawn: bool = False
    """The local file does not allow it any more, which headquarters was told; it is applied again when it does."""


class Received(msgspec.Struct, frozen=True):
    document: Document


class LastGood(msgspec.Struct, frozen=True):
    document: Document | None = None


Each = TypeVar("Each", Received, Running, LastGood)
Step = Callable[[str], None]
"""Called with a name before each step that a kill could come between."""

_NAMES = {Received: "received.json", Running: "running.json", LastGood: "last_good.json"}


class Kept:
    """The three files of one state folder."""

    def __init__(self, state_dir: Path, *, step: Step = lambda name: None) -> None:
        self.folder = state_dir / FOLDER
        self.log = self.folder / "trial.log"
        """The end of this program's own log while something was on trial."""
        self._step = step

    def read(self, kind: type[Each]) -> Each | None:
        """What was written last; None when there is none, or it cannot be read."""
        try:
            with (self.folder / _NAMES[kind]).open("rb") as file:
                checksum, _, body = file.read(FILE_MAX_BYTES).partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() != checksum:
                return None
            return msgspec.json.decode(body, type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, kept: Received | Running | LastGood) -> None:
        """Replace the one of that kind. Raises OSError: then the one before stands."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        body = msgspec.json.encode(kept)
        path = self.folder / _NAMES[type(kept)]
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        self._step(f"{path.name} written")
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            file.flush()
            os.fsync(descriptor)
        self._step(f"{path.name} renamed")
        beside.rename(path)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._step(f"{path.name} done")
