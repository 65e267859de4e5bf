"""What programs change through the API beside tickets: customers, contracts, calendars, problems, faults, files."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.services import intake, policies, rulepacks
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.services.evaluation import step
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, ADA, GLOBEX, GLOBEX_OSAKA, HOUR, NOON, batch, error_line, settle_agent
from tests.desk import bearer, make_app, make_context


def _client(db: Database, role: str = "manager", *, now_ns: int = NOON, **account: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=make_app(make_context(db, now_ns=lambda: now_ns)))
    headers = bearer(db, role, **account)
    return httpx.AsyncClient(transport=transport, base_url="http://desk/api/v1", headers=headers)


@pytest.fixture
def number(db: Database) -> str:
    db.write_now(settle_agent)
    return db.write_now(reporting.report, ACME_BERLIN, "orders hang", by=ADA, now_ns=NOON).number


async def test_a_customer_is_made_changed_and_has_contacts(db: Database) -> None:
    async with _client(db) as client:
        made = await client.post("/customers", json={"name": "initech", "tier": "gold"})
        assert (made.status_code, made.json()["tier"]) == (201, "gold")
        assert (await client.post("/customers", json={"name": "initech"})).status_code == 409
        changed = await client.patch("/customers/initech", json={"name": "Initech", "locale": "zh"})
        assert (changed.json()["name"], changed.json()["tier"], changed.json()["locale"]) == ("Initech", "gold", "zh")
        put = await client.put(
            "/customers/Initech/contacts/Bill", json={"mail": "bill@initech.example", "told_of": ["outages"]}
        )
        assert put.json()["told_of"] == ["outages"]
        assert len((await client.get("/customers/Initech")).json()["contacts"]) == 1
        assert (await client.put("/customers/Initech/contacts/Bill", json={"mail": "nonsense"})).status_code == 422
        for status in (204, 404):
            assert (await client.delete("/customers/Initech/contacts/Bill")).status_code == status
    async with _client(db, "engineer") as client:
        assert (await client.patch("/customers/Initech", json={"tier": "bronze"})).status_code == 403


async def test_a_site_is_configured_and_says_how_its_hosts_stand(db: Database) -> None:
    agent = db.write_now(settle_agent, capabilities="site_config")
    place = f"/sites/{ACME_BERLIN}"
    async with _client(db) as client:
        nothing = {"version": None, "configured_for": "", "state": "none", "detail": "", "since": None}
        assert (await client.get(place)).json()["hosts"][0]["configuration"] == nothing
        made = await client.post(f"{place}/configuration", json={"document": "[health]\ninterval_s = 30.0\n"})
        assert (made.status_code, made.json()["version"], made.json()["author"]) == (201, 1, "manager-program")
        assert (await client.post(f"{place}/configuration", json={"document": "x = ["})).status_code == 422
        assert (await client.get(f"{place}/configuration")).json() == [made.json()]
        (host,) = (await client.get(place)).json()["hosts"]
        assert (host["id"], host["configuration"]["state"]) == (agent.id, "queued")
    async with _client(db, "engineer") as client:
        assert (await client.post(f"{place}/configuration", json={"document": ""})).status_code == 403
    async with _client(db, "customer", customer=ACME) as client:
        assert (await client.get(f"{place}/configuration")).status_code == 404
        assert (await client.get(place)).json()["hosts"][0]["configuration"] is None


async def test_a_contract_is_made_changed_and_used_up(db: Database, number: str) -> None:
    async with _client(db) as client:
        given = {
            "customer": ACME,
            "name": "Gold",
            "begins": "2026-01-01",
            "ends": "2026-12-31",
            "goals": [{"priority": 3, "target": "first_response", "seconds": 3600}],
            "included": {"on_site": 2},
        }
        made = (await client.post("/contracts", json=given)).json()
        assert (made["number"], made["status"]) == ("CON-1", "ends_soon")
        [ends] = (await client.get("/contracts", params={"ends_soon": True})).json()
        assert ends["number"] == "CON-1"
        clock = (await client.get(f"/tickets/{number}")).json()["clocks"][0]
        assert (clock["target"], clock["goal_s"]) == ("first_response", 3600)

        used = await client.post("/contracts/con-1/uses", json={"kind": "on_site", "ticket": number})
        assert used.json() == {"kind": "on_site", "total": 2, "used": 1}
        assert (await client.post("/contracts/CON-1/uses", json={"kind": "on_site", "amount": 5})).status_code == 409
        changed = await client.patch(
            "/contracts/CON-1",
            json={"endless": True, "goals": [{"priority": 3, "target": "first_response", "seconds": 60}]},
        )
        assert (changed.json()["ends"], changed.json()["status"]) == ("", "in_force")
        assert [used["amount"] for used in changed.json()["uses"]] == [1]
        clock = (await client.get(f"/tickets/{number}")).json()["clocks"][0]
        assert clock["goal_s"] == 60
        bad = await client.patch("/contracts/CON-1", json={"ends": "2020-01-01"})
        assert (bad.status_code, "before it begins" in bad.json()["detail"]) == (422, True)


async def test_the_spans_of_a_clock_say_the_calendar_and_the_version_they_were_counted_by(
    db: Database, number: str
) -> None:
    async with _client(db, now_ns=NOON + 8 * HOUR) as client:  # 21:00 in Berlin
        office = {"name": "office", "zone": "Europe/Berlin", "week": "mon-fri 09:00-18:00"}
        assert (await client.post("/calendars", json=office)).status_code == 201
        given = {"customer": ACME, "name": "Gold", "begins": "2026-01-01", "calendar": "office"}
        assert (await client.post("/contracts", json=given)).status_code == 201
        clock = (await client.get(f"/tickets/{number}")).json()["clocks"][0]
    assert clock["elapsed_s"] == 5 * 3600  # 13:00 to 18:00
    spans = [(one["begins"][11:16], one["ends"][11:16], one["counts"]) for one in clock["spans"]]
    assert spans == [("12:00", "17:00", True), ("17:00", "20:00", False)]
    assert {(one["calendar"], one["version"]) for one in clock["spans"]} == {("office", 1)}
    assert clock["spans"][1]["why"]


async def test_a_calendar_gets_a_further_version_from_an_instant_on(db: Database) -> None:
    async with _client(db) as client:
        given = {
            "name": "office",
            "zone": "Europe/Berlin",
            "week": "mon-fri 09:00-18:00",
            "of_country": {"country": "de", "subdivision": "BY", "years": [2026, 2027]},
        }
        made = (await client.post("/calendars", json=given)).json()
        assert "2026-12-25" in {one["day"] for one in made["history"][0]["holidays"]}
        further = {
            "week": "mon-thu 08:00-16:00",
            "holidays": [{"day": "2026-12-24", "name": "Christmas Eve", "hours": "09:00-12:00"}],
            "without": ["2026-12-26"],
            "since": "2026-12-01T00:00:00Z",
            "reason": "shorter week",
        }
        changed = (await client.post("/calendars/office/versions", json=further)).json()
        assert (changed["versions"], changed["history"][1]["week"]) == (2, "mon-thu 08:00-16:00")
        days = {one["day"]: one["hours"] for one in changed["history"][1]["holidays"]}
        assert (days["2026-12-24"], "2026-12-26" in days) == ("09:00-12:00", False)
        further["holidays"] = [{"day": "2026-12-24", "hours": "12:00-09:00"}]
        assert (await client.post("/calendars/office/versions", json=further)).status_code == 422
        bad = await client.post("/calendars", json={"name": "b", "zone": "Mars/Base", "week": "mon-fri 09:00-18:00"})
        assert bad.status_code == 422


async def test_a_problem_is_worked_on_until_its_cause_is_gone(db: Database, number: str) -> None:
    other = db.write_now(reporting.report, ACME_BERLIN, "orders hang too", by=ADA, now_ns=NOON).number
    async with _client(db, "engineer") as client:
        made = (await client.post("/problems", json={"title": "the pool is too small", "tickets": [number]})).json()
        at = f"/problems/{made['number']}"
        assert (await client.post(f"{at}/move", json={"to": "known_error"})).status_code == 409
        changed = (await client.patch(at, json={"cause": "10 connections", "workaround": "restart"})).json()
        assert (changed["cause"], changed["workaround"]) == ("10 connections", "restart")
        assert (await client.post(f"{at}/move", json={"to": "investigating"})).status_code == 200
        assert (await client.post(f"{at}/incidents", json={"ticket": other})).json()["incidents"] == [number, other]
        found = (await client.get("/tickets", params={"problem": made["number"]})).json()["items"]
        assert {one["number"] for one in found} == {number, other}
        assert (await client.delete(f"{at}/incidents/{other}")).json()["incidents"] == [number]
        task = {"text": "enlarge it", "owner": ADA, "due": "2026-11-24T11:00:00Z"}
        done = (await client.post(f"{at}/tasks", json=task)).json()
        [listed] = (await client.get("/tasks", params={"owner": ADA, "overdue": True})).json()
        assert (listed["id"], listed["ref"], listed["overdue"]) == (done["id"], made["number"], True)
        assert (await client.post(f"/tasks/{done['id']}/finish")).json()["done_by"] == "engineer-program"
        over = (await client.post(f"{at}/resolve", json={"how": "200 now", "resolve_incidents": True})).json()
        assert (over["state"], over["open_incidents"]) == ("resolved", [number])
        assert (await client.get(f"/tickets/{number}")).json()["state"] == "resolved"


async def test_a_major_incident_goes_from_its_experts_to_its_review(db: Database, number: str) -> None:
    async with _client(db, "engineer") as client:
        at = f"/tickets/{number}/major"
        assert (await client.get(at)).status_code == 404
        assert (await client.post(at, json={"reason": "all shops"})).status_code == 200
        assert (await client.post(f"{at}/experts", json={"experts": ["bob"]})).json()["experts"] == ["bob"]
        assert (await client.put(f"{at}/review", json={"text": "too early"})).status_code == 409
        assert (await client.post(f"{at}/end")).status_code == 200
        action = {"text": "watch the pool", "owner": "bob", "due": "2026-12-24T12:00:00Z"}
        assert (await client.post(f"{at}/actions", json=action)).status_code == 201
        reviewed = (await client.put(f"{at}/review", json={"text": "the pool was too small"})).json()
        assert (reviewed["review"], [one["owner"] for one in reviewed["actions"]]) == (
            "the pool was too small",
            ["bob"],
        )


async def test_parts_of_a_ticket_are_listed_by_its_number_to_those_who_see_it(db: Database, number: str) -> None:
    part = db.write_now(reporting.report, ACME_BERLIN, "a part", by=ADA, now_ns=NOON).number
    db.write_now(settle_agent, "app-1", GLOBEX_OSAKA, GLOBEX)
    async with _client(db, "engineer") as client:
        assert (await client.post(f"/tickets/{part}/parent", json={"parent": number})).status_code == 200
        found = (await client.get("/tickets", params={"parent": number})).json()["items"]
        assert [one["number"] for one in found] == [part]
    async with _client(db, "customer", customer=GLOBEX) as client:
        assert (await client.get("/tickets", params={"parent": number})).status_code == 404
        assert (await client.get("/tickets", params={"problem": "PRB-101"})).status_code == 403


async def test_two_faults_become_one_and_two_again(db: Database) -> None:
    agent = db.write_now(settle_agent)
    lines = (error_line("payment failed for order <num>"), error_line("disk quota exceeded on volume <num>"))
    db.write_now(intake.accept, agent.id, batch=batch(1, *lines), now_ns=NOON)
    config = make_context(db).config
    db.write_now(step, rulepacks.load(config.rules), policies.policy_of(config), now_ns=NOON)
    async with _client(db, "engineer") as client:
        found = (await client.get("/faults")).json()
        assert len(found) == 2
        assert found[0]["severity"] == Severity.ERROR.name.lower()
        one, into = (row["fault"] for row in found)
        merged = (await client.post(f"/faults/{one}/merge", json={"into": into, "reason": "same disk"})).json()
        assert {alias["fault"] for alias in merged["changed"]} == {into}
        assert len((await client.get(f"/faults/{into}")).json()["members"]) == 2
        assert (await client.post(f"/faults/{one}/merge", json={"into": into})).status_code == 409
        assert (await client.post(f"/faults/{one}/split")).status_code == 200
        assert len((await client.get("/faults")).json()) == 2
        assert (await client.get("/faults/nothing")).status_code == 404


async def test_the_people_at_a_site_are_told_something(db: Database, number: str) -> None:
    async with _client(db, "engineer") as client:
        said = {"subject": "Patch 7 is ready", "category": "patch"}
        sent = await client.post(f"/sites/{ACME_BERLIN}/notices", json=said, headers={"Idempotency-Key": "one"})
        again = await client.post(f"/sites/{ACME_BERLIN}/notices", json=said, headers={"Idempotency-Key": "one"})
        assert (sent.status_code, len(sent.json()["actions"])) == (202, 1)
        assert (again.json(), again.headers["idempotency-replayed"]) == (sent.json(), "true")


async def test_a_spreadsheet_goes_out_and_comes_in_whole_or_not_at_all(db: Database, number: str) -> None:
    csv = {"Content-Type": "text/csv"}
    async with _client(db) as client:
        out = await client.get("/csv/customers.csv")
        assert out.headers["content-type"].startswith("text/csv")
        assert out.content.decode("utf-8-sig").splitlines()[1].startswith(f"{ACME},")
        taken = await client.put(
            "/csv/customers.csv", content=out.content + "优衣库,gold,zh,\r\n".encode(), headers=csv
        )
        assert taken.json() == {"kind": "customers", "rows": 2}
        bad = await client.put("/csv/customers.csv", content=b"name,tier\nx,gold\ny,tin\n", headers=csv)
        assert (bad.status_code, "line 3" in bad.json()["detail"]) == (422, True)
        assert (await client.get("/customers/x")).status_code == 404
        for content in (b"\xff\xfe", b"name\na\x00b"):
            assert (await client.put("/csv/customers.csv", content=content, headers=csv)).status_code == 422
        assert (await client.put("/csv/customers.csv", json={})).status_code == 415
        assert (await client.get("/csv/secrets.csv")).status_code == 422


async def test_changes_and_removals_have_keys_as_well(db: Database) -> None:
    async with _client(db, "admin") as client:
        hook = (await client.post("/webhooks", json={"url": "https://hooks.example.com/x"})).json()
        assert (await client.get("/webhooks/events")).json()[0]["event"].startswith("ticket.")
        key = {"Idempotency-Key": "rotate"}
        first, again = [await client.post(f"/webhooks/{hook['id']}/secret", headers=key) for _ in range(2)]
        assert first.json()["secret"] == again.json()["secret"] != hook["secret"]
        key = {"Idempotency-Key": "remove"}
        gone = [(await client.delete(f"/webhooks/{hook['id']}", headers=key)).status_code for _ in range(2)]
        assert gone == [204, 204]
        assert (await client.delete(f"/webhooks/{hook['id']}")).status_code == 404


async def test_the_description_names_the_messages_to_webhooks(db: Database) -> None:
    async with _client(db) as client:
        described = (await client.get("/openapi.json")).json()
    assert {"ticket.open_ticket", "oncall.page_sent", "contract.ends_soon"} <= set(described["webhooks"])
