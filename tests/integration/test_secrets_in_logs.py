"""Whatever goes right or wrong at the desk's doors, no log, audit line or representation holds a secret."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from sitewarden_alerting.model import Person as OnCall
from sitewarden_alerting.model import Policy
from sitewarden_collector.app import Collector
from sitewarden_collector.config import Channel, Config, Heartbeat, Mailbox, Oidc, Rules, Webhooks
from sitewarden_collector.errors import CollectorError
from sitewarden_collector.services import (
    accounts,
    acknowledging,
    evaluation,
    intake,
    mail_replies,
    reach,
    rulepacks,
    tokens_api,
    webhook_signing,
    webhooks,
)
from sitewarden_collector.services.desk import tracker
from sitewarden_collector.services.mail_replies import Mail
from sitewarden_collector.store import audit, notices
from sitewarden_collector.store.people import Reachable, Road
from sitewarden_collector.telemetry import JsonLines
from tests.cast import ADA, batch, error_line, settle_agent
from tests.integration.host import configured, headquarters

MAILBOX, HOOK, BEAT, CLIENT = "pw-of-mailbox-71", "pw-of-hook-72", "key-of-beat-73", "client-secret-74"
ADDRESS = "+49170555-ada-75"
CODE = "code-of-provider-76"
FORGED = "swt_" + "Z" * 40


def _settings(folder: Path) -> Config:
    (folder / "client").write_text(CLIENT)
    closed = "127.0.0.1:9"
    return configured(
        folder,
        channels={
            "phone": Channel(url=f"webhook+http://ada:{HOOK}@{closed}/x?key={HOOK}"),
            "sms": Channel(url=f"webhook+http://{closed}/{{address}}?key={HOOK}"),
        },
        mailbox=Mailbox(host="127.0.0.1", port=9, tls=False, user="desk", password=MAILBOX, interval_s=0.2),
        heartbeat=Heartbeat(url=f"http://{closed}/ping/{BEAT}", interval_s=0.2),
        oidc=Oidc(issuer=f"http://{closed}", client_id="desk", client_secret_file=str(folder / "client")),
        webhooks=Webhooks(allow_private=True),
    )


def _open(tx: Connection, collector: Collector, now_ns: int) -> dict[str, str]:
    """Everything that has a secret; the secrets by what they are of."""
    secret = collector.context.secret
    account = accounts.add(tx, ADA, role="engineer", by="test", now_ns=now_ns)
    reach.save(tx, Reachable(ADA, (Road("phone", ""), Road("sms", ADDRESS))), channels=("phone", "sms"), now_ns=now_ns)
    token = tokens_api.create(
        tx, account, "program", scopes=("tickets:read", "webhooks:in"), days=1, now_ns=now_ns
    ).text
    told = webhooks.subscribe(tx, secret, url="http://127.0.0.1:9/in?sig=hook", events=("*",), by=ADA, now_ns=now_ns)
    defects = tracker.configure(tx, secret, url="http://127.0.0.1:9/defects", by=ADA, now_ns=now_ns)
    agent = settle_agent(tx)
    intake.accept(tx, agent.id, batch=batch(1, error_line(), wall_ns=now_ns), now_ns=now_ns)
    policy = Policy(on_call=(OnCall(ADA, ("phone", "sms")),))
    evaluation.step(tx, rulepacks.load(Rules()), policy, now_ns=now_ns)
    link = acknowledging.token(acknowledging.link_key(tx, secret), notices.listing(tx)[0].id, now_ns=now_ns)
    return {"token": token, "webhook": told.secret, "tracker": defects.secret, "link": link}


async def _knock(client: httpx.AsyncClient, known: dict[str, str]) -> None:
    """At every door, rightly and wrongly."""
    for token in (known["token"], FORGED):
        await client.get("/api/v1/tickets", headers={"Authorization": f"Bearer {token}"})
        await client.post(f"/api/v1/hooks/alertmanager/token/{token}", json={"alerts": 7})
        await client.post("/api/v1/hooks/grafana", json={"alerts": []}, auth=("x", token))
    body = b'{"reference":"x","state":"done"}'
    for secret in (known["tracker"], known["webhook"]):
        signed = webhook_signing.headers(secret, "msg_1", body, now_ns=time.time_ns())
        await client.post("/api/v1/hooks/tracker", content=body, headers=signed | {"Content-Type": "application/json"})
    await client.get("/signin/oidc")
    await client.get("/signin/oidc/back", params={"code": CODE, "state": "x"})
    for link in (known["link"], known["link"][:-8] + "AAAAAAAA"):
        await client.get(f"/a/{link}")
        await client.post(f"/a/{link}")


async def test_no_door_of_the_desk_writes_a_secret_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    config = _settings(tmp_path)
    async with headquarters(config) as collector:
        known = await collector.db.run(_open, collector, time.time_ns())
        address = f"http://127.0.0.1:{collector.http_port}"
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            await _knock(client, known)
        reply = Mail("Re: page", f"ack\n> https://desk/a/{known['link']}", {})
        await mail_replies.read(collector.db, collector.context.secret, [reply], now_ns=time.time_ns)
        with pytest.raises(CollectorError):
            await asyncio.to_thread(mail_replies.fetch, config.mailbox)
        await asyncio.sleep(1.5)  # notices, webhooks, the heartbeat and the mailbox are tried
        rows = [f"{row.who} {row.what} {row.data}" for row in await collector.db.read(audit.some)]
    own = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]  # those are the client's
    written = JsonLines()
    lines = [written.format(one) + str(one.__dict__) for one in own]
    assert any("webhook" in one.name or "notif" in one.getMessage() for one in own)
    assert any("heartbeat" in one.getMessage() for one in own)
    secrets = {**known, "mailbox": MAILBOX, "hook": HOOK, "beat": BEAT, "client": CLIENT, "address": ADDRESS}
    secrets |= {"code": CODE, "forged token": FORGED}
    held: list[Any] = [
        (what, text[:300]) for what, value in secrets.items() for text in (*lines, *rows, repr(config)) if value in text
    ]
    assert held == []
