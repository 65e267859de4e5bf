"""Forms of the desk's further pages change what they say, tell it, and refuse what makes no sense."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httpx

from sitewarden_alerting.escalation import Target
from sitewarden_collector.services import audit, calendars, contracts, customers, maintenance, oncall, silences
from sitewarden_collector.services.desk import majors as major_incidents
from sitewarden_collector.services.desk import problems as problem_cases
from sitewarden_collector.store import accounts, api_tokens, majors, notices, people, problem_pages, schedules, webhooks
from sitewarden_collector.store import calendars as kept_calendars
from sitewarden_collector.store import contracts as kept_contracts
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, ADA, DAY, HOUR, NOON
from tests.desk import signed_in
from tests.unit.collector.console.conftest import HTML

HTMX = {"hx-request": "true"}


async def _sent(client: httpx.AsyncClient, db: Database, path: str, who: str = "manager", /, **form: Any) -> str:
    """What the page said; the form was taken."""
    answer = await client.post(path, data=form, headers=signed_in(db, who) | HTMX)
    assert answer.status_code in (200, 204), unquote(answer.headers.get("x-said", answer.text))
    return answer.text


async def _refused(client: httpx.AsyncClient, db: Database, path: str, who: str = "manager", /, **form: Any) -> str:
    answer = await client.post(path, data=form, headers=signed_in(db, who) | HTMX)
    assert answer.status_code in (403, 404, 409, 422), answer.status_code
    return unquote(answer.headers["x-said"])


async def test_a_silence_begins_and_ends(client: httpx.AsyncClient, desk: Database) -> None:
    await _sent(client, desk, "/silences", "engineer", site=ACME_BERLIN, length="2h", reason="a test")
    newest = desk.read_now(silences.listing, now_ns=NOON)
    made = next(one.silence for one in newest if one.silence.reason == "a test")
    assert (made.until_ns - made.from_ns, made.by) == (2 * HOUR, "engineer")
    await _sent(client, desk, f"/silences/{made.number}/end", "engineer")
    assert len(desk.read_now(silences.listing, now_ns=NOON)) == len(newest) - 1
    wrong = await _refused(client, desk, "/silences", site=ACME_BERLIN, length="soon", reason="x")
    assert "write 30m, 4h, 2d or 1w" in wrong
    assert "is missing" in await _refused(client, desk, "/silences", site=ACME_BERLIN, length="2h")
    await _refused(client, desk, "/silences", "viewer", site=ACME_BERLIN, length="2h", reason="x")


async def test_a_form_that_no_page_of_ours_made_is_refused(client: httpx.AsyncClient, desk: Database) -> None:
    headers = signed_in(desk, "admin")
    del headers["X-CSRF-Token"]
    answer = await client.post("/silences", data={"site": ACME_BERLIN, "length": "2h", "reason": "x"}, headers=headers)
    assert answer.status_code == 403
    assert len(desk.read_now(silences.listing, now_ns=NOON)) == 1


async def test_maintenance_is_planned_by_the_readers_clock_and_called_off(
    client: httpx.AsyncClient, desk: Database
) -> None:
    headers = signed_in(desk, "engineer", timezone="Asia/Shanghai") | HTMX
    form = {
        "site": ACME_BERLIN,
        "from": "2026-11-25T09:00",
        "until": "2026-11-25T10:30",
        "every_days": "7",
        "reason": "weekly",
    }
    assert (await client.post("/maintenance", data=form, headers=headers)).status_code == 204
    found = [window for window, _ in desk.read_now(maintenance.listing, now_ns=NOON) if window.reason == "weekly"]
    assert found[0].from_ns == NOON + 13 * HOUR  # 01:00 UTC
    assert found[0].every_days == 7
    assert (await client.post(f"/maintenance/{found[0].number}/end", headers=headers)).status_code == 204
    assert len(desk.read_now(maintenance.listing, now_ns=NOON)) == 1


async def test_people_are_put_on_call_swapped_and_away(client: httpx.AsyncClient, desk: Database) -> None:
    form = {"schedule": "First line", "person": "dora", "from": "2026-11-25T09:00", "until": "2026-11-26T09:00"}
    await _sent(client, desk, "/oncall/override", **form)
    [override] = desk.read_now(schedules.by_name, "First line").overrides
    assert (override.person, override.by) == ("dora", "manager")
    assert "dora" in (await client.get("/oncall", headers=signed_in(desk) | HTML)).text
    await _sent(client, desk, f"/oncall/overrides/{override.id}/drop")
    assert desk.read_now(schedules.by_name, "First line").overrides == ()
    pair = {"schedule": "First line", "first": "2026-11-26T12:00", "second": "2026-12-02T12:00"}
    await _sent(client, desk, "/oncall/swap", **pair)
    assert len(desk.read_now(schedules.by_name, "First line").overrides) == 2
    away = {"person": ADA, "from": "2026-12-01T00:00", "until": "2026-12-24T00:00"}
    await _sent(client, desk, "/oncall/away", **away)
    assert desk.read_now(schedules.by_name, "First line").time_off[0].person == ADA
    await _refused(client, desk, "/oncall/override", "engineer", **form)


async def test_a_schedule_gets_layers_and_a_policy(client: httpx.AsyncClient, desk: Database) -> None:
    await _sent(client, desk, "/oncall", name="Nights", zone="Asia/Shanghai", managers="bob, eve")
    made = desk.read_now(schedules.by_name, "Nights")
    here = f"/oncall/schedules/{made.id}"
    layer = {"layer": "Nights", "people": "ada, bob", "start": "2026-11-23T21:00", "every": "2", "unit": "days"}
    await _sent(client, desk, f"{here}/layers", **layer, weekdays=["0", "4"], **{"from": "21:00", "until": "09:00"})
    [set_layer] = desk.read_now(schedules.by_name, "Nights").layers
    assert (set_layer.people, set_layer.every, set_layer.weekdays) == (("ada", "bob"), 2, (0, 4))
    assert (set_layer.from_minute, set_layer.until_minute) == (21 * 60, 9 * 60)
    steps = {"after0": "0", "whom0": "on_call", "after1": "10", "whom1": "person", "person1": "bob"}
    await _sent(client, desk, f"{here}/policy", **steps, repeats="2", repeat_after="30")
    policy = desk.read_now(schedules.policy_of, made.id)
    assert [(step.after_s, step.whom, step.person) for step in policy.steps] == [
        (0.0, Target.ON_CALL, ""),
        (600.0, Target.PERSON, "bob"),
    ]
    assert (policy.repeats, policy.repeat_after_s) == (2, 1800.0)
    await _sent(client, desk, here, name="Night watch", zone="Asia/Shanghai", customer=ACME)
    assert desk.read_now(schedules.by_name, "Night watch").id == made.id
    await _sent(client, desk, f"{here}/layers/drop", layer="Nights")
    await _sent(client, desk, f"{here}/remove")
    assert desk.read_now(oncall.now, NOON)[0].schedule == "First line"
    assert "no time zone" in await _refused(client, desk, "/oncall", name="x", zone="Moon/Base")


async def test_a_person_gets_channels_and_a_test_page(client: httpx.AsyncClient, desk: Database) -> None:
    form = {"person": "bob", "channel0": "mail", "address0": "bob@example.com", "zone": "UTC", "locale": "zh"}
    await _sent(client, desk, "/oncall/people", **form, quiet_from="22:00", quiet_until="07:00")
    kept = desk.read_now(people.find, "bob")
    assert kept is not None
    assert ([road.channel for road in kept.roads], kept.quiet_from, kept.locale) == (["mail"], 1320, "zh")
    await _sent(client, desk, "/oncall/people/test", person="bob")
    assert any(one.person == "bob" and "test" in one.subject for one in desk.read_now(notices.listing))
    assert "pager" in await _refused(client, desk, "/oncall/people", person="bob", channel0="pager")
    await _sent(client, desk, "/oncall/people/remove", person="bob")
    assert desk.read_now(people.find, "bob") is None


async def test_the_address_of_ones_calendar_is_shown_once(client: httpx.AsyncClient, desk: Database) -> None:
    text = await _sent(client, desk, "/oncall/feed", "engineer")
    assert "http://desk/ical/" in text


async def test_customers_and_contacts_are_kept(client: httpx.AsyncClient, desk: Database) -> None:
    await _sent(client, desk, "/customers", name="Initech", tier="gold", locale="zh")
    await _sent(client, desk, "/customers/edit", customer="Initech", name="Initech AG", tier="bronze", locale="en")
    await _sent(
        client, desk, "/customers/contacts", customer="Initech AG", name="Wu", mail="wu@example.com", told_of="outages"
    )
    shown = desk.read_now(customers.show, "Initech AG", now_ns=NOON)
    assert (shown.customer.tier, shown.contacts[0].contact.told_of) == ("bronze", ("outages",))
    await _sent(client, desk, "/customers/contacts/remove", customer="Initech AG", name="Wu")
    assert desk.read_now(customers.show, "Initech AG", now_ns=NOON).contacts == ()
    await _sent(client, desk, "/customers/sites/edit", site=ACME_BERLIN, address="Hall 3", timezone="Europe/Berlin")
    assert desk.read_now(customers.show, ACME, now_ns=NOON).sites[0].address == "Hall 3"
    await _refused(client, desk, "/customers", "engineer", name="Hooli")


async def test_a_csv_file_is_taken_in_whole_or_told_line_by_line(client: httpx.AsyncClient, desk: Database) -> None:
    headers = signed_in(desk, "manager") | HTML
    wrong = {"file": ("c.csv", b"name,tier\r\nHooli,gold\r\nBad,platinum\r\n,gold\r\n", "text/csv")}
    answer = await client.post("/customers/import", data={"kind": "customers"}, files=wrong, headers=headers)
    assert answer.status_code == 422
    assert "line 3" in answer.text
    assert "line 4" in answer.text
    assert "Hooli" not in (await client.get("/customers", headers=headers)).text
    right = {"file": ("c.csv", "\ufeffname,tier\r\nHooli,gold\r\n".encode(), "text/csv")}
    answer = await client.post("/customers/import", data={"kind": "customers"}, files=right, headers=headers)
    assert answer.status_code == 303
    assert "Hooli" in (await client.get("/customers", headers=headers)).text


async def test_a_contract_is_made_changed_and_used_up(client: httpx.AsyncClient, desk: Database) -> None:
    form = {"customer": "globex", "name": "Basic", "from": "2026-01-01", "calendar": "office", "p1_resolution": "8h"}
    await _sent(client, desk, "/contracts", **form, customer_solution="1", on_site="2")
    made = next(one for one in desk.read_now(kept_contracts.every) if one.name == "Basic")
    assert made.goals == {1: {"resolution": (8 * 3600, "")}}
    assert (made.pauses, made.included) == ({"customer": ("solution",)}, {"on_site": 2})
    here = f"/contracts/{made.number}"
    await _sent(client, desk, here, **form | {"name": "Better", "p1_resolution": "4h@office"}, on_site="2")
    await _sent(client, desk, f"{here}/use", kind="on_site", amount="2", note="new disks")
    shown = desk.read_now(contracts.show, made.number, now_ns=NOON)
    assert (shown.contract.name, shown.entitlements[0].left, shown.uses[0].by) == ("Better", 0, "manager")
    assert "write 30m" in await _refused(client, desk, here, **form | {"p1_resolution": "fast"})
    assert "left" in await _refused(client, desk, f"{here}/use", kind="on_site", amount="1")


async def test_a_calendar_gets_holidays_and_versions(client: httpx.AsyncClient, desk: Database) -> None:
    form = {
        "name": "办公",
        "zone": "Asia/Shanghai",
        "week": "mon-fri 09:00-18:00",
        "country": "CN",
        "first_year": "2026",
    }
    await _sent(client, desk, "/calendars", **form)
    [first] = desk.read_now(kept_calendars.versions, "办公")
    assert first.calendar.workdays  # weekend days that are worked instead
    change = {"calendar": "办公", "week": "mon-fri 10:00-18:00", "reason": "later", "from": "2026-12-01T00:00"}
    await _sent(client, desk, "/calendars/change", **change, holidays="2026-12-24 party")
    last = desk.read_now(kept_calendars.versions, "办公")[-1]
    assert last.calendar.version == 2
    assert last.from_ns == NOON + 6 * DAY + 4 * HOUR  # midnight on the wall of Shanghai
    assert any(one.name == "party" for one in last.calendar.holidays)
    assert desk.read_now(calendars.summaries, today=last.calendar.holidays[0].day)
    assert "no day" in await _refused(client, desk, "/calendars/change", **change, holidays="Christmas")
    assert "no span" in await _refused(client, desk, "/calendars", name="x", zone="UTC", week="someday 1-2")


async def test_a_problem_goes_to_its_end(client: httpx.AsyncClient, desk: Database) -> None:
    number = desk.read_now(problem_pages.page)[0].problem.number
    here = f"/problems/{number}"
    await _sent(
        client, desk, f"{here}/edit", "engineer", title="Cards", owner="ada", cause="old key", workaround="restart"
    )
    await _sent(client, desk, f"{here}/move", "engineer", to="known_error")
    await _sent(client, desk, f"{here}/tasks", "engineer", text="renew it", owner="bob", due="2026-12-01T09:00")
    [task] = desk.read_now(problem_cases.show, number).tasks
    await _sent(client, desk, f"/tasks/{task.id}/finish", "engineer")
    await _sent(client, desk, f"{here}/resolve", "engineer", how="renewed")
    found = desk.read_now(problem_cases.show, number)
    assert (found.problem.state, found.problem.resolution, found.problem.cause) == ("resolved", "renewed", "old key")
    assert found.tasks[0].done_by == "engineer"
    await _refused(client, desk, f"{here}/move", "engineer", to="new")
    await _refused(client, desk, f"{here}/edit", "viewer", title="x")


async def test_a_major_incident_is_told_ended_and_reviewed(client: httpx.AsyncClient, desk: Database) -> None:
    number = desk.read_now(majors.listing)[0].number
    here = f"/majors/{number}"
    await _sent(client, desk, f"{here}/call", "engineer", experts="eve, bob")
    await _sent(client, desk, f"{here}/tell", "engineer", text="we are at it")
    await _refused(client, desk, f"{here}/review", "engineer", text="too soon")
    await _sent(client, desk, f"{here}/end", "engineer")
    await _sent(client, desk, f"{here}/review", "engineer", text="the key was old")
    await _refused(client, desk, f"{here}/actions", "engineer", text="watch keys", owner="bob")
    await _sent(client, desk, f"{here}/actions", "engineer", text="watch keys", owner="bob", due="2026-12-01T09:00")
    shown = desk.read_now(major_incidents.show, number)
    assert (shown.major.review, shown.actions[0].owner) == ("the key was old", "bob")
    assert "eve" in shown.major.experts


async def test_an_account_is_made_with_a_link_changed_and_switched_off(
    client: httpx.AsyncClient, desk: Database
) -> None:
    text = await _sent(client, desk, "/admin/accounts", "admin", name="Carol", role="customer", customer=ACME)
    assert "http://desk/signin/reset/" in text
    made = desk.read_now(accounts.by_name, "Carol")
    here = f"/admin/accounts/{made.id}"
    await _sent(client, desk, f"{here}/role", "admin", role="viewer")
    await _sent(client, desk, f"{here}/email", "admin", email="carol@example.com")
    assert (desk.read_now(accounts.by_id, made.id).role, desk.read_now(accounts.by_id, made.id).customer_id) == (
        "viewer",
        "",
    )
    await _sent(client, desk, f"{here}/disable", "admin")
    assert desk.read_now(accounts.by_id, made.id).disabled_ns == NOON
    await _sent(client, desk, f"{here}/enable", "admin")
    assert "/signin/reset/" in await _sent(client, desk, f"{here}/reset", "admin")
    admin = desk.read_now(accounts.by_name, "admin").id
    assert "last administrator" in await _refused(client, desk, f"/admin/accounts/{admin}/disable", "admin")
    await _refused(client, desk, f"{here}/disable", "manager")


async def test_a_token_is_shown_once_and_revoked(client: httpx.AsyncClient, desk: Database) -> None:
    signed_in(desk, "engineer")
    text = await _sent(
        client, desk, "/admin/tokens", "admin", account="engineer", name="grafana", scopes="webhooks:in", days="30"
    )
    assert "swt_" in text
    [token] = desk.read_now(api_tokens.every)
    assert "swt_" not in (await client.get("/admin/tokens", headers=signed_in(desk, "admin") | HTML)).text
    await _sent(client, desk, f"/admin/tokens/{token.id}/revoke", "admin")
    assert desk.read_now(api_tokens.every)[0].revoked_ns == NOON
    wrong = await _refused(
        client, desk, "/admin/tokens", "admin", account="engineer", name="x", scopes="accounts:write"
    )
    assert "may not" in wrong


async def test_a_webhook_is_added_tested_and_turned_off(client: httpx.AsyncClient, desk: Database) -> None:
    await _sent(client, desk, "/admin/webhooks", url="https://hooks.example.com/in", events="ticket.*", about="chat")
    [one] = desk.read_now(webhooks.every)
    await _sent(client, desk, f"/admin/webhooks/{one.id}/test")
    assert "webhook.test" in (await client.get("/admin/webhooks", headers=signed_in(desk, "manager") | HTML)).text
    await _sent(client, desk, f"/admin/webhooks/{one.id}/switch", active="0")
    assert not desk.read_now(webhooks.get, one.id).active
    await _sent(client, desk, f"/admin/webhooks/{one.id}/remove")
    assert desk.read_now(webhooks.every) == []
    await _refused(client, desk, "/admin/webhooks", url="file:///etc/passwd", events="*")


async def test_the_policies_of_the_desk_are_set(client: httpx.AsyncClient, desk: Database) -> None:
    numbers = {"problem_sites": "4", "times": "5", "days": "2", "customers": "6", "sites": "7", "minutes": "20"}
    await _sent(client, desk, "/admin/policies", **numbers, assigning="suggest")
    assert desk.read_now(problem_cases.policy).sites == 4
    assert (desk.read_now(major_incidents.policy).customers, desk.read_now(major_incidents.is_automatic)) == (6, False)
    await _refused(client, desk, "/admin/policies", **numbers | {"times": "1"}, assigning="suggest")


async def test_a_customer_is_erased_only_after_the_name_was_typed(client: httpx.AsyncClient, desk: Database) -> None:
    wrong = {"customer": ACME, "typed": "globex", "reason": "asked for by letter"}
    assert "nothing was erased" in await _refused(client, desk, "/admin/privacy/erase", "admin", **wrong)
    answer = await client.post(
        "/admin/privacy/export", data={"customer": ACME, "reason": "asked for"}, headers=signed_in(desk, "admin")
    )
    assert (answer.headers["content-type"], answer.content[:2]) == ("application/zip", b"PK")
    await _sent(client, desk, "/admin/privacy/erase", "admin", **wrong | {"typed": ACME})
    assert ACME not in (await client.get("/customers", headers=signed_in(desk, "admin") | HTML)).text
    assert desk.read_now(audit.verify).faults == ()
    await _refused(client, desk, "/admin/privacy/erase", "manager", **wrong)
