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
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from sitewarden_alerting.rules import Rulebook
from sitewarden_collector import channels, pki
from sitewarden_collector.config import Config
from sitewarden_collector.console import app as console_app
from sitewarden_collector.grpc_api import itself
from sitewarden_collector.grpc_api.front import Front, LiveStreams
from sitewarden_collector.grpc_api.greeting import recheck
from sitewarden_collector.grpc_api.server import GrpcServers
from sitewarden_collector.http_api import app as http_app
from sitewarden_collector.http_api import serving
from sitewarden_collector.loops import Clock, SystemClock, drain, every, processor_s
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
from sitewarden_collector.services.telling import Telling
from sitewarden_collector.services.webhook_sending import WebhookSender
from sitewarden_collector.store import agents, export_cursors, lock, migrate, settings
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.feed import Feed, Step
from sitewarden_collector.telemetry import Telemetry
from sitewarden_collector.web.context import Context
from sitewarden_collector.web.live import Live

HEARD_INTERVAL_S = 2.0
SEEN_INTERVAL_S = 5.0
DISPATCH_INTERVAL_S = 0.5  # commands write to SQLite from other processes
DISPATCH_IDLE_S = 10.0  # a notification that was lost with its connection
RECHECK_INTERVAL_S = 60.0
REFRESH_INTERVAL_S = 3600.0
RETENTION_INTERVAL_S = 600.0
COMPACTION_INTERVAL_S = 120.0
COMPACTION_SHARE = 0.25  # of the time: an hour's joining is spread over minutes
EVALUATE_IDLE_S = 1.0  # other collectors store observations as well
TICK_INTERVAL_S = 1.0
DESK_INTERVAL_S = 5.0
ROUND_SHARE = 0.03  # of the writer, for what looks at every site or ticket
ASSESS_INTERVAL_S = 0.25
ASSESS_IDLE_S = 2.0  # nothing was heard that would change a risk
CLOCKS_INTERVAL_S = 3.0
LIVE_AGAIN_S = 1.0  # after the feed's connection was lost
WEBHOOK_IDLE_S = 1.0
PAGING_IDLE_S = 1.0
EXPORT_IDLE_S = 2.0
WARN_INTERVAL_S = 600.0
NOTIFY_IDLE_S = 0.5  # commands write notices from outside, too

_log = logging.getLogger("sitewarden.collector")


class Collector:
    """One collector. `streams_port`, `enrolment_port` and `http_port` are the real ports once it has started. `number`
    is that of this process where several share the ports."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        commit: Callable[[Connection], None] = Connection.commit,
        number: int = 0,
    ) -> None:
        self.config = config
        self.clock: Clock = SystemClock() if clock is None else clock
        self.telemetry = Telemetry()
        self.streams_port = self.enrolment_port = self.http_port = 0
        self._commit = commit
        self._number = number
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
        itself.open_many_files()
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
        self.feed = feed = Feed(self.db, clock)
        self.telemetry.leads.set_function(lambda: float(feed.leads))
        self.front = Front(config, self.db, clock, authority, self.telemetry, live, feed.arrived)
        self.outbox = asyncio.Event()  # set when a notice may be due
        self.messages = asyncio.Event()  # the same for what webhooks are told
        self.servers = servers = GrpcServers(self.front, shared=self._number > 0)
        secret = pki.secret_key(config.data_path, create=False)
        sender = self._sender(await self.db.run(acknowledging.link_key, secret), rulebook)
        await servers.start()
        self._stack.push_async_callback(servers.stop)
        self.streams_port, self.enrolment_port = servers.streams_port, servers.enrolment_port
        await self.db.run(settings.put, "endpoints", self._endpoints())
        live_feed = Live(self.db, clock, feed)
        await live_feed.step()  # whoever watches hears of everything from here on
        self.context = Context(
            self.db,
            config,
            clock.now_ns,
            secret,
            live_feed,
            self._wake,
            rulebook=rulebook,
            local=partial(itself.look, self.front),
        )
        self._stack.push_async_callback(self._write_seen)  # after the last request
        self.http_port = await self._stack.enter_async_context(self._http(authority))
        self._loop("seen", every(SEEN_INTERVAL_S, self._write_seen, name="seen", clock=clock))
        self._loop("feed", feed.follow())
        await feed.settled()
        self._loop("live", every(LIVE_AGAIN_S, live_feed.follow, name="live", clock=clock))
        self._stack.push_async_callback(sender.stop)
        self.telling = Telling(self.db, (sender, self._tell_webhooks()))
        await self._on_call()
        self._loop("heard", every(HEARD_INTERVAL_S, self._write_heard, name="heard", clock=clock))
        self._stack.push_async_callback(self._write_heard)
        self._dispatch(servers)
        self._loop("recheck", every(RECHECK_INTERVAL_S, self._recheck, name="recheck", clock=clock))
        self._loop("refresh", every(REFRESH_INTERVAL_S, servers.refresh, name="refresh", clock=clock))
        self._lead("retention", RETENTION_INTERVAL_S, self._forget)
        self._lead("compaction", COMPACTION_INTERVAL_S, self._compact)
        await self._export()
        self._evaluate_from(clock.now_ns(), rulebook)
        self._loop(
            "notifying", drain(sender.step, wake=self.outbox, name="notifying", clock=clock, idle_s=NOTIFY_IDLE_S)
        )
        if config.heartbeat.url:
            self._lead("heartbeat", config.heartbeat.interval_s, self._beat)
        self._warn_of_ends(authority)
        ports = {"streams": self.streams_port, "enrolment": self.enrolment_port, "http": self.http_port}
        _log.info("the collector is ready", extra={"ports": ports, "endpoints": self._endpoints()})

    def _dispatch(self, servers: GrpcServers) -> None:
        """Hand agents what they are asked for: on PostgreSQL when it is told of, else by looking."""
        feed, control = self.feed, servers.control

        async def asked() -> int:
            among = feed.take_asked()
            given = await control.dispatch(among)
            return given if among is None else 0

        idle_s = DISPATCH_INTERVAL_S if self.db.is_sqlite else DISPATCH_IDLE_S
        self._loop("dispatch", drain(asked, wake=feed.asked, name="dispatch", clock=self.clock, idle_s=idle_s))

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
            if result != "sent" or sender.crowded:
                self.outbox.set()

        worker = f"{socket.gethostname()}:{os.getpid()}"
        sender = Sender(
            self.db,
            roads,
            now_ns=self.clock.now_ns,
            worker=worker,
            on_call=people(self.config.on_call),
            on_settled=settled,
            footer=acknowledging.footer(link_key, self.config.console.public_url, now_ns=self.clock.now_ns),
            rulebook=rulebook,
        )
        return sender

    def _wake(self) -> None:
        self.outbox.set()
        self.messages.set()

    async def _on_call(self) -> None:
        """Run what escalates, warns of gaps, and reads answers to pages."""
        config, clock, db = self.config, self.clock, self.db
        await db.run(roster.remember, people(config.on_call), public_url=config.console.public_url)

        async def escalate() -> int:
            return await self.telling.run_alone(paging.step, now_ns=clock.now_ns())

        async def warn() -> None:
            if await db.run(oncall.warn, now_ns=clock.now_ns()):
                self._wake()

        async def answers() -> None:
            await mail_replies.answers(db, self.context.secret, config.mailbox, now_ns=clock.now_ns)

        work = self.feed.led("paging", escalate)
        self._loop("paging", drain(work, wake=asyncio.Event(), name="paging", clock=clock, idle_s=PAGING_IDLE_S))
        self._lead("oncall", WARN_INTERVAL_S, warn)
        if config.mailbox.host:
            self._lead("mailbox", config.mailbox.interval_s, answers)

    def _tell_webhooks(self) -> WebhookSender:
        sender = WebhookSender(
            self.db,
            self.context.secret,
            now_ns=self.clock.now_ns,
            allow_private=self.config.webhooks.allow_private,
            on_settled=self.messages.set,
        )
        self._stack.push_async_callback(sender.stop)
        webhooks = drain(sender.step, wake=self.messages, name="webhooks", clock=self.clock, idle_s=WEBHOOK_IDLE_S)
        self._loop("webhooks", webhooks)
        return sender

    def _loop(self, name: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)

        async def end() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self._stack.push_async_callback(end)

    def _lead(self, name: str, interval_s: float, step: Step, *, share: float = 1.0) -> None:
        """Do again and again what must happen once, however many collectors there are."""
        work = self.feed.led(name, step)
        self._loop(name, every(interval_s, work, name=name, clock=self.clock, share=share))

    def _evaluate_from(self, started_ns: int, rulebook: Rulebook) -> None:
        """Run what decides: rules over what arrives, rules of time, risks."""
        policy = policies.policy_of(self.config)
        memory, timer = Memory(), self.clock.monotonic_s
        step = partial(evaluation.step, clock=timer, meter=processor_s)

        async def evaluate() -> int:
            nonlocal memory
            began_s = timer()
            try:
                done = await self.telling.run_alone(step, rulebook, policy, now_ns=self.clock.now_ns(), memory=memory)
            except BaseException:
                memory = Memory()  # what it learned was perhaps not stored
                raise
            if done:
                self.telemetry.evaluation_seconds.observe(timer() - began_s)
                await self.clock.sleep(memory.recall.rest_s(timer() - began_s))
            return 0 if memory.recall.at_end else done  # what comes meanwhile wakes the next step

        async def tick() -> None:
            now_ns = self.clock.now_ns()
            await self.telling.run_alone(evaluation.tick, rulebook, policy, now_ns=now_ns, started_ns=started_ns)

        async def work_desk() -> None:
            await self.telling.run_alone(routine.step, now_ns=self.clock.now_ns())

        async def assess() -> None:
            now_ns = self.clock.now_ns()
            examined = await self.db.read(assessment.examine, policy, now_ns=now_ns)
            if examined:
                await self.telling.run_alone(assessment.record, examined, policy, now_ns=now_ns)
            else:
                await clock.sleep(ASSESS_IDLE_S)

        async def watch() -> None:
            while await self.telling.run_alone(clock_watch.watch, now_ns=self.clock.now_ns()):
                pass

        clock, arrived = self.clock, self.front.arrived
        work = self.feed.passed_on("evaluation", evaluate)
        self._loop("evaluation", drain(work, wake=arrived, name="evaluation", clock=clock, idle_s=EVALUATE_IDLE_S))
        self._lead("tick", TICK_INTERVAL_S, tick, share=ROUND_SHARE)
        self._lead("desk", DESK_INTERVAL_S, work_desk, share=ROUND_SHARE)
        self._lead("assessment", ASSESS_INTERVAL_S, assess)
        self._lead("clocks", CLOCKS_INTERVAL_S, watch)

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
        for agent_ids in await self.db.read(compaction.waiting, now_ns=self.clock.now_ns()):
            began_s = self.clock.monotonic_s()
            try:
                joined = await self.db.read(compaction.join, agent_ids, now_ns=self.clock.now_ns())
                if len(joined):
                    await self.db.run_alone(compaction.record, joined)
            except compaction.Outdated:
                continue  # erased or joined by another collector: the next round sees what is there
            await self.clock.sleep((self.clock.monotonic_s() - began_s) * (1 / COMPACTION_SHARE - 1))

    def _http(self, authority: pki.Authority) -> AbstractAsyncContextManager[int]:
        app = http_app.make(self.context, registry=self.telemetry.registry, ca_pem=pki.pem(authority.root))
        app.mount("/", console_app.make(self.context))  # whatever is not the API's
        # Streams of events end by themselves only when what is live is closed.
        return serving.served(app, self.config, number=self._number, closing=self.context.live.close)


async def run(config: Config, *, ready: Callable[[Collector], Any], stop: asyncio.Event, number: int = 0) -> None:
    """A collector from start to stop: `ready` is called once it serves, then it runs until `stop` is set."""
    collector = Collector(config, number=number)
    await collector.start()
    try:
        ready(collector)
        await stop.wait()
    finally:
        await collector.stop()
