"""The life of the link process: find out who we are, connect, and when that ended, wait and connect again.

It promises: it runs until it is told to stop, whatever headquarters or the network do; what the state is, and what a
person can do about it, stands in the spool's note `link`; a new certificate is taken up without a restart; when a
renewal is due that stands in the note `renew_due`, because this process can start no other, and in `renew.due`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import grpc.aio

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import AgentError, IdentityError
from sitewarden_agent.link import channel, identity
from sitewarden_agent.link.backoff import Backoff
from sitewarden_agent.link.connection import Connection
from sitewarden_agent.link.control import Offset
from sitewarden_agent.link.endpoints import Endpoints
from sitewarden_agent.link.endpoints import addresses as usable
from sitewarden_agent.link.identity import Identity
from sitewarden_agent.link.session import draw_session_id, machine_fingerprint, session
from sitewarden_agent.link.trouble import Ending, Follow
from sitewarden_agent.link.uplink import Pace
from sitewarden_agent.link.wake import watching
from sitewarden_agent.pacer import Pacer
from sitewarden_agent.spool import Spool

LOOK_FOR_IDENTITY_S = 2.0
SHARE = 0.5
"""Of what all processes may take together; observe keeps within what this one leaves."""
LOOK_FOR_OTHER_S = 10.0
"""For another identity, while there is one that works."""
RENEWAL_DUE = "renew.due"
"""In the state folder, for the supervisor: the serial of the certificate to renew."""
SLOW_LOOK_S = 60.0

log = logging.getLogger("sitewarden.link")


class LinkConfig(Protocol):
    """The settings under [link] that are used here."""

    @property
    def endpoints(self) -> tuple[str, ...]: ...
    @property
    def proxy(self) -> str | None: ...
    @property
    def backoff_base_s(self) -> float: ...
    @property
    def backoff_cap_s(self) -> float: ...


class DeadmanConfig(Protocol):
    """The settings under [deadman]."""

    @property
    def url(self) -> str | None: ...
    @property
    def after_s(self) -> float: ...


class LimitsConfig(Protocol):
    """The settings under [limits] that are used here."""

    @property
    def cpu_share(self) -> float: ...


class Config(Protocol):
    """The settings that are used here."""

    @property
    def state_dir(self) -> Path: ...
    @property
    def link(self) -> LinkConfig: ...
    @property
    def deadman(self) -> DeadmanConfig: ...
    @property
    def limits(self) -> LimitsConfig: ...


async def run(config: Config, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises SpoolDamaged when the spool cannot be used any more."""
    # grpc.aio shuts down with its last object, joining its poller; from the garbage collector on another thread that
    # join can wait for ever. Held once, it stays up from one connection to the next.
    grpc.aio.init_grpc_aio()
    link = _Link(config, spool, clock, random.SystemRandom())
    link.pace.pacer = Pacer(config.limits.cpu_share * SHARE)
    serving = asyncio.create_task(link.serve())
    stopping = asyncio.create_task(stop.wait())
    tasks = {serving, stopping}
    if config.deadman.url is not None:
        tasks.add(asyncio.create_task(_watch_headquarters(link, config.deadman.url)))
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not serving.cancelled() and (error := serving.exception()) is not None:
        raise error
    await link.note("stopped")


async def _watch_headquarters(link: _Link, url: str) -> None:
    from sitewarden_agent.link import deadman  # with an HTTP client and TLS, which few agents need

    def who() -> tuple[str, str]:
        return ("", "") if link.identity is None else (link.identity.agent_id, link.identity.site_name)

    await deadman.watch(url, link.config.deadman.after_s, link.clock, heard=lambda: link.is_connected, who=who)


@dataclass(slots=True)
class _Link:
    config: Config
    spool: Spool
    clock: Clock
    chance: random.Random
    session_id: bytes = field(default_factory=draw_session_id)
    offset: Offset = field(default_factory=Offset)
    pace: Pace = field(default_factory=Pace)
    identity: Identity | None = None
    version: tuple[int, int] | None = None
    """Of the identity's file, when it was read last."""
    learned: tuple[str, ...] = ()
    doubted: str = ""
    """Serial of a certificate that headquarters did not take, while the one before is tried."""
    renewal_noted: tuple[str, bool] | None = None
    """Serial, and whether its renewal was noted as due."""
    is_connected: bool = False
    """Headquarters has welcomed this connection, and it has not ended."""

    async def serve(self) -> None:
        backoff = Backoff(self.config.link.backoff_base_s, self.config.link.backoff_cap_s)
        endpoints = Endpoints((), self.chance)
        async with watching(self.spool, self.clock) as wake:
            while True:
                current = self.identity = await self._identity()
                # Those of enrolment stay: a headquarters that led everybody astray can be left again.
                endpoints.learn(self.config.link.endpoints or (*self.learned, *current.endpoints))
                endpoint = endpoints.next()
                if endpoint is None:
                    await self.note("waiting", advice="No collector is known. Set `endpoints` under [link].")
                    await self._pause(LOOK_FOR_IDENTITY_S)
                    continue
                try:
                    fingerprint = await asyncio.to_thread(machine_fingerprint, self.config.state_dir)
                except IdentityError as error:
                    await self.note("waiting", reason="NO_FINGERPRINT", advice=str(error))
                    await self._pause(SLOW_LOOK_S)
                    continue
                await asyncio.to_thread(self.spool.claim, current.agent_id, vendor=identity.vendor(current))
                await self._note_renewal(current)
                await self.note("connecting", endpoint=endpoint)
                ending = await self._connect(current, endpoint, fingerprint, wake)
                if ending.connected_s > 0:
                    endpoints.worked(endpoint)
                if ending.follow is not Follow.AT_ONCE:
                    endpoints.failed(endpoint, at_ns=self.clock.monotonic_ns())
                self._doubt(current, ending)
                if ending.reason == "CERTIFICATE_EXPIRED":
                    await self._note_renewal(current, why=ending.message)
                backoff, wait_s = backoff.after(ending, draw=self.chance.random())
                log.info("link ended: %s: %s; again in %.1f s", ending.reason, ending.message, wait_s)
                await self._note_ending(ending, endpoint=endpoint, wait_s=wait_s)
                await self._pause(wait_s)

    async def note(self, state: str, **more: Any) -> None:
        """What `sitewarden-agent status` shows. A spool that is full or busy for now does not stop the link."""
        known: dict[str, Any] = {}
        if self.identity is not None:
            known = {
                "agent_id": self.identity.agent_id,
                "site_name": self.identity.site_name,
                "certificate_expires_ns": self.identity.not_after_ns,
            }
        with contextlib.suppress(AgentError):
            await asyncio.to_thread(self.spool.note, "link", {"state": state, **known, **more})

    async def _identity(self) -> Identity:
        """The identity to use now. While there is none, says so and waits for one."""
        while True:
            # Before it is read: one that is stored from now on counts as another.
            self.version = identity.version(self.config.state_dir)
            try:
                current = identity.load(self.config.state_dir)
            except IdentityError as error:
                self.identity = None
                await self.note("not enrolled", advice=str(error))
                await self._pause(None)
                continue
            if current.serial == self.doubted:
                previous = identity.load_previous(self.config.state_dir)
                if previous is not None and previous.not_after_ns > self.clock.wall_ns():
                    return previous
            return current

    def _doubt(self, current: Identity, ending: Ending) -> None:
        """A new certificate that does not work at once gives way to the one before, and the other way round."""
        if ending.connected_s > 0 or not ending.credential_doubted:
            return
        self.doubted = "" if self.doubted and self.doubted != current.serial else current.serial

    async def _connect(self, current: Identity, endpoint: str, fingerprint: str, wake: asyncio.Event) -> Ending:
        """Hold one connection until it ends, or until there is a new identity."""

        def connected() -> None:
            self.is_connected = True
            noting.append(asyncio.create_task(self._welcomed(current, endpoint)))

        noting: list[asyncio.Task[None]] = []
        connection = Connection(
            self.spool,
            self.clock,
            session=lambda: session(self.session_id, self.clock, fingerprint=fingerprint),
            wake=wake,
            pace=self.pace,
            offset=self.offset,
            draw=self.chance.random,
            learned=self._learn,
            connected=connected,
        )
        opened = channel.mutual(endpoint, current, proxy=self.config.link.proxy)
        holding = asyncio.create_task(connection.hold(opened, endpoint=endpoint))
        watching_identity = asyncio.create_task(self._until_other_identity(current))
        tasks = {holding, watching_identity}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if holding.done():
                return holding.result()
            connected_s = 0.0
            if connection.welcomed_ns is not None:
                connected_s = (self.clock.monotonic_ns() - connection.welcomed_ns) / 1e9
            return Ending("NEW_IDENTITY", "there is a new certificate", Follow.AT_ONCE, connected_s=connected_s)
        finally:
            self.is_connected = False
            if not holding.done():
                await connection.goodbye()
            for task in (*tasks, *noting):
                task.cancel()
            await asyncio.wait({*tasks, *noting})

    async def _welcomed(self, current: Identity, endpoint: str) -> None:
        with contextlib.suppress(IdentityError):
            # Only the one in use: while the one before stands in for it, both are needed.
            if identity.load(self.config.state_dir).serial == current.serial:
                self.doubted = ""
                identity.confirm(self.config.state_dir)
        await self.note("connected", endpoint=endpoint, since_ns=self.clock.wall_ns())

    def _learn(self, addresses: tuple[str, ...]) -> None:
        self.learned = usable(addresses)

    async def _until_other_identity(self, current: Identity) -> None:
        """Return when the identity on the disk is another one. Notes a renewal that falls due meanwhile."""
        while identity.version(self.config.state_dir) == self.version:
            await self.clock.sleep(LOOK_FOR_OTHER_S)
            await self._note_renewal(current)

    async def _pause(self, wait_s: float | None) -> None:
        """Wait, but not past a new identity. None: only for that."""
        until_ns = None if wait_s is None else self.clock.monotonic_ns() + int(wait_s * 1e9)
        while identity.version(self.config.state_dir) == self.version:
            left_s = LOOK_FOR_IDENTITY_S if until_ns is None else (until_ns - self.clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                return
            await self.clock.sleep(min(left_s, LOOK_FOR_IDENTITY_S))

    async def _note_renewal(self, current: Identity, *, why: str = "") -> None:
        """Say once for each certificate whether it is to be renewed; the supervisor starts the renewal."""
        due = bool(why) or self.clock.wall_ns() + self.offset.offset_ns >= identity.renewal_due_ns(current)
        if self.renewal_noted in ((current.serial, due), (current.serial, True)):
            return
        note = {"due": due, "serial": current.serial, "why": why or ("most of its life is over" if due else "")}
        with contextlib.suppress(AgentError, OSError):
            await asyncio.to_thread(self.spool.note, "renew_due", note)
            await asyncio.to_thread(_ask_for_renewal, self.config.state_dir, serial=current.serial if due else "")
            self.renewal_noted = current.serial, due

    async def _note_ending(self, ending: Ending, *, endpoint: str, wait_s: float) -> None:
        if ending.follow is Follow.AT_ONCE:
            return
        await self.note(
            "waiting",
            endpoint=endpoint,
            reason=ending.reason,
            last_error=ending.message,
            advice=ending.advice,
            keep_credential=ending.keep_credential,
            retry_at_ns=self.clock.wall_ns() + int(wait_s * 1e9),
        )


def _ask_for_renewal(state_dir: Path, *, serial: str) -> None:
    """Leave the serial for the supervisor, or take away what was left. What cannot be written is tried again."""
    path = state_dir / RENEWAL_DUE
    if serial:
        identity.write_private(path, serial.encode(), like=state_dir)
    else:
        path.unlink(missing_ok=True)
