"""Who says hello: the running program on this machine. Site and agent come from the certificate, never from here."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import struct
from pathlib import Path

from sitewarden_agent import release
from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import IdentityError
from sitewarden_agent.link.identity import write_private
from sitewarden_protos.v1 import common_pb2

CAPABILITIES = ("notice", "site_config", "watch_levels")
_PURPOSE = b"sitewarden-machine-v1"
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_NETWORK = Path("/sys/class/net")
_SIOCGIFHWADDR = 0x8927


def draw_session_id() -> bytes:
    """16 bytes, drawn when the link process starts."""
    return os.urandom(16)


def session(session_id: bytes, clock: Clock, *, fingerprint: str) -> common_pb2.Session:
    return common_pb2.Session(
        session_id=session_id,
        boot_id=bytes.fromhex(clock.boot_id()),
        machine_fingerprint=fingerprint,
        agent_version=release.version(),
        hostname=socket.gethostname()[:255],
        agent_time_unix_ns=clock.wall_ns(),
        capabilities=CAPABILITIES,
    )


def machine_fingerprint(state_dir: Path) -> str:
    """SHA-256 hex over what stays the same on this machine and differs on a copy of it.

    The machine-id is copied with a disk, so the hardware address of the first network card that is built in goes with
    it (virtual machines get another with a copy). Enrolment (as root) and link (not as root, confined) must agree, so
    only what both can read counts: not the serial numbers of the board. Without either, a number is drawn and kept.
    Raises IdentityError when something is there and may not be read: a fingerprint without it would be another one,
    and headquarters would take this machine for a copy.
    """
    try:
        parts = [_machine_id(), _hardware_address()]
    except PermissionError as error:
        raise IdentityError(
            f"{error.filename or 'The network cards'} may not be read; without it this machine looks like a copy of "
            "another. Let the agent's user read it, and look at the restrictions of its service unit."
        ) from error
    if not any(parts):
        parts = [_drawn(state_dir)]
    return hashlib.sha256(b"\0".join([_PURPOSE, *(part.encode() for part in parts)])).hexdigest()


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        try:
            found = path.read_text().strip()
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            continue
        if found and found != "uninitialized":
            return found
    return ""


def _hardware_address() -> str:
    """The lowest address among the cards on a bus of the machine; not of bridges, containers or what is plugged in."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            device = _NETWORK / name / "device"
            if device.exists() and "/usb" not in os.path.realpath(device):
                found.append(_address(asking, name))
    return min((each for each in found if each.strip("0:")), default="")


def _address(asking: socket.socket, name: str) -> str:
    """Asked of the kernel, because a confined process may list the cards under /sys but read nothing there."""
    try:
        answer = fcntl.ioctl(asking.fileno(), _SIOCGIFHWADDR, struct.pack("256s", name.encode()[:15]))
    except PermissionError:
        raise
    except OSError:
        return ""  # gone since it was listed
    return answer[18:24].hex(":")


def _drawn(state_dir: Path) -> str:
    path = state_dir / "machine"
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        pass
    drawn = os.urandom(16).hex()
    try:
        write_private(path, drawn.encode(), like=state_dir)
    except OSError:
        return socket.gethostname()
    return drawn
