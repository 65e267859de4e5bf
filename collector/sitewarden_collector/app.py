"""The collector, wired: everything is built here, in one place, started in order and stopped last-in first-out.

`start` and `stop` may be called once each. After `start` the real ports are known; after `stop` nothing of it runs, and
every acknowledged batch is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Connection

from sitewarden_alerting.rules import Rulebook
from sitewarden_collector import channels, pki
from sitewarden_collector.config import Config, split_address
from sitewarden_collector.console import app as console_app
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.grpc_api.front import Front, LiveStreams
from sitewarden_collector.grpc_api.greeting import recheck
from sitewarden_collector.grpc_api.server import GrpcServers
from sitewarden_collector.http_api import app as http_app
from sitewarden_collector.loops import Clock, SystemClock, drain, every
from sitewarden_collector.services import (
    acknowledging,
    assessment,
    audit,
    clock_watch,
    compaction,
    enrolment,
    evaluation,
    heartbeat,
    mail_replies,
    oncall,
    paging,
    policies,
    retention,
    roster,
    rulepacks,
)
from sitewarden_collector.services.desk import routine
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.services.notifying import Sender, people
from sitewarden_collector.services.remote_write import Exporter
from sitewarden_collector.services.webhook_sending import WebhookSender
from sitewarden_collector.store import agents, export_cursors, lock, migrate, settings
from sitewarden_collector.store.engine import Database
from sitewarden_collector.telemetry import Telemetry
from sitewarden_collector.web.context import Context
from sitewarden_collector.web.live import Live

HEARD_INTERVAL_S = 2.0
SEEN_INTERVAL_S = 5.0
DISPATCH_INTERVAL_S = 0.5
RECHECK_INTERVAL_S = 60.0
REFRESH_INTERVAL_S = 3600.0
RETENTION_INTERVAL_S = 600.0
COMPACTION_INTERVAL_S = 120.0
COMPACTION_SHARE = 0.25  # of the time: an hour's joining is spread over minutes
EVALUATE_IDLE_S = 1.0  # other collectors store observations as well
TICK_INTERVAL_S = 1.0
DESK_INTERVAL_S = 5.0
ROUND_SHARE = 0.03  # of the writer, for what looks at every site or ticket
ASSESS_INTERVAL_S = 2.0
CLOCKS_INTERVAL_S = 3.0
LIVE_AGAIN_S = 1.0  # after the feed's connection was lost
WEBHOOK_IDLE_S = 1.0
PAGING_IDLE_S = 1.0
EXPORT_IDLE_S = 2.0
WARN_INTERVAL_S = 600.0
NOTIFY_IDLE_S = 0.5  # commands write notices from outside, too

_log = logging.getLogger("sitewarden.collector")


class Collector:
    """One collector. `streams_port`, `enrolment_port` and `http_port` are the real ports once it has started."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        commit: Callable[[Connection], None] = Connection.commit,
    ) -> None:
        self.config = config
        self.clock: Clock = SystemClock() if clock is None else clock
        self.telemetry = Telemetry()
        self.streams_port = self.enrolment_port = self.http_port = 0
        self._commit = commit
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Come up, or raise with everything taken back."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Send the agents away, finish what is under way, let go of everything."""
        await self._stack.aclose()
        _log.info("the collector has stopped")

    async def _start(self) -> None:
        config, clock = self.config, self.clock
        config.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.enter_context(lock.only_collector(config.database_url))
        self.db = await asyncio.to_thread(self._open)
        self._stack.push_async_callback(asyncio.to_thread, self.db.close)
        authority = await self.db.run(enrolment.ensure_authority, config.data_path, now_ns=clock.now_ns())
        live = LiveStreams(self.telemetry)
        rulebook = rulepacks.load(config.rules)
        # Agents are also sent the levels that the rules wait for.
        levels = rulepacks.watch_levels(config.watch_levels, rulebook)
        config = msgspec.structs.replace(config, watch_levels=levels)
        self.front = Front(config, self.db, clock, authority, self.telemetry, live, asyncio.Event())
        self.outbox = asyncio.Event()  # set when a notice may be due
        self.servers = servers = GrpcServers(self.front)
        secret = pki.secret_key(config.data_path, create=False)
        sender = self._sender(await self.db.run(acknowledging.link_key, secret), rulebook)
        await servers.start()
        self._stack.push_async_callback(servers.stop)
        self.streams_port, self.enrolment_port = servers.streams_port, servers.enrolment_port
        await self.db.run(settings.put, "endpoints", self._endpoints())
        live_feed = Live(self.db, clock)
        self.context = Context(self.db, config, clock.now_ns, secret, live_feed, self.outbox.set, rulebook=rulebook)
        self._stack.push_async_callback(self._write_seen)  # after the last request
        self.http_port = await self._stack.enter_async_context(self._http(authority))
        self._loop("seen", every(SEEN_INTERVAL_S, self._write_seen, name="seen", clock=clock))
        self._loop("live", every(LIVE_AGAIN_S, live_feed.follow, name="live", clock=clock))
        self._stack.push_async_callback(sender.stop)
        self._tell_webhooks()
        await self._on_call()
        self._loop("heard", every(HEARD_INTERVAL_S, self._write_heard, name="heard", clock=clock))
        self._stack.push_async_callback(self._write_heard)
        self._loop("dispatch", every(DISPATCH_INTERVAL_S, servers.control.dispatch, name="dispatch", clock=clock))
        self._loop("recheck", every(RECHECK_INTERVAL_S, self._recheck, name="recheck", clock=clock))
        self._loop("refresh", every(REFRESH_INTERVAL_S, servers.refresh, name="refresh", clock=clock))
        self._loop("retention", every(RETENTION_INTERVAL_S, self._forget, name="retention", clock=clock))
        self._loop("compaction", every(COMPACTION_INTERVAL_S, self._compact, name="compaction", clock=clock))
        await self._export()
        self._evaluate_from(clock.now_ns(), rulebook)
        self._loop(
            "notifying", drain(sender.step, wake=self.outbox, name="notifying", clock=clock, idle_s=NOTIFY_IDLE_S)
        )
        if config.heartbeat.url:
            self._loop("heartbeat", every(config.heartbeat.interval_s, self._beat, name="heartbeat", clock=clock))
        self._warn_of_ends(authority)
        ports = {"streams": self.streams_port, "enrolment": self.enrolment_port, "http": self.http_port}
        _log.info("the collector is ready", extra={"ports": ports, "endpoints": self._endpoints()})

    async def _export(self) -> None:
        """Send samples to a remote store, where there is one: half of the time at most."""
        remote, clock = self.config.export.remote_write, self.clock
        await self.db.run(export_cursors.switch, active=bool(remote.url), now_ns=clock.now_ns())
        if not remote.url:
            return
        exporter = Exporter(self.db, remote, now_ns=clock.now_ns)
        self._stack.push_async_callback(exporter.stop)

        async def send() -> int:
            began_s = clock.monotonic_s()
            sent = await exporter.step()
            await clock.sleep(clock.monotonic_s() - began_s)
            return sent

        wake = asyncio.Event()
        self._loop("export", drain(send, wake=wake, name="export", clock=clock, idle_s=EXPORT_IDLE_S))

    def _warn_of_ends(self, authority: pki.Authority) -> None:
        days = pki.days_left(authority, now_ns=self.clock.now_ns())
        if days < 180:
            _log.warning("the intermediate certificate ends in %d days: plan a new authority", days)

    def _open(self) -> Database:
        # The check opens and closes: the database that is used has the commit that it was given.
        migrate.open_checked(self.config.database_url, thorough=True).close()
        database = Database(self.config.database_url, commit=self._commit)
        try:
            migrate.prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _endpoints(self) -> dict[str, list[str]]:
        return {"streams": list(self.front.streams_endpoints), "enrolment": list(self.front.enrolment_endpoints)}

    def _sender(self, link_key: bytes, rulebook: Rulebook) -> Sender:
        roads = {name: channels.open_channel(name, one.url) for name, one in self.config.channels.items()}

        def settled(channel: str, result: str) -> None:
            self.telemetry.notices_settled.labels(channel, result).inc()
            self.outbox.set()

        worker = f"{socket.gethostname()}:{os.getpid()}"
        return Sender(
            self.db,
            roads,
            now_ns=self.clock.now_ns,
            worker=worker,
            on_call=people(self.config.on_call),
            on_settled=settled,
            footer=acknowledging.footer(link_key, self.config.console.public_url, now_ns=self.clock.now_ns),
            rulebook=rulebook,
        )

    async def _on_call(self) -> None:
        """Run what escalates, warns of gaps, and reads answers to pages."""
        config, clock, db = self.config, self.clock, self.db
        await db.run(roster.remember, people(config.on_call), public_url=config.console.public_url)

        async def escalate() -> int:
            done = await db.run_alone(paging.step, now_ns=clock.now_ns())
            if done:
                self.outbox.set()
            return done

        async def warn() -> None:
            if await db.run(oncall.warn, now_ns=clock.now_ns()):
                self.outbox.set()

        async def answers() -> None:
            await mail_replies.answers(db, self.context.secret, config.mailbox, now_ns=clock.now_ns)

        wake = asyncio.Event()
        self._loop("paging", drain(escalate, wake=wake, name="paging", clock=clock, idle_s=PAGING_IDLE_S))
        self._loop("oncall", every(WARN_INTERVAL_S, warn, name="oncall", clock=clock))
        if config.mailbox.host:
            self._loop("mailbox", every(config.mailbox.interval_s, answers, name="mailbox", clock=clock))

    def _tell_webhooks(self) -> None:
        wake = asyncio.Event()
        sender = WebhookSender(
            self.db,
            self.context.secret,
            now_ns=self.clock.now_ns,
            allow_private=self.config.webhooks.allow_private,
            on_settled=wake.set,
        )
        self._stack.push_async_callback(sender.stop)
        self._loop("webhooks", drain(sender.step, wake=wake, name="webhooks", clock=self.clock, idle_s=WEBHOOK_IDLE_S))

    def _loop(self, name: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)

        async def end() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self._stack.push_async_callback(end)

    def _evaluate_from(self, started_ns: int, rulebook: Rulebook) -> None:
        """Run what decides: rules over what arrives, rules of time, risks."""
        policy = policies.policy_of(self.config)
        memory = Memory()

        async def evaluate() -> int:
            nonlocal memory
            began_s = self.clock.monotonic_s()
            try:
                done = await self.db.run_alone(
                    evaluation.step, rulebook, policy, now_ns=self.clock.now_ns(), memory=memory
                )
            except BaseException:
                memory = Memory()  # what it learned was perhaps not stored
                raise
            if done:
                self.telemetry.evaluation_seconds.observe(self.clock.monotonic_s() - began_s)
                self.outbox.set()
            return done

        async def tick() -> None:
            now_ns = self.clock.now_ns()
            if await self.db.run_alone(evaluation.tick, rulebook, policy, now_ns=now_ns, started_ns=started_ns):
                self.outbox.set()

        async def work_desk() -> None:
            if await self.db.run_alone(routine.step, now_ns=self.clock.now_ns()):
                self.outbox.set()

        async def assess() -> None:
            now_ns = self.clock.now_ns()
            examined = await self.db.read(assessment.examine, policy, now_ns=now_ns)
            if examined:
                await self.db.run_alone(assessment.record, examined, policy, now_ns=now_ns)
                self.outbox.set()

        async def watch() -> None:
            while await self.db.run_alone(clock_watch.watch, now_ns=self.clock.now_ns()):
                self.outbox.set()

        clock = self.clock
        arrived = self.front.arrived
        self._loop("evaluation", drain(evaluate, wake=arrived, name="evaluation", clock=clock, idle_s=EVALUATE_IDLE_S))
        self._loop("tick", every(TICK_INTERVAL_S, tick, name="tick", clock=clock, share=ROUND_SHARE))
        self._loop("desk", every(DESK_INTERVAL_S, work_desk, name="desk", clock=clock, share=ROUND_SHARE))
        self._loop("assessment", every(ASSESS_INTERVAL_S, assess, name="assessment", clock=clock))
        self._loop("clocks", every(CLOCKS_INTERVAL_S, watch, name="clocks", clock=clock))

    async def _write_heard(self) -> None:
        heard = self.front.live.take_heard()
        if heard.seen or heard.spools:
            await self.db.run(agents.heard, heard.seen, spools=heard.spools)

    async def _write_seen(self) -> None:
        await self.context.seen.flush(self.db)
        await self.db.read(audit.keep_anchor, self.config.data_path)

    async def _beat(self) -> None:
        await heartbeat.beat(self.db, self.config.heartbeat, now_ns=self.clock.now_ns())

    async def _recheck(self) -> None:
        await recheck(self.front)

    async def _forget(self) -> None:
        while await self.db.run_alone(retention.step, self.config.retention, now_ns=self.clock.now_ns()):
            await self.clock.sleep(0.1)

    async def _compact(self) -> None:
        for agent_id in await self.db.read(compaction.waiting, now_ns=self.clock.now_ns()):
            began_s = self.clock.monotonic_s()
            try:
                joined = await self.db.read(compaction.join, agent_id, now_ns=self.clock.now_ns())
                if joined:
                    await self.db.run_alone(compaction.record, joined)
            except compaction.Outdated:
                continue  # erased or joined by another collector: the next round sees what is there
            await self.clock.sleep((self.clock.monotonic_s() - began_s) * (1 / COMPACTION_SHARE - 1))

    @asynccontextmanager
    async def _http(self, authority: pki.Authority) -> AsyncIterator[int]:
        app = http_app.make(self.context, registry=self.telemetry.registry, ca_pem=pki.pem(authority.root))
        app.mount("/", console_app.make(self.context))  # whatever is not the API's
        listener = _listen(self.config.listen.http)
        server = _HttpServer(_served(app, self.config))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            yield int(listener.getsockname()[1])
        finally:
            self.context.live.close()  # streams of events end by themselves only then
            server.should_exit = True
            await serving
            listener.close()


class _HttpServer(uvicorn.Server):
    """Signals belong to the process that runs the collector, not to one of its servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _served(app: FastAPI, config: Config) -> uvicorn.Config:
    """How the HTTP side is served: by TLS where there is a certificate for it. Raises ConfigError."""
    console = config.console
    served = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        access_log=False,
        ssl_certfile=console.certificate_file or None,
        ssl_keyfile=console.key_file or None,
    )
    try:
        served.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"console.certificate_file and key_file cannot be used ({error}): both must be PEM, and belong together"
        ) from error
    host, _ = split_address(config.listen.http, "listen.http")
    if not console.certificate_file and host not in ("127.0.0.1", "::1", "localhost"):
        _log.warning(
            "listen.http %s is open to other hosts and speaks no TLS: passwords would travel in the clear; set "
            "console.certificate_file and key_file, or listen on 127.0.0.1 behind a proxy that does",
            config.listen.http,
        )
    return served


def _listen(address: str) -> socket.socket:
    host, port = split_address(address, "listen.http")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"listen.http: cannot listen on {address} ({error.strerror}); choose another port, or 0 for a free one"
        ) from error


async def run(config: Config, *, ready: Callable[[Collector], Any], stop: asyncio.Event) -> None:
    """A collector from start to stop: `ready` is called once it serves, then it runs until `stop` is set."""
    collector = Collector(config)
    await collector.start()
    try:
        ready(collector)
        await stop.wait()
    finally:
        await collector.stop()
