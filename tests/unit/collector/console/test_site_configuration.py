"""The page of a site's configuration: what is there is shown, a form makes a version, customers see nothing of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httpx

from sitewarden_alerting.observations import Outcome
from sitewarden_collector.services import actions as acting
from sitewarden_collector.services import site_configs
from sitewarden_collector.store import actions
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, GLOBEX_OSAKA, NOON, settle_agent
from tests.desk import signed_in
from tests.unit.collector.console.conftest import HOSTILE, HTML

PAGE = f"/sites/{ACME_BERLIN}/configuration"
SLOW = "[health]\ninterval_s = 60.0"


def _as(db: Database, who: str) -> dict[str, str]:
    return signed_in(db, who, customer=ACME) if who == "customer" else signed_in(db, who)


async def page(client: httpx.AsyncClient, db: Database, who: str = "engineer") -> str:
    answer = await client.get(PAGE, headers=signed_in(db, who) | HTML)
    assert answer.status_code == 200
    return answer.text


async def sent(client: httpx.AsyncClient, db: Database, path: str, who: str = "manager", /, **form: Any) -> int:
    answer = await client.post(path, data=form, headers=_as(db, who) | {"hx-request": "true"})
    assert answer.status_code != 500, unquote(answer.headers.get("x-said", ""))
    return answer.status_code


async def test_a_form_makes_a_version_and_the_page_says_what_became_of_it(
    client: httpx.AsyncClient, desk: Database
) -> None:
    agent = desk.write_now(settle_agent, "web-2", capabilities="site_config")
    assert "Nothing is configured from here" in await page(client, desk)
    assert await sent(client, desk, PAGE, document=SLOW.replace("\n", "\r\n"), note=HOSTILE) == 204
    shown = await page(client, desk)
    assert "+interval_s = 60.0" in shown
    assert "on its way" in shown
    assert "not supported" in shown, "the other host's agent is older"
    assert HOSTILE not in shown
    (action,) = desk.read_now(actions.open_of, agent.id)
    assert action.payload == '{"version":1,"document":"[health]\\ninterval_s = 60.0\\n"}'
    desk.write_now(acting.apply_outcome, agent.id, Outcome(action.id, "refused", f"why: {HOSTILE}"), now_ns=NOON)
    shown = await page(client, desk)
    assert "refused by the site" in shown
    assert "why: &lt;script&gt;" in shown


async def test_a_button_goes_back_to_an_earlier_version(client: httpx.AsyncClient, desk: Database) -> None:
    for document in (SLOW, ""):
        assert await sent(client, desk, PAGE, document=document) == 204
    assert await sent(client, desk, f"{PAGE}/rollback", version="1") == 204
    view = desk.read_now(site_configs.of_site, ACME_BERLIN)
    assert [one.document for one, _ in view.versions] == [f"{SLOW}\n", "", f"{SLOW}\n"]
    assert view.versions[0][0].author == "manager"
    assert await sent(client, desk, f"{PAGE}/rollback", version="9") == 404


async def test_only_who_may_change_settings_writes_and_customers_do_not_even_see_it(
    client: httpx.AsyncClient, desk: Database
) -> None:
    for who in ("engineer", "viewer", "customer"):
        assert await sent(client, desk, PAGE, who, document=SLOW) == 403
    answer = await client.get(PAGE, headers=_as(desk, "customer") | HTML)
    assert answer.status_code == 404
    assert await sent(client, desk, PAGE, document="x = [") == 422
    assert desk.read_now(site_configs.of_site, ACME_BERLIN).versions == ()
    assert desk.read_now(site_configs.of_site, GLOBEX_OSAKA).versions == ()
