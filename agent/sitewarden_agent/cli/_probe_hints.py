"""What a probe will lack on this host, found without looking through it: for `check-config` and `probe`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from sitewarden_agent import confine, programs
from sitewarden_agent.config import CommandProbe, Config, Probe, SqlProbe, UnitProbe

UNIT = "sitewarden-agent-observe.service"
_UNIT_EXECUTES = ("/opt/sitewarden-agent/", "/usr/lib/", "/usr/lib64/", "/lib64/", "/usr/local/lib/")
"""What the service unit that we deliver lets it execute (deploy/agent)."""


def hints(config: Config) -> list[str]:
    """In words for the customer, with what to do."""
    found = [f"probe {probe.name!r}: {hint}" for probe in config.probes for hint in _of(probe)]
    wanted = [str(path) for path in confine.for_observe(config).execute]
    lacking = [path for path in wanted if not f"{path}/".startswith(_UNIT_EXECUTES)]
    if lacking:
        found.append(
            f"as a service it needs a drop-in (systemctl edit {UNIT}) with [Service] and ExecPaths={' '.join(lacking)}"
        )
    return found


def _of(probe: Probe) -> Iterator[str]:
    match probe:
        case CommandProbe():
            for path in (probe.command[0], *probe.may_execute):
                yield from _program(path)
        case UnitProbe() if programs.find("systemctl") is None:
            yield "there is no systemctl on this host; take a process probe instead"
        case SqlProbe() if probe.password_file is not None:
            yield from _secret(probe.password_file)


def _program(path: str) -> Iterator[str]:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        yield f"{path} cannot be found ({error.strerror}); correct its path"
        return
    if stat.S_ISDIR(mode):
        return
    if not os.access(path, os.X_OK):
        yield f"{path} may not be executed by this user; check its mode and owner"
    if mode & (stat.S_ISUID | stat.S_ISGID):
        yield f"{path} runs with others' rights (setuid), and the agent's processes can gain none: it will miss them"


def _secret(path: str) -> Iterator[str]:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        yield f"password_file {path} cannot be found ({error.strerror}); make it, readable for the agent's user alone"
        return
    if mode & 0o077 & ~0o040:
        yield f"password_file {path} can be read by others; chmod 640 it, with the agent's group"
