"""`preflight`: whether this host is ready to be watched. Each check says what it found and what to do.

It changes nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sitewarden_agent import app, programs
from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Config
from sitewarden_agent.errors import AgentError, ConfigError, IdentityError
from sitewarden_agent.link import identity, pin
from sitewarden_agent.observe import discovery, redaction

CLOCK_TOLERANCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """`state` is ok, warning or failed; `advice` says what to do and is empty when nothing is."""

    name: str
    state: str
    detail: str
    advice: str = ""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "preflight",
        help="check whether this host is ready to be watched",
        description="Check configuration, rights, disk, clock, identity and the way to headquarters.",
    )
    default = configuration.DEFAULT_PATH
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {default})")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    checks = list(every(arguments.config))
    for check in checks:
        if arguments.json:
            print(json.dumps(asdict(check), ensure_ascii=False))
            continue
        print(f"{check.state:8} {check.name}: {check.detail}")
        if check.advice:
            print(f"         {check.advice}")
    return 1 if any(check.state == "failed" for check in checks) else 0


def every(path: Path | None) -> Iterator[Check]:
    """All checks, those first that others depend on."""
    try:
        config = configuration.load_or_defaults(path)
        redaction.redactor(config.redact, key=b"")
    except ConfigError as error:
        yield Check("configuration", "failed", str(error), "Repair it and check with `sitewarden-agent check-config`.")
        return
    yield Check("configuration", "ok", str(path or configuration.DEFAULT_PATH))
    checks: tuple[Callable[[Config], Iterator[Check]], ...] = (_state_dir, _disk, _logs, _identity, _clock, _collectors)
    for check in checks:
        yield from check(config)


def _state_dir(config: Config) -> Iterator[Check]:
    folder = config.state_dir
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        if folder.exists():
            with tempfile.TemporaryFile(dir=folder):
                pass
        elif not os.access(nearest, os.W_OK):
            raise PermissionError(13, f"{nearest} is not writable")
    except OSError as error:
        advice = f"Make {folder} for the agent's user: install -d -m 700 -o AGENTUSER {folder}"
        yield Check("state_dir", "failed", f"{folder} cannot be written: {error.strerror}", advice)
        return
    yield Check("state_dir", "ok", f"{folder} can be written")


def _disk(config: Config) -> Iterator[Check]:
    folder = next(parent for parent in (config.state_dir, *config.state_dir.parents) if parent.exists())
    usage = shutil.disk_usage(folder)
    share = 1 - usage.free / usage.total
    detail = f"{usage.free // 2**20} MiB free where {folder} is, {share:.0%} used"
    if share >= config.spool.max_disk_share:
        advice = "Free some space: past spool.max_disk_share the agent keeps next to nothing while offline."
        yield Check("disk", "failed", detail, advice)
    elif usage.free < config.spool.max_bytes:
        advice = f"Free some space or lower spool.max_bytes ({config.spool.max_bytes}): it does not fit."
        yield Check("disk", "warning", detail, advice)
    else:
        yield Check("disk", "ok", detail)


def _logs(config: Config) -> Iterator[Check]:
    if not config.logs:
        yield Check("logs", "warning", "no [[logs]] are configured", "Name the product's log files under [[logs]].")
    for log in config.logs:
        if log.journal:
            yield _journal(f"log {log.name}")
            continue
        found, complaints = discovery.files(log)
        closed = [seen.path for seen in found.values() if not os.access(seen.path, os.R_OK)]
        name = f"log {log.name}"
        if closed:
            advice = (
                "Run this as the agent's user, and give that user the right to read: a group, or setfacl -m u:USER:r"
            )
            yield Check(name, "failed", f"cannot be read: {', '.join(closed[:5])}", advice)
        elif complaints:
            yield Check(
                name, "warning", complaints[0], "Narrow the patterns, or give the agent's user the right to look."
            )
        elif not found:
            advice = "Check the patterns. It is no fault when the product has not written yet."
            yield Check(name, "warning", f"no file matches {', '.join(log.paths)}", advice)
        else:
            yield Check(name, "ok", f"{len(found)} files can be read")


def _journal(name: str) -> Check:
    program = programs.find("journalctl")
    if program is None:
        return Check(name, "failed", "there is no journalctl here", "Install systemd's, or name files in `paths`.")
    asked = subprocess.run([program, "--lines=1", "--no-pager"], capture_output=True, text=True, check=False)
    if asked.returncode != 0 or "Hint:" in asked.stderr:
        said = " ".join(asked.stderr.split())[:300] or f"journalctl ended with {asked.returncode}"
        return Check(name, "failed", said, "Put the agent's user into the group systemd-journal.")
    return Check(name, "ok", "the journal can be read")


def _identity(config: Config) -> Iterator[Check]:
    try:
        known = identity.load(config.state_dir)
    except IdentityError as error:
        yield Check("identity", "failed", "this host is not enrolled", str(error))
        return
    left_s = known.not_after_ns / 1e9 - time.time()
    if left_s <= 0:
        advice = "Run `sitewarden-agent renew`; if that is refused, enrol again with a new token of the vendor."
        yield Check("identity", "failed", f"the certificate expired {-left_s / 3600:.1f} h ago", advice)
    elif known.not_before_ns / 1e9 > time.time() + CLOCK_TOLERANCE_S:
        yield Check("identity", "failed", "the certificate is not valid yet", "Set this host's clock.")
    else:
        yield Check("identity", "ok", f"site {known.site_name}; the certificate is good for {left_s / 3600:.1f} h")


def _clock(config: Config) -> Iterator[Check]:
    offset_ns = None
    if app.spool_path(config).exists():
        try:
            with app.opened_spool(config, SystemClock()) as spool:
                offset_ns = spool.notes().get("clock", {}).get("offset_ns")
        except AgentError as error:
            yield Check("clock", "warning", str(error))
            return
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if not isinstance(offset_ns, int):
        yield Check("clock", "ok", f"this host says {said}; it is compared with headquarters at the first connection")
    elif abs(offset_ns) > CLOCK_TOLERANCE_S * 1e9:
        advice = "Let the host follow a time server (chrony or systemd-timesyncd)."
        yield Check("clock", "warning", f"differs from headquarters' by {offset_ns / 1e9:.1f} s", advice)
    else:
        yield Check("clock", "ok", f"differs from headquarters' by {offset_ns / 1e9:.3f} s")


def _collectors(config: Config) -> Iterator[Check]:
    try:
        known = identity.load(config.state_dir)
    except IdentityError:
        known = None
    endpoints = config.link.endpoints or (known.endpoints if known else ())
    if not endpoints:
        yield Check("collector", "warning", "no collector is known yet", "Enrol first, or set endpoints under [link].")
    for endpoint in endpoints:
        yield _collector(endpoint, root_pem=known.root_pem if known else None, proxy=config.link.proxy)


def _collector(endpoint: str, *, root_pem: str | None, proxy: str | None) -> Check:
    name = f"collector {endpoint}" + (f" through {pin.shown(proxy)}" if proxy else "")
    try:
        host, port = pin.split_address(endpoint)
        with pin.connect(host, port, proxy) as plain:
            if root_pem is None:
                return Check(name, "ok", "accepts connections; its certificate is checked at enrolment")
            context = ssl.create_default_context(cadata=root_pem)
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return Check(name, "ok", f"answers with a certificate of the vendor, {secure.version()}")
    except ssl.SSLCertVerificationError as error:
        advice = "Something on the way opens TLS, or it is another server: let this connection pass unopened."
        return Check(name, "failed", f"its certificate is not the vendor's: {error.verify_message}", advice)
    except ssl.SSLError as error:
        advice = "Check that this is the collector's port."
        return Check(name, "failed", f"does not speak TLS as a collector does: {error.reason}", advice)
    except (OSError, http.client.HTTPException) as error:
        advice = (
            "Check the address, DNS and the firewalls on the way; where only a proxy leads out, set proxy under [link]."
        )
        return Check(name, "failed", f"cannot be reached: {getattr(error, 'strerror', None) or error}", advice)
