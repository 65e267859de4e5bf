"""The product's own health, looked at from outside: which probe is looked through how.

Promises: every look has a deadline and ends in a result, whatever it meets; what only some kinds of probes need is
loaded with the first probe of that kind. Not here: when to look (`jobs.probing`), what a row of looks means
(`probe_state`), and each kind (`probe_*`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import (
    CommandProbe,
    FileProbe,
    HttpProbe,
    Probe,
    ProcessProbe,
    PrometheusProbe,
    SqlProbe,
    TcpProbe,
    UnitProbe,
)
from sitewarden_agent.model import Series
from sitewarden_agent.observe.looks import DETAIL_MAX, Bad, Look

Looker = Callable[[], Awaitable[Look]]
Redact = Callable[[str], str]
_OWN_DEADLINE = (CommandProbe, SqlProbe, UnitProbe)
"""Commands may have to wait for their turn, and count their time themselves."""
_WAIT_S = 120.0
_DAY_NS = 86_400 * 1_000_000_000


def target_of(probe: Probe) -> str:
    """What is looked at, without anything secret: no arguments of commands, no users."""
    match probe:
        case HttpProbe() | PrometheusProbe():
            return probe.url
        case TcpProbe():
            return probe.address
        case ProcessProbe():
            return probe.process
        case UnitProbe():
            return probe.unit
        case FileProbe():
            return probe.path
        case SqlProbe():
            place = probe.host if probe.connects_to is None else f"{probe.host}:{probe.connects_to}"
            return f"{probe.engine} {place}" + (f"/{probe.database}" if probe.database else "")
        case CommandProbe():
            return probe.command[0]


def looker(probe: Probe, clock: Clock, redact: Redact = str) -> Looker:
    """What looks through this probe, again and again. It raises OSError, TimeoutError and Bad."""
    match probe:
        case HttpProbe():
            from sitewarden_agent.observe.probe_page import look_at_page

            return lambda: look_at_page(probe)
        case TcpProbe():
            from sitewarden_agent.observe.probe_tcp import look_at_port

            return lambda: look_at_port(probe)
        case ProcessProbe():
            from sitewarden_agent.observe.probe_process import Processes

            return Processes(probe)
        case UnitProbe():
            from sitewarden_agent.observe.probe_unit import Unit

            return Unit(probe, clock)
        case FileProbe():
            from sitewarden_agent.observe.probe_file import Files

            return Files(probe, clock)
        case SqlProbe():
            from sitewarden_agent.observe.probe_sql import ask

            return lambda: ask(probe)
        case CommandProbe():
            from sitewarden_agent.observe.probe_command import check

            return lambda: check(probe, redact)
        case PrometheusProbe():
            from sitewarden_agent.observe.probe_prometheus import Scrape

            return Scrape(probe, clock, redact)


async def look(probe: Probe, clock: Clock, with_looker: Looker | None = None) -> Look:
    """Look once. Never raises but for cancellation; takes at most the probe's timeout, a wait for its turn aside."""
    began_ns = clock.monotonic_ns()
    see = with_looker or looker(probe, clock)
    try:
        async with asyncio.timeout(_WAIT_S + probe.timeout_s if isinstance(probe, _OWN_DEADLINE) else probe.timeout_s):
            seen = await see()
    except TimeoutError:
        seen = Look(False, f"no answer within {probe.timeout_s:g} s")
    except (OSError, Bad) as error:
        seen = Look(False, _why(error))
    except Exception as error:  # noqa: BLE001 - one bad probe must not end the others
        seen = Look(False, f"the probe itself failed: {type(error).__name__}")
    values = dict(seen.values)
    if seen.certificate_expires_ns is not None:
        left_ns = seen.certificate_expires_ns - clock.wall_ns()
        values[Series("certificate_left_days", (("probe", probe.name),), "days")] = round(left_ns / _DAY_NS, 2)
    return replace(
        seen,
        detail=seen.detail[:DETAIL_MAX],
        duration_ns=seen.duration_ns or clock.monotonic_ns() - began_ns,
        values=values,
    )


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, PermissionError):
        return "the kernel lets the agent connect to no other ports than its probes name; name the final address"
    said = getattr(error, "verify_message", None)  # of ssl.SSLCertVerificationError, without loading ssl for it
    if said is not None:
        return f"the certificate is not valid: {said}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
