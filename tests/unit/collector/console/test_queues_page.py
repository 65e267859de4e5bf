"""The page of what went wrong shows the rules that are out of force, and brings one back."""

from __future__ import annotations

import httpx

from sitewarden_collector.store import suspensions
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.suspensions import Suspended
from tests.cast import NOON
from tests.desk import signed_in

HTMX = {"hx-request": "true"}


async def test_a_suspended_rule_is_shown_and_can_be_brought_back(desk: Database, client: httpx.AsyncClient) -> None:
    headers = signed_in(desk, "admin")
    assert "Rules out of force" not in (await client.get("/admin/queues", headers=headers)).text
    desk.write_now(suspensions.add, Suspended("disk-nearly-full", "", "x", "it failed on 20 <observations>", NOON))
    shown = (await client.get("/admin/queues", headers=headers)).text
    assert "disk-nearly-full" in shown
    assert "it failed on 20 &lt;observations&gt;" in shown
    chinese = await client.get("/admin/queues", headers=headers | {"Accept-Language": "zh"})
    assert chinese.status_code == 200
    form = {"rule": "disk-nearly-full"}
    refused = await client.post("/admin/queues/rules/resume", data=form, headers=signed_in(desk, "engineer") | HTMX)
    assert refused.status_code == 403
    assert (await client.post("/admin/queues/rules/resume", data=form, headers=headers | HTMX)).status_code < 400
    assert desk.read_now(suspensions.every) == []
    again = await client.post("/admin/queues/rules/resume", data=form, headers=headers | HTMX)
    assert again.status_code == 404
