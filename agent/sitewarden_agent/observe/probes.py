"""The product's own health, looked at from outside: HTTP pages, TCP ports, processes.

Promises: every look has a deadline and ends in a result, whatever it meets; a state turns red after the configured
number of failures in a row and green after one success; a change of state goes at once, the state as it is once a
minute, every look as a sample. Not here: when to look (`process`), HTTP itself (`probe_http`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import HttpProbe, Probe, ProcessProbe, TcpProbe
from sitewarden_agent.model import ProbeResult, Series
from sitewarden_agent.observe import probe_http

REPEAT_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw."""

    ok: bool
    detail: str
    duration_ns: int = 0
    certificate_expires_ns: int | None = None


def kind_of(probe: Probe) -> str:
    return str(probe.__struct_config__.tag)


def target_of(probe: Probe) -> str:
    match probe:
        case HttpProbe():
            return probe.url
        case TcpProbe():
            return probe.address
        case ProcessProbe():
            return probe.process


async def look(probe: Probe, clock: Clock) -> Look:
    """Look once. Never raises but for cancellation; takes at most the probe's timeout."""
    began_ns = clock.monotonic_ns()
    try:
        async with asyncio.timeout(probe.timeout_s):
            seen = await _look(probe)
    except TimeoutError:
        seen = Look(False, f"no answer within {probe.timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        seen = Look(False, f"the certificate is not valid: {error.verify_message}")
    except (OSError, probe_http.BadAnswer, psutil.Error) as error:
        seen = Look(False, _why(error))
    except Exception as error:  # noqa: BLE001 - one bad probe must not end the others
        seen = Look(False, f"the probe itself failed: {type(error).__name__}")
    return Look(seen.ok, seen.detail, clock.monotonic_ns() - began_ns, seen.certificate_expires_ns)


async def _look(probe: Probe) -> Look:
    match probe:
        case HttpProbe():
            return await _look_at_page(probe)
        case TcpProbe():
            host, _, port = probe.address.rpartition(":")
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return Look(True, "accepts connections")
        case ProcessProbe():
            count = await asyncio.to_thread(count_processes, probe.process)
            return Look(count >= probe.at_least, f"{count} running, {probe.at_least} needed")


async def _look_at_page(probe: HttpProbe) -> Look:
    page = await probe_http.get(
        probe.url, verify=probe.verify, expected=probe.expect_status, with_body=bool(probe.expect_text)
    )
    expires_ns = page.certificate_expires_ns
    if page.status not in probe.expect_status:
        wanted = " or ".join(map(str, probe.expect_status))
        return Look(False, f"status {page.status} instead of {wanted}", certificate_expires_ns=expires_ns)
    if probe.expect_text.encode() not in page.body:
        return Look(False, f"status {page.status}, but the expected text is missing", certificate_expires_ns=expires_ns)
    return Look(True, f"status {page.status}", certificate_expires_ns=expires_ns)


def count_processes(name: str) -> int:
    """Running processes of that name or with it in their command line, this agent's own not counted."""
    count = 0
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        info = process.info
        command = " ".join(info["cmdline"] or ())
        if info["status"] == psutil.STATUS_ZOMBIE or "sitewarden_agent" in command or "sitewarden-agent" in command:
            continue
        count += info["name"] == name or name in command
    return count


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)


@dataclass(slots=True)
class ProbeState:
    """What is known of one probe; `seen` folds a look into it."""

    probe: Probe
    redact: Callable[[str], str] = str
    ok: bool | None = None
    failures: int = 0
    told_ns: int = 0
    last: Look | None = field(default=None)

    def seen(self, found: Look, now_ns: int) -> ProbeResult | None:
        """The result to tell now: at a change of state, else once a minute. `now_ns` is monotonic."""
        self.last = found
        before = self.ok
        if found.ok:
            self.ok, self.failures = True, 0
        else:
            self.failures += 1
            if self.failures >= self.probe.failures_needed:
                self.ok = False
        if self.ok is None or (self.ok is before and now_ns - self.told_ns < REPEAT_NS):
            return None
        if self.ok and not found.ok:
            return None  # not red yet, and no longer worth calling green
        self.told_ns = now_ns
        return ProbeResult(
            probe=self.probe.name,
            kind=kind_of(self.probe),
            target=self.redact(target_of(self.probe)),
            ok=self.ok,
            latency_us=found.duration_ns // 1_000,
            detail=self.redact(found.detail),
            certificate_expires_ns=found.certificate_expires_ns,
        )

    def samples(self) -> dict[Series, float]:
        if self.last is None:
            return {}
        labels = (("probe", self.probe.name),)
        return {
            Series("probe_success", labels): float(self.last.ok),
            Series("probe_duration_seconds", labels, "seconds"): self.last.duration_ns / 1e9,
        }
