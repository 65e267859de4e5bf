"""A site whose only road out is an HTTP proxy is served like any other."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.store import observations, sites
from sitewarden_collector.store.engine import Database
from tests.fakes.proxy import Proxy


@pytest.mark.e2e
@pytest.mark.timeout(180)
@pytest.mark.parametrize("credentials", ["", "site:open sesame"])
def test_a_line_reaches_headquarters_through_the_sites_proxy(tmp_path: Path, credentials: str) -> None:
    log = tmp_path / "app.log"
    log.write_text("2026-11-23 10:00:00,000 ERROR no road but one\n")
    proxy = Proxy(credentials)
    user = credentials.replace(" ", "%20") + "@" if credentials else ""
    stage = Stage(
        tmp_path / "stage",
        agent_link_toml=f'proxy = "http://{user}127.0.0.1:{proxy.port}"',
        agent_toml=f'[[logs]]\nname = "app"\npaths = ["{log}"]\nfrom = "start"\n',
    )
    try:
        stage.open()
        with closing(Database(f"sqlite:///{stage.folder / 'collector' / 'collector.db'}")) as db:
            site = db.read_now(sites.by_name, stage.site)
            deadline = time.monotonic() + 60
            arrived: list[str] = []
            while not arrived and time.monotonic() < deadline:
                seen = db.read_now(observations.of_site, site.id, since_ns=0, until_ns=time.time_ns())
                arrived = [each.what.message for each in seen if hasattr(each.what, "message")]
                time.sleep(0.1)
        assert arrived == ["no road but one"], stage.last_words("agent")
        looked = subprocess.run([*stage.at_site("preflight"), "--json"], capture_output=True, text=True)
        assert f"through http://127.0.0.1:{proxy.port}" in looked.stdout
        assert "answers with a certificate of the vendor" in looked.stdout
        assert "sesame" not in looked.stdout
    finally:
        stage.close()
        proxy.close()
    ports = {int(target.rpartition(":")[2]) for target in proxy.asked}
    assert ports == {stage.enrolment_port, stage.streams_port}
