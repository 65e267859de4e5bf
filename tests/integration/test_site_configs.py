"""A configuration from headquarters to a real agent and back: applied, refused, taken back, killed, brought later."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from cryptography.fernet import Fernet

from sitewarden_collector import pki
from sitewarden_collector.app import Collector
from sitewarden_collector.services import site_configs
from sitewarden_collector.services.site_configs import Scope, Standing
from sitewarden_collector.store import agents, sites
from sitewarden_collector.store.site_configs import SiteConfig
from sitewarden_protos.v1 import control_pb2
from tests.cast import ACME_BERLIN, ADA
from tests.integration.host import ControlRoad, Host, configured, headquarters, token_for

WAIT_S = 90.0
AGENT = """
state_dir = "{folder}/state"
[link]
backoff_base_s = 0.1
backoff_cap_s = 1.0
[[logs]]
name = "app"
paths = ["{folder}/logs/*.log"]
[health]
interval_s = 5.0
[remote_config]
allow = ["health.interval:0.5", "logs.paths:{folder}/logs/**", "redact.literals"]
healthy_s = 2.0
"""


class RealAgent:
    """An agent of its own processes, enrolled at a collector."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.toml = folder / "agent.toml"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "logs").mkdir(parents=True)
        (folder / "state").mkdir(mode=0o700)
        self.toml.write_text(AGENT.format(folder=folder))

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sitewarden_agent", *words, "--config", str(self.toml)]

    async def enroll(self, collector: Collector) -> None:
        token = await token_for(collector)
        ran = await asyncio.to_thread(
            subprocess.run, self.argv("enroll", "--token", "-"), input=token.encode(), capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr

    def start(self) -> None:
        out = (self.folder / "agent.out").open("ab")
        self.process = subprocess.Popen(self.argv("run"), stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def observe(self) -> psutil.Process:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            command = child.cmdline()
            if "observe" in command:
                return child
        raise AssertionError("observe does not run")

    async def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            await asyncio.to_thread(self.process.wait, 60)
            self.process = None


@asynccontextmanager
async def running(folder: Path, collector: Collector) -> AsyncIterator[RealAgent]:
    agent = RealAgent(folder)
    await agent.enroll(collector)
    agent.start()
    try:
        yield agent
    finally:
        await agent.stop()


async def scope_of_site(collector: Collector) -> Scope:
    return await collector.db.read(site_configs.scope, site=ACME_BERLIN)


async def configure(collector: Collector, document: str) -> SiteConfig:
    what = await scope_of_site(collector)
    now_ns = collector.clock.now_ns()
    return await collector.db.run(site_configs.configure, what, document, author=ADA, now_ns=now_ns)


async def greeted(collector: Collector) -> None:
    """The agent has come and said what it knows."""
    async with asyncio.timeout(WAIT_S):
        while not (await collector.db.read(agents.active))[0].capabilities:  # noqa: ASYNC110  in other processes
            await asyncio.sleep(0.1)


async def standing(collector: Collector, *states: str) -> Standing:
    """How the only agent of the site stands, once it is in one of these states."""
    site = await collector.db.read(sites.by_name, ACME_BERLIN)
    found = None
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                for found in await collector.db.read(site_configs.standing, site.id):
                    if found.state in states:
                        return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"still {found}") from None


async def test_it_is_applied_refused_taken_back_and_survives_a_kill_in_its_window(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path / "hq")) as collector, running(tmp_path / "site", collector) as agent:
        await standing(collector, "none")
        await greeted(collector)

        await configure(collector, "[health]\ninterval_s = 0.5\n")
        applied = await standing(collector, "applied")
        assert applied.detail == "version 1 is applied"

        await configure(collector, '[health]\ninterval_s = 0.1\n[[logs]]\nname = "x"\npaths = ["/etc/*"]\n')
        refused = await standing(collector, "refused")
        assert "health.interval_s: the local file allows from 0.5" in refused.detail
        assert "logs[0].paths: '/etc/*' does not lie within" in refused.detail

        # One whose log cannot be read: wrong only once it runs.
        (agent.folder / "logs" / "loop").symlink_to("loop")
        loop = f'[[logs]]\nname = "loop"\npaths = ["{agent.folder}/logs/loop"]\n'
        await configure(collector, loop)
        failed = await standing(collector, "failed")
        assert "this was wrong, and was not before" in failed.detail
        assert "The end of the agent's log:" in failed.detail
        assert "symbolic links" in failed.detail

        killed = await configure(collector, '[redact]\nliterals = ["Globex"]\n')
        await standing(collector, "applying")
        agent.observe().kill()
        failed = await standing(collector, "failed")
        assert failed.wanted == killed
        assert "ended without having been told to" in failed.detail

        what = await scope_of_site(collector)
        await collector.db.run(site_configs.roll_back, what, 4, author=ADA, now_ns=collector.clock.now_ns())
        assert (await standing(collector, "applied")).detail == "version 5 is applied"


async def test_an_agent_that_is_away_is_asked_when_it_comes_and_only_for_the_newest(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path / "hq")) as collector, running(tmp_path / "site", collector) as agent:
        await greeted(collector)
        await agent.stop()
        await configure(collector, "[health]\ninterval_s = 1.0\n")
        await configure(collector, "[health]\ninterval_s = 2.0\n")
        assert (await standing(collector, "queued")).wanted is not None
        agent.start()
        assert (await standing(collector, "applied")).detail == "version 2 is applied"


def hello_with(*capabilities: str) -> dict[str, list[str]]:
    return {"capabilities": list(capabilities)}


async def asked(road: ControlRoad) -> control_pb2.SiteConfig:
    """The configuration that this host is asked for next."""
    async with asyncio.timeout(WAIT_S):
        while True:
            said = await road.hear()
            if said.WhichOneof("step") == "action" and said.action.WhichOneof("kind") == "config":
                return said.action.config


async def test_an_agent_that_does_not_know_configurations_is_asked_for_none_until_it_does(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        await configure(collector, "[health]\ninterval_s = 20.0\n")
        async with host.control() as road:
            await road.hello(**hello_with("notice"))
            old = await standing(collector, "unsupported")
        assert "takes no configuration from here; update it" in old.detail
        async with host.control() as road:
            await road.hello(**hello_with("notice", "site_config"))
            config = await asked(road)
        assert (config.version, config.document) == (1, "[health]\ninterval_s = 20.0\n")


@pytest.mark.postgres
async def test_what_is_set_at_one_collector_reaches_an_agent_of_the_other(tmp_path: Path, postgres_url: str) -> None:
    key = Fernet.generate_key()
    configs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / pki.SECRET_FILE).write_bytes(key)
        configs.append(configured(tmp_path / name, postgres_url))
    async with headquarters(configs[0]) as one, headquarters(configs[1]) as two:
        host = Host(one)
        await host.enroll(await token_for(one))
        async with host.control() as road:
            await road.hello(**hello_with("site_config"))
            await configure(two, "[health]\ninterval_s = 20.0\n")
            assert (await asked(road)).version == 1
