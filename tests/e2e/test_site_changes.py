"""What changed at a site and what its host is, from the files there to headquarters: real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_alerting.observations import Change
from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services.site_view import changes
from sitewarden_collector.store import agents, inventories, samples, sites
from sitewarden_collector.store.engine import Database

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
WAIT_S = 60
AGENT = """
[[logs]]
name = "shop"
paths = ["{folder}/shop/*.log"]
from = "start"

[health]
interval_s = 1.0

[[health.processes]]
name = "shop"
match = "shop-server-of-this-test"

[[components]]
name = "shop"
version_file = "{folder}/shop/VERSION"
interval_s = 1.0

[[components]]
name = "tool"
version_command = ["{folder}/shop/tool", "--version"]
interval_s = 1.0

[[watch_files]]
paths = ["{folder}/shop/*.conf"]
interval_s = 1.0
"""
PRODUCT = "import sys, time; print('up', flush=True); time.sleep(600)"


class Site:
    """A site whose product is one idle process and a few files."""

    def __init__(self, folder: Path) -> None:
        self.shop = folder / "shop"
        self.shop.mkdir(parents=True)
        self.configured("4", "hunter2")
        self.upgraded("4.2.0")
        (self.shop / "app.log").write_text("")
        (self.shop / "tool").write_text("#!/bin/sh\necho tool 1.0.7\n")
        (self.shop / "tool").chmod(0o755)
        self.product = self._started()
        self.stage = Stage(folder, agent_toml=AGENT.format(folder=folder))

    def configured(self, workers: str, password: str) -> None:
        (self.shop / "shop.conf").write_text(f"workers = {workers}\npassword = {password}\n")

    def upgraded(self, version: str) -> None:
        (self.shop / "VERSION").write_text(f"shop {version}\n")

    def restarted(self) -> None:
        self.close()
        self.product = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", PRODUCT, "shop-server-of-this-test"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def close(self) -> None:
        self.product.kill()
        self.product.communicate()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "stage")
    try:
        made.stage.open()
        yield made
    finally:
        made.stage.close()
        made.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.3)


def test_an_upgrade_a_setting_and_a_restart_are_told_and_what_the_host_is(site: Site) -> None:
    with closing(Database(f"sqlite:///{site.stage.folder / 'collector' / 'collector.db'}")) as db:
        here = db.read_now(sites.every)[0]

        def told() -> dict[str, Change]:
            found = db.read_now(changes, here.id, now_ns=time.time_ns() + 10**10)
            return {one.what.kind: one.what for one in found if isinstance(one.what, Change)}

        def series() -> set[str]:
            return {one.series.name for one in db.read_now(samples.last, site_id=here.id)}

        def versions() -> list[str]:
            (agent,) = db.read_now(agents.of_site, here.id)
            kept = db.read_now(inventories.of_agent, agent.id)
            return [part.version for part in kept[0].inventory.components] if kept else []

        until(lambda: versions() == ["4.2.0", "1.0.7"])
        site.upgraded("4.3.0")
        site.configured("64", "hunter3")
        site.restarted()
        until(lambda: {"version", "config", "process_restarted"} <= set(told()))
        seen = told()
        assert (seen["version"].before, seen["version"].after) == ("4.2.0", "4.3.0")
        assert "+workers = 64" in seen["config"].detail
        assert "hunter" not in seen["config"].detail
        until(lambda: versions() == ["4.3.0", "1.0.7"])
        until(lambda: "process_resident_memory_bytes" in series())
        shown = site.stage.run(site.stage.headquarters("site", "inventory", here.name))
        assert "component   shop 4.3.0" in shown
        assert {"process_open_fds", "pressure_io_some_ratio", "cpu_iowait_ratio"} <= series(), "also when confined"
