"""What of headquarters' configurations lies in the state folder: the received, the running and the last good one.

Promises: each is a file of its own, replaced as a whole, and on the disk when `write` returns: a kill at any step
leaves the old one or the new one; a file that is damaged counts as none. Only documents are kept, never the result of
merging one: what runs is merged with the local file as it is at each start. Not here: what follows (`observe.trial`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

import msgspec

from sitewarden_agent.model import OutcomeState

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
    state: OutcomeState
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

LOG = "trial.log"
_ITSELF = os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | _ITSELF
_NAMES = {Received: "received.json", Running: "running.json", LastGood: "last_good.json"}


class Kept:
    """The files of one state folder. Nothing is opened through a link: the other process may write there as well, and
    must not choose what is read and told from here."""

    def __init__(self, state_dir: Path, *, step: Step = lambda name: None) -> None:
        self.folder = state_dir / FOLDER
        self._step = step

    def read(self, kind: type[Each]) -> Each | None:
        """What was written last; None when there is none, or it cannot be read."""
        try:
            with self._opened() as folder, _read(_NAMES[kind], folder) as file:
                checksum, _, body = file.read(FILE_MAX_BYTES).partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() != checksum:
                return None
            return msgspec.json.decode(body, type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, kept: Received | Running | LastGood) -> None:
        """Replace the one of that kind. Raises OSError: then the one before stands."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        body, name = msgspec.json.encode(kept), _NAMES[type(kept)]
        beside = f"{name}.new"
        with self._opened() as folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=folder)
            self._step(f"{name} written")
            descriptor = os.open(beside, _NEW, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                file.flush()
                os.fsync(descriptor)
            self._step(f"{name} renamed")
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        self._step(f"{name} done")

    def log(self, *, anew: bool) -> TextIO:
        """Where the end of this program's own log goes while something is on trial. Raises OSError."""
        with self._opened() as folder:
            if anew:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(LOG, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | _ITSELF
            descriptor = os.open(LOG, flags, 0o600, dir_fd=folder)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")

    def log_tail(self, most: int) -> str:
        """The end of that log, in characters; empty when there is none."""
        try:
            with self._opened() as folder, _read(LOG, folder) as file:
                return file.read(FILE_MAX_BYTES).decode("utf-8", "replace")[-most:].strip()
        except OSError:
            return ""

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | _ITSELF)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _read(name: str, folder: int) -> BinaryIO:
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _ITSELF, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is no file")
    return os.fdopen(descriptor, "rb")
