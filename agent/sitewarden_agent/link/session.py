"""Who says hello: the running program on this machine. Site and agent come from the certificate, never from here."""

from __future__ import annotations

import hashlib
import os
import socket
from importlib import metadata
from pathlib import Path

from sitewarden_agent.clock import Clock
from sitewarden_protos.v1 import common_pb2

CAPABILITIES = ("notice", "watch_levels")
_PURPOSE = b"sitewarden-machine-v1"
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_NETWORK = Path("/sys/class/net")


def draw_session_id() -> bytes:
    """16 bytes, drawn when the link process starts."""
    return os.urandom(16)


def session(session_id: bytes, clock: Clock, *, fingerprint: str) -> common_pb2.Session:
    return common_pb2.Session(
        session_id=session_id,
        boot_id=bytes.fromhex(clock.boot_id()),
        machine_fingerprint=fingerprint,
        agent_version=agent_version(),
        hostname=socket.gethostname()[:255],
        agent_time_unix_ns=clock.wall_ns(),
        capabilities=CAPABILITIES,
    )


def agent_version() -> str:
    """The version of the installed package, whichever of the two wheels it came in."""
    for name in ("sitewarden-agent", "sitewarden"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "0"


def machine_fingerprint(state_dir: Path) -> str:
    """SHA-256 hex over what stays the same on this machine and differs on a copy of it.

    The machine-id is copied with a disk, so the hardware address of the first network card that is built in goes with
    it (virtual machines get another with a copy). The serial numbers of the board are left out: only root may read
    them, and enrolment (as root) and link (not as root) must agree. Without either, a number is drawn and kept.
    """
    parts = [_machine_id(), _hardware_address()]
    if not any(parts):
        parts = [_drawn(state_dir)]
    return hashlib.sha256(b"\0".join([_PURPOSE, *(part.encode() for part in parts)])).hexdigest()


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        try:
            found = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            continue
        if found and found != "uninitialized":
            return found
    return ""


def _hardware_address() -> str:
    """The lowest address among the cards on a bus of the machine; not of bridges, containers or what is plugged in."""
    found = []
    try:
        for card in _NETWORK.iterdir():
            device = card / "device"
            if device.exists() and "/usb" not in str(device.resolve()):
                found.append((card / "address").read_text().strip())
    except (OSError, UnicodeDecodeError):
        return ""
    return min((each for each in found if each.strip("0:")), default="")


def _drawn(state_dir: Path) -> str:
    path = state_dir / "machine"
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        pass
    drawn = os.urandom(16).hex()
    try:
        path.write_text(drawn)
    except OSError:
        return socket.gethostname()
    return drawn
