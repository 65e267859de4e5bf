"""[[probes]]: how the product's own health is looked at from outside.

Whatever a probe may connect to or execute is written out in these tables, so that the kernel can be told of it before
anything starts (`confine`). Not here: everything else that can be configured (`settings`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from sitewarden_agent.config.site import Name

Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Text = Annotated[str, Meta(max_length=1_000)]
Series = Annotated[str, Meta(pattern=r"^[A-Za-z_:*?][A-Za-z0-9_:*?]{0,199}$")]
_PATTERN_MAX = 1_000
UnitState = Literal["active", "reloading", "inactive", "activating", "deactivating"]
SQL_PORTS = {"postgresql": 5432, "mysql": 3306}


class _ProbeBase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    name: Name
    """What the probe is called in tickets."""
    interval_s: Annotated[float, Meta(ge=0.1)] = 15.0
    """Time between two looks."""
    timeout_s: Seconds = 5.0
    """A look that takes longer has failed."""
    failures_needed: Annotated[int, Meta(ge=1)] = 2
    """Failures in a row before the state turns red; one success turns it green."""


class HttpProbe(_ProbeBase, frozen=True, kw_only=True, tag="http"):
    """[[probes]] with kind = "http"."""

    url: str
    """http:// or https://, without user and password."""
    expect_status: tuple[Annotated[int, Meta(ge=100, le=599)], ...] = (200, 204)
    """Statuses that count as healthy. Redirects are followed on the same host and port."""
    expect_text: str = ""
    """Text that the first 64 KiB of the answer must hold."""
    expect_pattern: str = ""
    """A regular expression (RE2: no look-around) that must be found in the first 64 KiB of the answer."""
    expect_json: dict[str, str | int | float | bool] = {}
    """What the answer must say where, if it is JSON: steps with dots between them, such as "components.db.status"."""
    latency_max_s: Seconds | None = None
    """A good answer that takes longer has failed."""
    verify: bool = True
    """Whether an https certificate must be valid for its name."""
    ca_file: str | None = None
    """A file with the certificates to trust, in place of the system's."""

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_pattern("expect_pattern", self.expect_pattern)
        _check_absolute("ca_file", self.ca_file)
        for path in self.expect_json:
            if not path or not all(path.split(".")):
                raise ValueError(
                    f"expect_json: {path!r} must be steps with dots between them, like components.db.status"
                )


class TcpProbe(_ProbeBase, frozen=True, kw_only=True, tag="tcp"):
    """[[probes]] with kind = "tcp"."""

    address: str
    """host:port that must accept a connection."""
    send: Text = ""
    """What is said first; \\r\\n ends a line."""
    expect: Text = ""
    """Text that the first 4 KiB of the answer must hold."""
    tls: bool = False
    """Whether TLS is spoken; the end of the certificate is then told."""
    verify: bool = True
    """Whether the certificate must be valid for its name."""
    ca_file: str | None = None
    """A file with the certificates to trust, in place of the system's."""

    def __post_init__(self) -> None:
        check_address("address", self.address)
        _check_absolute("ca_file", self.ca_file)


class ProcessProbe(_ProbeBase, frozen=True, kw_only=True, tag="process"):
    """[[probes]] with kind = "process"."""

    process: Annotated[str, Meta(min_length=1)]
    """Name of a program that must run, or a part of its command line."""
    at_least: Annotated[int, Meta(ge=1)] = 1
    """How many of them."""


class UnitProbe(_ProbeBase, frozen=True, kw_only=True, tag="unit"):
    """[[probes]] with kind = "unit": a unit of systemd."""

    unit: Annotated[str, Meta(pattern=r"^[A-Za-z0-9:_.@\\\-]{1,250}\.[a-z]+$")]
    """Its full name, such as product.service."""
    states: tuple[UnitState, ...] = ("active", "reloading")
    """States that are good: add "inactive" for a unit that runs now and then. One that failed is always bad."""
    restarts_max: Annotated[int, Meta(ge=0)] = 5
    """More restarts by systemd within an hour are bad, whatever the state."""
    interval_s: Annotated[float, Meta(ge=1)] = 30.0
    """Time between two looks. Each starts `systemctl show`."""


class FileProbe(_ProbeBase, frozen=True, kw_only=True, tag="file"):
    """[[probes]] with kind = "file": that something is written in time, such as a backup."""

    path: str
    """Absolute path; *, ? and [..] match within a folder, ** any depth. Of several files the newest counts."""
    max_age_h: Annotated[float, Meta(gt=0)]
    """An older one has failed."""
    min_bytes: Annotated[int, Meta(ge=0)] = 1
    """A smaller one has failed."""
    interval_s: Annotated[float, Meta(ge=1)] = 60.0
    """Time between two looks."""

    def __post_init__(self) -> None:
        _check_absolute("path", self.path)


class SqlProbe(_ProbeBase, frozen=True, kw_only=True, tag="sql"):
    """[[probes]] with kind = "sql": a database that answers. Asked in a process of its own, which costs 0.1 s each."""

    engine: Literal["postgresql", "mysql"]
    """mysql is MariaDB as well."""
    host: str = "localhost"
    """Name or address of the server, or the absolute path of its socket (PostgreSQL: of the socket itself)."""
    port: Port | None = None
    """The usual one of the engine: 5432 or 3306."""
    user: Annotated[str, Meta(min_length=1)]
    """Give it the right to connect and no other."""
    password_file: str | None = None
    """Absolute path of a file whose first line is the password. It stays in the process that asks."""
    database: str = ""
    """The database; empty: the user's own (PostgreSQL) or none (MySQL)."""
    tls: bool = False
    """Whether the connection must be encrypted."""
    verify: bool = True
    """With tls: whether the certificate must be valid for its name."""
    ca_file: str | None = None
    """A file with the certificates to trust, in place of the system's."""
    query: Text = "SELECT 1"
    """One question that changes nothing; it is asked read-only. The first number of the answer becomes a series."""
    at_least: float | None = None
    """The least that number may be."""
    at_most: float | None = None
    """The most that number may be."""
    interval_s: Annotated[float, Meta(ge=1)] = 60.0
    """Time between two looks."""

    def __post_init__(self) -> None:
        _check_absolute("password_file", self.password_file)
        _check_absolute("ca_file", self.ca_file)
        if "://" in self.host or not self.host or self.host.isspace():
            raise ValueError(f"host must be a name, an address or the path of a socket, not {self.host!r}")

    @property
    def connects_to(self) -> int | None:
        """The TCP port; None for a socket in the file system."""
        return None if self.host.startswith("/") else self.port or SQL_PORTS[self.engine]


class CommandProbe(_ProbeBase, frozen=True, kw_only=True, tag="command"):
    """[[probes]] with kind = "command": a check after the convention of the monitoring plugins."""

    command: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
    """The program by its absolute path, and its arguments. No shell. Exit code 0: good, 1: warning, 2: critical."""
    may_execute: tuple[str, ...] = ()
    """Further programs or folders of programs that it starts. Nothing else can be executed by it."""
    ports: tuple[Port, ...] = ()
    """TCP ports that it connects to. No other can be."""
    warning_is_bad: bool = True
    """Whether exit code 1 counts as a failure; its ticket is a warning."""
    interval_s: Annotated[float, Meta(ge=1)] = 60.0
    """Time between two looks."""
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """It is killed after that, with all that it started."""

    def __post_init__(self) -> None:
        _check_absolute("command", self.command[0])
        for path in self.may_execute:
            _check_absolute("may_execute", path)


class PrometheusProbe(_ProbeBase, frozen=True, kw_only=True, tag="prometheus"):
    """[[probes]] with kind = "prometheus": numbers that the product itself tells."""

    url: str
    """http:// or https://, without user and password."""
    series: Annotated[tuple[Series, ...], Meta(min_length=1, max_length=200)]
    """Names of the series to take; * and ? match. All others stay here."""
    series_max: Annotated[int, Meta(ge=1, le=1_000)] = 100
    """How many series are taken, labels counted; what is beyond stays here and is complained of."""
    drop_labels: tuple[str, ...] = ()
    """Labels to leave out. Series that are then the same are added up."""
    verify: bool = True
    """Whether an https certificate must be valid for its name."""
    ca_file: str | None = None
    """A file with the certificates to trust, in place of the system's."""
    max_bytes: Annotated[int, Meta(ge=1_024, le=16 * 1024 * 1024)] = 2 * 1024 * 1024
    """A longer answer is not read."""
    interval_s: Annotated[float, Meta(ge=1)] = 30.0
    """Time between two looks."""

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_absolute("ca_file", self.ca_file)


Probe = HttpProbe | TcpProbe | ProcessProbe | UnitProbe | FileProbe | SqlProbe | CommandProbe | PrometheusProbe


def kind_of(probe: Probe) -> str:
    """How its kind is written in the file."""
    return str(probe.__struct_config__.tag)


def check_address(key: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{key} must be like host:port, not {address!r}")


def port_of(url: str) -> int:
    """The port that a URL leads to."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError(f"url must be like http://localhost:8080/health, without user and password, not {url!r}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"url has a port that is none; write one from 1 to 65535: {url!r}") from None


def _check_pattern(key: str, pattern: str) -> None:
    if len(pattern) > _PATTERN_MAX:
        raise ValueError(f"{key} is longer than {_PATTERN_MAX} characters; write a shorter one")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{key} is not a regular expression: {error}") from None


def _check_absolute(key: str, path: str | None) -> None:
    if path is not None and (not path.startswith("/") or "\0" in path):
        raise ValueError(f"{key} must be an absolute path, not {path!r}")
