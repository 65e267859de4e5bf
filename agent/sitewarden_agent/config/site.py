"""What can be configured of the host's inventory, the product's processes and versions, and what changes at the site.

Not here: everything else (`settings`).
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. \-]{0,63}$")]
VERSION_PATTERN = r"\d+(?:\.\d+)+[0-9A-Za-z.+~_-]*"
_PATTERN_MAX = 1_000


class WatchedProcess(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[health.processes]]: a program of the product whose memory, processor time, handles and restarts are sampled."""

    name: Name
    """What it is called in charts and warnings."""
    match: Annotated[str, Meta(min_length=2)]
    """Its short name, or a part of its command line."""


class Inventory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[inventory]: what this host is, told at start, when it changed, and once a day."""

    enabled: bool = True
    """Whether it is told at all."""
    addresses: bool = False
    """Whether network addresses are told too, as pseudonyms."""


class Component(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[components]]: a part of the product whose version is told, and told again when it changes."""

    name: Name
    """What it is called in tickets."""
    version_file: str | None = None
    """Absolute path of a file that holds the version."""
    version_command: tuple[str, ...] = ()
    """A program with its arguments that prints the version. No shell; the program by its absolute path."""
    package: str | None = None
    """The name of a package of the system (dpkg or rpm)."""
    version_pattern: str = VERSION_PATTERN
    """A regular expression that finds the version in the file or the output; its first group, or all of it."""
    interval_s: Annotated[float, Meta(ge=1)] = 60.0
    """Time between two looks."""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """A command that takes longer is ended."""

    def __post_init__(self) -> None:
        if sum((self.version_file is not None, bool(self.version_command), self.package is not None)) != 1:
            raise ValueError(f"component {self.name!r} needs one of version_file, version_command and package")
        if self.version_file is not None and not self.version_file.startswith("/"):
            raise ValueError(f"version_file must be an absolute path, not {self.version_file!r}")
        if self.version_command and not self.version_command[0].startswith("/"):
            raise ValueError(f"version_command must begin with an absolute path, not {self.version_command[0]!r}")
        if len(self.version_pattern) > _PATTERN_MAX:
            raise ValueError(f"version_pattern is longer than {_PATTERN_MAX} characters; write a shorter one")
        try:
            re.compile(self.version_pattern)
        except re.error as error:
            raise ValueError(f"version_pattern is not a regular expression: {error}") from None


class WatchedFiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[watch_files]]: configuration files whose changes are told."""

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Absolute paths; *, ? and [..] match within a folder, ** any depth."""
    diff: bool = True
    """Whether the changed lines are told, redacted; else only that the file changed."""
    interval_s: Annotated[float, Meta(ge=1)] = 60.0
    """Time between two looks."""

    def __post_init__(self) -> None:
        for path in self.paths:
            if not path.startswith("/"):
                raise ValueError(f"paths must be absolute; {path!r} is not")


class Changes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[changes]: what else of this host is told when it changes."""

    packages: bool = False
    """Whether packages of the system that were installed, upgraded or removed are told (dpkg, rpm)."""
