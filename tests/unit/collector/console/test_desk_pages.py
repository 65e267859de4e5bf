"""Every further page of the desk: answers those who may, refuses the others, in both languages, with names escaped."""

from __future__ import annotations

from typing import Any

import httpx

from sitewarden_collector.services.access import ALLOWED, Permission, Role
from sitewarden_collector.store import accounts, contracts, customer_pages, majors, problem_pages, risk_pages, schedules
from sitewarden_collector.store.engine import Database
from tests.cast import ACME
from tests.desk import signed_in
from tests.unit.collector.console.conftest import HOSTILE, HTML

PAGES = {
    "/risks": Permission.SITES_READ,
    "/silences": Permission.ONCALL_READ,
    "/maintenance": Permission.ONCALL_READ,
    "/oncall": Permission.ONCALL_READ,
    "/oncall/people": Permission.ONCALL_READ,
    "/oncall/schedules/SCHEDULE": Permission.ONCALL_READ,
    "/customers": Permission.CUSTOMERS_READ,
    "/customers/acme": Permission.CUSTOMERS_READ,
    "/customers/A%2FB%20%26%20S%C3%B6hne": Permission.CUSTOMERS_READ,
    "/contracts": Permission.CUSTOMERS_READ,
    "/contracts/CONTRACT": Permission.CUSTOMERS_READ,
    "/contracts/CONTRACT/edit": Permission.CUSTOMERS_WRITE,
    "/contracts/new?customer=acme": Permission.CUSTOMERS_WRITE,
    "/calendars": Permission.CUSTOMERS_READ,
    "/calendars/office": Permission.CUSTOMERS_READ,
    "/problems": Permission.CUSTOMERS_READ,
    "/problems/PROBLEM": Permission.CUSTOMERS_READ,
    "/majors": Permission.CUSTOMERS_READ,
    "/majors/MAJOR": Permission.CUSTOMERS_READ,
    "/tasks": Permission.TICKETS_WORK,
    "/admin": Permission.SETTINGS_WRITE,
    "/admin/accounts": Permission.ACCOUNTS_WRITE,
    "/admin/accounts/ACCOUNT": Permission.ACCOUNTS_WRITE,
    "/admin/roles": Permission.ACCOUNTS_WRITE,
    "/admin/tokens": Permission.ACCOUNTS_WRITE,
    "/admin/webhooks": Permission.SETTINGS_WRITE,
    "/admin/queues": Permission.SETTINGS_WRITE,
    "/admin/health": Permission.SETTINGS_WRITE,
    "/admin/audit": Permission.AUDIT_READ,
    "/admin/audit/verify": Permission.AUDIT_READ,
    "/admin/privacy": Permission.PRIVACY_WRITE,
}


def _filled(db: Database, path: str) -> str:
    if "SCHEDULE" in path:
        path = path.replace("SCHEDULE", db.read_now(schedules.by_name, "First line").id)
    if "ACCOUNT" in path:
        path = path.replace("ACCOUNT", db.read_now(accounts.by_name, "admin").id)
    if "PROBLEM" in path:
        path = path.replace("PROBLEM", db.read_now(problem_pages.page)[0].problem.number)
    if "MAJOR" in path:
        path = path.replace("MAJOR", db.read_now(majors.listing)[0].number)
    return path.replace("CONTRACT", db.read_now(contracts.every)[0].number.lower())


async def test_each_page_answers_the_roles_that_may_and_no_others(client: httpx.AsyncClient, desk: Database) -> None:
    wrong = []
    for role in Role:
        of: dict[str, Any] = {"customer": ACME} if role is Role.CUSTOMER else {}
        headers = signed_in(desk, "admin") if role is Role.ADMIN else signed_in(desk, role, **of)
        for path, permission in PAGES.items():
            answer = await client.get(_filled(desk, path), headers=headers | HTML)
            wanted = 200 if permission in ALLOWED[role] else 403
            if answer.status_code != wanted:
                wrong.append((role.value, path, answer.status_code, wanted))
    assert wrong == []


async def test_pages_are_whole_in_both_languages_and_take_no_name_for_markup(
    client: httpx.AsyncClient, desk: Database
) -> None:
    headers = signed_in(desk, "admin") | HTML
    for path in PAGES:
        address = _filled(desk, path)
        glue = "&" if "?" in address else "?"
        for lang, named in (("en", '<html lang="en"'), ("zh", '<html lang="zh-CN"')):
            client.cookies.clear()
            text = (await client.get(f"{address}{glue}lang={lang}", headers=headers)).text
            assert HOSTILE not in text, path
            assert " style=" not in text, path  # the policy forbids it
            assert text.rstrip().endswith("</html>"), path
            assert named in text, path


async def test_a_customers_account_sees_the_risks_of_its_customer_alone(
    client: httpx.AsyncClient, desk: Database
) -> None:
    mine = await client.get("/risks", headers=signed_in(desk, "customer", customer=ACME) | HTML)
    theirs = await client.get("/risks", headers=signed_in(desk, "customer", name="other", customer="globex") | HTML)
    assert "RSK-1" in mine.text
    assert "RSK-1" not in theirs.text


async def test_a_field_of_the_matrix_shows_its_risks_alone(client: httpx.AsyncClient, desk: Database) -> None:
    shown = (await client.get("/risks?likelihood=5&impact=4", headers=signed_in(desk) | HTML)).text
    assert "RSK-1" in shown
    assert "RSK-2" not in shown
    assert desk.read_now(risk_pages.matrix)[5, 4] == 1


def test_risks_are_sorted_by_score_first_and_found_by_text(desk: Database) -> None:
    assert [one.risk.number for one in desk.read_now(risk_pages.page)] == ["RSK-1", "RSK-2"]
    assert [one.risk.number for one in desk.read_now(risk_pages.page, down=True)] == ["RSK-2", "RSK-1"]
    assert [one.risk.number for one in desk.read_now(risk_pages.page, text="disk 2")] == ["RSK-2"]
    for sort in risk_pages.SORTS:
        assert len(desk.read_now(risk_pages.page, sort=sort)) == 2


def test_customers_are_listed_with_sites_tickets_and_the_end_of_their_contract(desk: Database) -> None:
    rows = {row.name: row for row in desk.read_now(customer_pages.page)}
    assert (rows[ACME].sites, rows[ACME].tickets, rows[ACME].until) == (1, 1, "2026-12-10")
    assert (rows["globex"].until, rows["A/B & Söhne"].sites) == ("", 0)
    assert [row.name for row in desk.read_now(customer_pages.page, text="glob")] == ["globex"]
    assert desk.read_now(customer_pages.page, sort="until", down=True)[0].name == ACME
    for sort in customer_pages.SORTS:
        assert len(desk.read_now(customer_pages.page, sort=sort)) == 3


def test_problems_are_listed_with_their_incidents(desk: Database) -> None:
    [row] = desk.read_now(problem_pages.page)
    assert (row.incidents, row.open, row.sites) == (1, 1, 1)
    for sort in problem_pages.SORTS:
        assert len(desk.read_now(problem_pages.page, sort=sort, text="cause")) == 1
    assert desk.read_now(problem_pages.page, states=("closed",)) == []
    assert desk.read_now(problem_pages.counts)["new"] == 1


async def test_contracts_that_end_soon_are_found(client: httpx.AsyncClient, desk: Database) -> None:
    headers = signed_in(desk) | HTML
    assert "Gold 2026" in (await client.get("/contracts?status=ends_soon", headers=headers)).text
    assert "Gold 2026" not in (await client.get("/contracts?status=in_force", headers=headers)).text


async def test_an_empty_desk_says_what_to_do_next(client: httpx.AsyncClient, db: Database) -> None:
    headers = signed_in(db, "admin") | HTML
    for path in ("/risks", "/silences", "/maintenance", "/oncall", "/customers", "/contracts", "/problems", "/majors"):
        text = (await client.get(path, headers=headers)).text
        assert "empty-title" in text, path
        assert "empty-subtitle" in text, path


async def test_csv_goes_out_as_a_file(client: httpx.AsyncClient, desk: Database) -> None:
    answer = await client.get("/customers.csv?kind=contracts", headers=signed_in(desk))
    assert answer.headers["content-disposition"] == 'attachment; filename="contracts.csv"'
    assert "Gold 2026" in answer.text
    assert (await client.get("/customers.csv?kind=passwords", headers=signed_in(desk))).status_code == 422


async def test_the_schedule_goes_out_as_a_calendar(client: httpx.AsyncClient, desk: Database) -> None:
    schedule = desk.read_now(schedules.by_name, "First line")
    answer = await client.get(f"/oncall/schedules/{schedule.id}/calendar.ics", headers=signed_in(desk))
    assert answer.text.startswith("BEGIN:VCALENDAR")


async def test_odd_addresses_break_nothing(client: httpx.AsyncClient, desk: Database) -> None:
    headers = signed_in(desk, "admin") | HTML
    odd = ("%00", "%2e%2e%2fx", "9" * 40, "-1", "%ff%fe", "😀", "' OR 1=1 --", "x" * 5000)
    named = ("/customers", "/contracts", "/calendars", "/problems", "/majors", "/oncall/schedules", "/admin/accounts")
    broken = []
    for text in odd:
        addresses = [f"{path}/{text}" for path in named]
        for path in (one for one in PAGES if "?" not in one and not any(part.isupper() for part in one.split("/"))):
            query = "&".join(
                f"{name}={text}"
                for name in (
                    "text",
                    "sort",
                    "page",
                    "skip",
                    "likelihood",
                    "state",
                    "who",
                    "since",
                    "before",
                    "customer",
                )
            )
            addresses.append(f"{path}?{query}")
        for address in addresses:
            answer = await client.get(address, headers=headers)
            if answer.status_code >= 500:
                broken.append((address[:60], answer.status_code))
    assert broken == []


async def test_who_may_only_look_is_offered_no_form_that_changes(client: httpx.AsyncClient, desk: Database) -> None:
    headers = signed_in(desk, "viewer") | HTML
    signed_in(desk, "admin")
    for path, permission in PAGES.items():
        if permission in ALLOWED[Role.VIEWER]:
            text = (await client.get(_filled(desk, path), headers=headers)).text
            assert "hx-post" not in text, path
