"""Versions of the product's components: from a file, from what a command prints, from the system's packages.

Promises: a package list is read again only when it changed; a version is at most `VERSION_MAX` characters and passed
redaction. dpkg, apk and rpm with its SQLite database are read directly, nothing is executed for them. Not here: telling
that one changed (`changes`).
"""

from __future__ import annotations

import os
import re
import sqlite3
import struct
from collections.abc import Callable

from sitewarden_agent.config import Component as Wanted
from sitewarden_agent.model import Component

VERSION_MAX = 100
_FILE_MAX_BYTES = 64 * 1024
_OUTPUT_MAX_BYTES = 16 * 1024
_LIST_MAX_BYTES = 64 * 1024 * 1024
_PACKAGES_MAX = 20_000
_DPKG, _APK, _RPM = "/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite"
_RPM_NEW = "/usr/lib/sysimage/rpm/rpmdb.sqlite"
_RPM_NAME, _RPM_VERSION, _RPM_RELEASE = 1000, 1001, 1002


class Packages:
    """The system's packages: name -> version. Lists below `root`, which is another folder in tests."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, str] = {}
        self.complaint = ""

    def read(self) -> dict[str, str]:
        """As they are now; empty with a complaint where no list can be read."""
        for path, reading in ((_DPKG, dpkg), (_APK, apk), (_RPM_NEW, rpm), (_RPM, rpm)):
            there = self._root + path
            try:
                status = os.stat(there)
            except OSError:
                continue
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._known, self.complaint = {}, ""
                try:
                    self._known = reading(there)
                except (OSError, sqlite3.Error, ValueError, struct.error) as error:
                    self.complaint = f"{there} cannot be read as a list of packages ({error})"
                self._seen = seen
            return self._known
        self.complaint = "no list of packages is known here (dpkg, apk, or rpm with SQLite); leave packages out"
        return {}


async def version_of(wanted: Wanted, packages: Packages, redact: Callable[[str], str]) -> Component:
    """What version a component has now."""
    if wanted.version_file is not None:
        return _from_file(wanted, redact)
    if wanted.version_command:
        return await _from_command(wanted, redact)
    name = wanted.package or ""
    found = packages.read().get(name, "")
    trouble = "" if found else packages.complaint or f"the package {name} is not installed"
    return Component(wanted.name, _said(found, redact), "package", trouble)


def _from_file(wanted: Wanted, redact: Callable[[str], str]) -> Component:
    path = wanted.version_file or ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            text = os.read(descriptor, _FILE_MAX_BYTES).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError as error:
        return Component(wanted.name, "", "file", redact(f"{path}: {error.strerror}"))
    return _found(wanted, text, "file", redact)


async def _from_command(wanted: Wanted, redact: Callable[[str], str]) -> Component:
    from sitewarden_agent.observe.commands import run_command  # most sites have no such component

    ran = await run_command(wanted.version_command, timeout_s=wanted.timeout_s, output_max_bytes=_OUTPUT_MAX_BYTES)
    if ran.trouble or ran.exit_code != 0:
        why = ran.trouble or f"{wanted.version_command[0]} ended with {ran.exit_code}"
        return Component(wanted.name, "", "command", redact(why)[:VERSION_MAX])
    text = (ran.stdout or ran.stderr).decode("utf-8", "replace")  # java -version writes where errors go
    return _found(wanted, text, "command", redact)


def _found(wanted: Wanted, text: str, source: str, redact: Callable[[str], str]) -> Component:
    match = re.search(wanted.version_pattern, text)
    if match is None:
        return Component(wanted.name, "", source, "nothing in it looks like version_pattern; correct the pattern")
    version = next((group for group in match.groups() if group), match[0])
    return Component(wanted.name, _said(version, redact), source)


def _said(version: str, redact: Callable[[str], str]) -> str:
    """In context: four numbers with points between them are a version here, and no address."""
    context = "version "
    return redact(context + " ".join(version.split())[:VERSION_MAX]).removeprefix(context)[:VERSION_MAX]


def dpkg(path: str) -> dict[str, str]:
    """Installed packages of Debian's list. Raises OSError."""
    found: dict[str, str] = {}
    name = version = ""
    installed = False
    with open(path, "rb") as lines:
        for line in lines:
            if line.startswith(b"Package: "):
                name = line[9:].strip().decode("utf-8", "replace")
            elif line.startswith(b"Status: "):
                installed = line.rstrip().endswith(b" installed")
            elif line.startswith(b"Version: "):
                version = line[9:].strip().decode("utf-8", "replace")
            elif line == b"\n":
                if name and version and installed and len(found) < _PACKAGES_MAX:
                    found[name] = version
                name, version, installed = "", "", False
    if name and version and installed:
        found[name] = version
    return found


def apk(path: str) -> dict[str, str]:
    """Alpine's list. Raises OSError."""
    found: dict[str, str] = {}
    name = ""
    with open(path, "rb") as lines:
        for line in lines:
            if line.startswith(b"P:"):
                name = line[2:].strip().decode("utf-8", "replace")
            elif line.startswith(b"V:") and name and len(found) < _PACKAGES_MAX:
                found[name] = line[2:].strip().decode("utf-8", "replace")
    return found


def rpm(path: str) -> dict[str, str]:
    """Rpm's database since 4.16, read as it lies there. Raises sqlite3.Error, ValueError."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        found: dict[str, str] = {}
        for (blob,) in connection.execute("SELECT blob FROM Packages LIMIT ?", (_PACKAGES_MAX,)):
            words = rpm_header(blob)
            if name := words.get(_RPM_NAME):
                found[name] = f"{words.get(_RPM_VERSION, '')}-{words.get(_RPM_RELEASE, '')}"
        return found
    finally:
        connection.close()


def rpm_header(blob: bytes) -> dict[int, str]:
    """The strings of an rpm header: two counts, entries of (tag, type, offset, count), then the data."""
    entries, size = struct.unpack_from(">II", blob)
    begin = 8 + 16 * entries
    if begin + size > len(blob):
        raise ValueError("a header of rpm is cut off")
    found: dict[int, str] = {}
    for at in range(8, begin, 16):
        tag, kind, offset, _ = struct.unpack_from(">IIII", blob, at)
        if tag in (_RPM_NAME, _RPM_VERSION, _RPM_RELEASE) and kind in (6, 9) and offset < size:
            end = blob.index(b"\0", begin + offset)
            found[tag] = blob[begin + offset : end].decode("utf-8", "replace")
    return found
