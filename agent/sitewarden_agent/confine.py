"""Gives up rights that a process will not need, for good: Landlock, and no new privileges.

Promises: after `enter` this process and all it starts can only do what the rules say, whatever happens in it: law 7,
held by the kernel. `link` can read the Python installation, names and certificates of the system and its own state
folder, and can execute nothing; `observe` can read everywhere, write to its state folder alone, execute nothing that
the local file does not name, and, where the kernel knows how, connect to the ports of its probes alone. Without
Landlock the answer says so and nothing else changes: there the service manager's sandbox holds the line. Interface:
linux/landlock.h, through ctypes; Linux.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sitewarden_agent import programs
from sitewarden_agent.config import Config
from sitewarden_agent.config.probes import (
    CommandProbe,
    HttpProbe,
    PrometheusProbe,
    SqlProbe,
    TcpProbe,
    UnitProbe,
    port_of,
)

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_DNS = 53
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2
_NET_BIND_TCP, _NET_CONNECT_TCP = 1 << 0, 1 << 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = _READ_FILE | _READ_DIR
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_NEWEST = (1 << 16) - 1
"""All file rights that this module handles, by version of the kernel's interface; from version 5 on the newest."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays allowed. Paths that do not exist are skipped."""

    read: tuple[Path, ...] = ()
    read_and_write: tuple[Path, ...] = ()
    execute: tuple[Path, ...] = ()
    connect_ports: tuple[int, ...] | None = None
    """TCP ports that may be connected to; None: any."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """`state` is confined, partly or not confined; `detail` says what holds or why nothing does."""

    state: str
    detail: str


def for_link(config: Config) -> Rules:
    """Nothing of the product: no log, no data; nothing to execute."""
    return Rules(read=(*_python(), *_system()), read_and_write=(config.state_dir, Path("/dev/null")))


def for_observe(config: Config) -> Rules:
    """Everything to read, nothing to write but its own state, and no road to headquarters: the probes' ports alone.

    Nothing to execute either, unless the local file names a command, a unit or a database: then what that needs.
    """
    return Rules(
        read=(Path("/"),),
        read_and_write=(config.state_dir, Path("/dev/null")),
        execute=programs.needed(_commands(config)),
        connect_ports=tuple(sorted({_DNS, *_ports(config)})),
    )


def _ports(config: Config) -> Iterator[int]:
    for probe in config.probes:
        match probe:
            case HttpProbe() | PrometheusProbe():
                yield port_of(probe.url)
            case TcpProbe():
                yield int(probe.address.rpartition(":")[2])
            case SqlProbe() if probe.connects_to is not None:
                yield probe.connects_to
            case CommandProbe():
                yield from probe.ports


def _commands(config: Config) -> Iterator[str]:
    """The programs that the local file makes observe start."""
    for probe in config.probes:
        match probe:
            case CommandProbe():
                yield from (probe.command[0], *probe.may_execute)
            case UnitProbe() if systemctl := programs.find("systemctl"):
                yield systemctl
            case SqlProbe():
                yield sys.executable
    if any(log.journal for log in config.logs) and (journalctl := programs.find("journalctl")):
        yield journalctl
    for component in config.components:
        yield from component.version_command[:1]


def enter(rules: Rules) -> Confinement:
    """Confine this process for good. Never raises: what is not possible here is said in the answer."""
    if sys.platform != "linux":
        return Confinement("not confined", "Landlock exists on Linux only")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Confinement("not confined", f"no_new_privs was refused: {os.strerror(ctypes.get_errno())}")
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        why = os.strerror(ctypes.get_errno())
        return Confinement("not confined", f"this kernel has no Landlock ({why}); the service unit's sandbox must do")
    try:
        _restrict(libc, rules, version=version)
    except OSError as error:
        return Confinement("not confined", f"Landlock refused: {error.strerror}")
    if rules.connect_ports is not None and version < 4:
        return Confinement("partly", f"Landlock {version}: files; this kernel cannot limit connections")
    return Confinement("confined", f"Landlock {version}")


def _restrict(libc: ctypes.CDLL, rules: Rules, *, version: int) -> None:
    handled = _ALL_BY_ABI.get(version, _ALL_NEWEST)
    net = _NET_CONNECT_TCP if rules.connect_ports is not None and version >= 4 else 0
    attributes = struct.pack("=QQ", handled, net) if version >= 4 else struct.pack("=Q", handled)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for paths, rights in (
            (rules.read, READ),
            (rules.read_and_write, handled & ~_EXECUTE),
            (rules.execute, READ | _EXECUTE),
        ):
            for path in paths:
                _allow_path(libc, ruleset, path, rights=rights & handled)
        if net:
            for port in rules.connect_ports or ():
                rule = struct.pack("=QQ", _NET_CONNECT_TCP, port)
                _checked(libc.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow_path(libc: ctypes.CDLL, ruleset: int, path: Path, *, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        _checked(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _python() -> tuple[Path, ...]:
    """The interpreter, its libraries and our own code, wherever they are installed."""
    found = {Path(sys.prefix), Path(sys.base_prefix), *(Path(path) for path in sysconfig.get_paths().values())}
    found |= {Path(path) for path in sys.path if path} | {Path(__file__).parent.parent}
    return tuple(sorted(path.resolve() for path in found if path != Path("/")))


def _system() -> tuple[Path, ...]:
    """What name resolution, TLS and the clock's zone need."""
    etc = ("hosts", "resolv.conf", "nsswitch.conf", "host.conf", "gai.conf", "services", "localtime", "machine-id")
    return (
        *(Path("/etc", name) for name in (*etc, "ssl", "pki", "ca-certificates", "ld.so.cache", "ld.so.conf.d")),
        Path("/etc/resolv.conf").resolve(),  # often a link into /run
        *(Path(name) for name in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")),
        *(Path("/usr/share", name) for name in ("zoneinfo", "ca-certificates")),
        *(Path(name) for name in ("/run/systemd/resolve", "/dev/urandom", "/dev/random", "/proc/self", "/proc/stat")),
        *(Path("/proc", name) for name in ("meminfo", "cpuinfo", "sys/kernel/random", "sys/net", "sys/vm")),
        *(Path(name) for name in ("/sys/devices/system/cpu", "/sys/class/dmi/id", "/sys/class/net", "/sys/fs/cgroup")),
    )
