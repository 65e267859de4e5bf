"""Who this agent is: its key, its certificate and what it was told at enrolment, in one file of the state folder.

One file, so that key and certificate can never be of two generations. Written beside and renamed, synced, for the
agent's user alone. The file before stays as `identity.previous.json` until the new one has worked once. Nothing here
loads cryptography: what link has to know of the certificate is written down when it is issued.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from sitewarden_agent.errors import IdentityError

FILE = "identity.json"
PREVIOUS = "identity.previous.json"
RENEW_AT_SHARE = 2.0 / 3.0
RENEW_SPREAD_SHARE = 0.1


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of the agent's identity. Times are UTC nanoseconds."""

    agent_id: str
    site_id: str
    site_name: str
    endpoints: tuple[str, ...]
    """Streams, host:port."""
    enrolment_endpoints: tuple[str, ...]
    serial: str
    """Of the certificate, hex."""
    not_before_ns: int
    not_after_ns: int
    key_pem: str
    """Made on this host; never leaves it."""
    chain_pem: str
    """The certificate, then its intermediates."""
    root_pem: str
    """The only root that this agent trusts, pinned at enrolment."""


def load(state_dir: Path) -> Identity:
    """The identity in use. Raises IdentityError when there is none or it cannot be read."""
    return _load(state_dir / FILE)


def load_previous(state_dir: Path) -> Identity | None:
    """The one before, as long as the one in use has not worked yet."""
    try:
        return _load(state_dir / PREVIOUS)
    except IdentityError:
        return None


def store(state_dir: Path, identity: Identity) -> None:
    """Make this the identity in use. The one before stays until `confirm`. Raises IdentityError."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        current = state_dir / FILE
        with contextlib.suppress(FileNotFoundError):
            write_private(state_dir / PREVIOUS, current.read_bytes(), like=state_dir)
        write_private(current, msgspec.json.format(msgspec.json.encode(identity)), like=state_dir)
    except OSError as error:
        raise IdentityError(
            f"The identity cannot be stored in {state_dir}: {error.strerror}. Run this as root or as the agent's user."
        ) from error


def confirm(state_dir: Path) -> None:
    """The identity in use has worked: the one before may go."""
    with contextlib.suppress(OSError):
        (state_dir / PREVIOUS).unlink(missing_ok=True)


def version(state_dir: Path) -> tuple[int, int] | None:
    """Differs after a `store`; None while there is no identity."""
    try:
        found = (state_dir / FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def vendor(identity: Identity) -> str:
    """Names the root that this agent trusts."""
    return hashlib.sha256(identity.root_pem.encode()).hexdigest()


def renewal_due_ns(identity: Identity) -> int:
    """When to renew: at two thirds of the certificate's life, spread over a tenth of it by the agent's own number, so
    that sites enrolled on the same day don't come back at the same minute."""
    digest = hashlib.sha256(f"renew {identity.agent_id} {identity.serial}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 - 0.5
    share = RENEW_AT_SHARE + RENEW_SPREAD_SHARE * place
    return identity.not_before_ns + int((identity.not_after_ns - identity.not_before_ns) * share)


def _load(path: Path) -> Identity:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        raise IdentityError(
            "This agent is not enrolled yet. Ask the vendor for a token, "
            "then run `sitewarden-agent enroll`, which asks for it."
        ) from None
    except OSError as error:
        raise IdentityError(f"The identity {path} cannot be read: {error.strerror}. Check the file's owner.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IdentityError(
            f"The identity {path} is damaged ({error}). Ask the vendor for a token and enrol again with --force."
        ) from error


def write_private(path: Path, content: bytes, *, like: Path) -> None:
    """Replace a file of the state folder as a whole, readable for the owner of the folder `like` alone."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            # Enrolled with sudo, run as the agent's own user: the folder says whose it is.
            owner = like.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
