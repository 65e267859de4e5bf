"""All that is done to a ticket from its page: each form changes what it says, and refuses whom and what it must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from sitewarden_alerting.model import Ticket
from sitewarden_collector.services.desk import attaching, linking, overview, problems, reporting, solutions
from sitewarden_collector.services.desk import visits as visiting
from sitewarden_collector.services.desk.overview import Overview
from sitewarden_collector.store import sites, tickets
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, GLOBEX_OSAKA, HOUR, NOON
from tests.desk import signed_in
from tests.unit.collector.console.conftest import HTML

HTMX = {"hx-request": "true"}
# Every form of a ticket that only the desk may send, with what makes it whole.
FORMS: dict[str, dict[str, str]] = {
    "priority": {"priority": "1", "reason": "the whole hall stands"},
    "category": {"category": "", "component": ""},
    "clock": {
        "from": "2026-11-23T09:00",
        "until": "2026-11-23T10:00",
        "effect": "pause",
        "reason": "the site was closed",
    },
    "step": {"step": "propose", "owner": "ada"},
    "track": {"kind": "defect", "text": "it crashes"},
    "merge": {"into": "INC-9"},
    "unmerge": {},
    "split": {"fingerprint": "fp1"},
    "link": {"kind": "relates", "to": "INC-9"},
    "unlink": {"kind": "relates", "to": "INC-9"},
    "parent": {"parent": ""},
    "problem": {"title": "gateways"},
    "problem/leave": {"problem": "PRB-1"},
    "visits": {"planned": "2026-11-25T09:00", "engineer": "ada"},
    "visits/arrive": {"visit": "x"},
}


def _report(db: Database, title: str, site: str = ACME_BERLIN) -> str:
    return db.write_now(reporting.report, site, title, by="ada", now_ns=NOON).number


async def _post(client: httpx.AsyncClient, db: Database, path: str, who: str, form: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/tickets/{path}", data=form, headers=signed_in(db, who) | HTMX)


async def _sent(client: httpx.AsyncClient, db: Database, path: str, /, **form: Any) -> httpx.Response:
    answer = await _post(client, db, path, "engineer", form)
    assert answer.status_code == 204, unquote(answer.headers.get("x-said", answer.text))
    return answer


async def _refused(client: httpx.AsyncClient, db: Database, path: str, /, **form: Any) -> str:
    answer = await _post(client, db, path, "engineer", form)
    assert answer.status_code in (404, 409, 422), answer.status_code
    return unquote(answer.headers["x-said"])


def _now(db: Database, number: str) -> tuple[Ticket, Overview]:
    ticket = db.read_now(tickets.by_number, number)
    return ticket, db.read_now(overview.of, ticket)


def _headers_of_customer(db: Database, site: str = ACME_BERLIN) -> dict[str, str]:
    customer = db.read_now(sites.by_name, site).customer_name
    return signed_in(db, "customer", name=f"of-{site}", customer=customer)


@pytest.mark.parametrize("form", FORMS)
async def test_who_only_looks_or_is_a_customer_may_not(client: httpx.AsyncClient, desk: Database, form: str) -> None:
    number = _report(desk, "login is slow")
    before = desk.read_now(tickets.by_number, number)
    for headers in (signed_in(desk, "viewer"), _headers_of_customer(desk)):
        answer = await client.post(f"/tickets/{number}/{form}", data=FORMS[form], headers=headers | HTMX)
        assert answer.status_code == 403
    forged = signed_in(desk, "engineer")
    del forged["X-CSRF-Token"]
    answer = await client.post(f"/tickets/{number}/{form}", data=FORMS[form], headers=forged | HTMX)
    assert (answer.status_code, "load it anew" in unquote(answer.headers["x-said"])) == (403, True)
    assert desk.read_now(tickets.by_number, number) == before


async def test_a_priority_is_set_with_a_reason(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    await _sent(client, desk, f"{number}/priority", priority="1", reason="the whole hall stands")
    assert desk.read_now(tickets.by_number, number).priority == 1
    page = await client.get(f"/tickets/{number}", headers=signed_in(desk, "engineer") | HTML)
    assert "engineer: the whole hall stands" in page.text
    assert "reason is missing" in await _refused(client, desk, f"{number}/priority", priority="2")
    assert "between 1 and 4" in await _refused(client, desk, f"{number}/priority", priority="7", reason="x")


async def test_category_and_component_come_from_the_lists(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    await _sent(client, desk, f"{number}/category", category="performance", component="database")
    ticket, _ = _now(desk, number)
    assert (ticket.category, ticket.component) == ("performance", "database")
    assert "lunch" in await _refused(client, desk, f"{number}/category", category="lunch")


async def test_a_clock_is_corrected_by_the_wall_of_the_reader(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    headers = signed_in(desk, "engineer", name="mei", timezone="Asia/Shanghai") | HTMX
    form = FORMS["clock"] | {"target": "resolution"}
    assert (await client.post(f"/tickets/{number}/clock", data=form, headers=headers)).status_code == 204
    ticket, _ = _now(desk, number)
    written = desk.read_now(tickets.history_of, ticket.id)[-1]
    assert (written.what, written.by, written.data["target"]) == ("correct_clock", "mei", "resolution")
    assert written.data["until_ns"] - written.data["from_ns"] == HOUR
    assert "2026-11-23T01:00" in written.text
    for wrong, said in (
        ({"from": ""}, "give both times"),
        ({"until": "2026-11-23T08:00"}, "ends before it begins"),
        ({"effect": "maybe"}, "whether the time counts"),
        ({"target": "lunch"}, "no clock"),
        ({"reason": ""}, "reason is missing"),
        ({"from": "yesterday"}, "write it as"),
    ):
        assert said in await _refused(client, desk, f"{number}/clock", **(FORMS["clock"] | wrong))


async def test_steps_of_a_solution_get_owner_and_due_time(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    await _sent(client, desk, f"{number}/step", step="propose", owner="ada", due="2026-11-26T09:00")
    _, work = _now(desk, number)
    assert [(one.state.value, one.duty("propose").owner) for one in work.solutions] == [("planned", "ada")]  # type: ignore[arg-type]
    page = await client.get(f"/tickets/{number}", headers=signed_in(desk, "engineer") | HTML)
    assert "ada is to propose a solution" in page.text
    desk.write_now(solutions.propose, number, "open the port", by="ada", now_ns=NOON)
    await _sent(client, desk, f"{number}/step", step="carry_out", owner="bob", due="2026-11-27T09:00")
    _, work = _now(desk, number)
    assert work.solutions[-1].duty("carry_out").owner == "bob"  # type: ignore[arg-type]
    assert "has no step" in await _refused(client, desk, f"{number}/step", step="dance", owner="bob")
    assert "owner is missing" in await _refused(client, desk, f"{number}/step", step="verify")


async def test_tickets_are_merged_and_taken_apart_again(client: httpx.AsyncClient, desk: Database) -> None:
    one, other = _report(desk, "login is slow"), _report(desk, "login is slow again")
    answer = await _sent(client, desk, f"{other}/merge", into=one.lower(), reason="the same call")
    assert answer.headers["hx-redirect"] == f"/tickets/{one}"
    page = await client.get(f"/tickets/{one}", headers=signed_in(desk, "engineer") | HTML)
    assert f'Went into this one: <a class="mono" href="/tickets/{other}"' in page.text
    gone = await client.get(f"/tickets/{other}", headers=signed_in(desk, "engineer") | HTML)
    assert "Undo the merge" in gone.text
    await _sent(client, desk, f"{one}/unmerge", which=other)
    assert desk.read_now(tickets.by_number, other).merged_into == ""
    assert "into itself" in await _refused(client, desk, f"{one}/merge", into=one)
    assert "into is missing" in await _refused(client, desk, f"{one}/merge")
    assert "was not merged" in await _refused(client, desk, f"{one}/unmerge")
    assert "cannot be split" in await _refused(client, desk, f"{one}/split", fingerprint="fp1:nothing")


async def test_tickets_are_linked_from_either_side(client: httpx.AsyncClient, desk: Database) -> None:
    one, other = _report(desk, "login is slow"), _report(desk, "the disk is full")
    await _sent(client, desk, f"{one}/link", kind="caused", to=other.lower())
    ticket, _ = _now(desk, other)
    (link,) = desk.read_now(linking.of_ticket, ticket.id)
    assert (link.kind, link.number, link.backwards) == ("causes", one, False)
    page = await client.get(f"/tickets/{one}", headers=signed_in(desk, "engineer") | HTML)
    assert "is caused by" in page.text
    assert "already" in await _refused(client, desk, f"{other}/link", kind="causes", to=one)
    assert "no link 'eats'" in await _refused(client, desk, f"{other}/link", kind="eats", to=one)
    await _sent(client, desk, f"{one}/unlink", kind="causes", to=other)
    assert desk.read_now(linking.of_ticket, ticket.id) == []


async def test_a_ticket_is_a_part_of_another(client: httpx.AsyncClient, desk: Database) -> None:
    one, other = _report(desk, "the site moves"), _report(desk, "the phones move")
    foreign = _report(desk, "elsewhere", GLOBEX_OSAKA)
    await _sent(client, desk, f"{other}/parent", parent=one)
    assert _now(desk, other)[1].parent == one
    assert "itself a part" in await _refused(client, desk, f"{one}/parent", parent=other)
    assert "another customer" in await _refused(client, desk, f"{one}/parent", parent=foreign)
    await _sent(client, desk, f"{other}/parent", parent="")
    assert _now(desk, other)[1].parent == ""


async def test_the_workaround_of_its_problem_stands_at_the_top(client: httpx.AsyncClient, desk: Database) -> None:
    number, second = _report(desk, "login is slow"), _report(desk, "login is slow too")
    await _sent(client, desk, f"{number}/problem", title="The gateway forgets its sessions")
    made = _now(desk, number)[1].problem
    assert made is not None
    desk.write_now(problems.edit, made.number, by="ada", now_ns=NOON, workaround="restart the gateway")
    await _sent(client, desk, f"{second}/problem", problem=made.number)
    for who, there in (("engineer", True), ("viewer", True)):
        page = await client.get(f"/tickets/{second}", headers=signed_in(desk, who) | HTML)
        assert ("restart the gateway" in page.text) is there
    outside = await client.get(f"/tickets/{second}", headers=_headers_of_customer(desk) | HTML)
    assert (outside.status_code, "restart the gateway" in outside.text) == (200, False)
    assert "already" in await _refused(client, desk, f"{second}/problem", problem=made.number)
    assert "title is missing" in await _refused(client, desk, f"{second}/problem")
    await _sent(client, desk, f"{second}/problem/leave", problem=made.number)
    assert _now(desk, second)[1].problem is None


async def test_a_visit_goes_its_way(client: httpx.AsyncClient, desk: Database) -> None:
    number, other = _report(desk, "the scanner is dead"), _report(desk, "another")
    await _sent(client, desk, f"{number}/visits", planned="2026-11-25T09:00", engineer="bob")
    ticket, _ = _now(desk, number)
    (visit,) = desk.read_now(visiting.of_ticket, ticket.id)
    assert "say when" in await _refused(client, desk, f"{number}/visits", engineer="bob")
    assert "no such visit" in await _refused(client, desk, f"{other}/visits/arrive", visit=visit.id)
    assert "not arrived" in await _refused(client, desk, f"{number}/visits/leave", visit=visit.id, findings="x")
    await _sent(client, desk, f"{number}/visits/arrive", visit=visit.id)
    assert "findings is missing" in await _refused(client, desk, f"{number}/visits/leave", visit=visit.id)
    await _sent(client, desk, f"{number}/visits/leave", visit=visit.id, findings="a new cable")
    await _sent(client, desk, f"{number}/visits/sign", visit=visit.id, signed_by="Mr Wu")
    page = await client.get(f"/tickets/{number}", headers=_headers_of_customer(desk) | HTML)
    assert "a new cable" in page.text
    assert "signed by Mr Wu" in page.text
    assert "no such visit" in await _refused(client, desk, f"{number}/visits/dance", visit=visit.id)


async def test_files_are_kept_and_given_back_only_to_be_saved(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    engineer = signed_in(desk, "engineer")
    sent = [("file", ("trace.log", b"<script>alert(1)</script>")), ("file", ("b.txt", b"for the customer"))]
    answer = await client.post(f"/tickets/{number}/files", files=sent[:1], headers=engineer | HTMX)
    assert answer.status_code == 204, unquote(answer.headers.get("x-said", ""))
    form = {"visibility": "customer"}
    answer = await client.post(f"/tickets/{number}/files", files=sent[1:], data=form, headers=engineer | HTMX)
    assert answer.status_code == 204
    _, work = _now(desk, number)
    secret, told = work.attachments
    given = await client.get(f"/tickets/{number}/files/{secret.id}", headers=engineer)
    assert given.content == b"<script>alert(1)</script>"
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers["content-disposition"] == "attachment; filename*=UTF-8''trace.log"
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["cache-control"] == "no-store"
    outside = _headers_of_customer(desk)
    assert (await client.get(f"/tickets/{number}/files/{secret.id}", headers=outside | HTML)).status_code == 404
    assert (await client.get(f"/tickets/{number}/files/{told.id}", headers=outside)).content == b"for the customer"
    page = (await client.get(f"/tickets/{number}", headers=outside | HTML)).text
    assert ("b.txt" in page, "trace.log" in page) == (True, False)
    other = _report(desk, "another")
    assert (await client.get(f"/tickets/{other}/files/{secret.id}", headers=engineer | HTML)).status_code == 404


async def test_a_customer_attaches_for_all_to_see_and_only_to_their_own(
    client: httpx.AsyncClient, desk: Database
) -> None:
    number, foreign = _report(desk, "login is slow"), _report(desk, "elsewhere", GLOBEX_OSAKA)
    outside = _headers_of_customer(desk) | HTMX
    sent = [("file", ("what-we-see.txt", b"it hangs"))]
    form = {"visibility": "internal"}
    assert (await client.post(f"/tickets/{number}/files", files=sent, data=form, headers=outside)).status_code == 204
    assert [one.visibility for one in _now(desk, number)[1].attachments] == ["customer"]
    assert (await client.post(f"/tickets/{foreign}/files", files=sent, headers=outside)).status_code == 404
    viewer = signed_in(desk, "viewer") | HTMX
    assert (await client.post(f"/tickets/{number}/files", files=sent, headers=viewer)).status_code == 403


async def test_a_file_that_is_not_taken_says_which_are(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    headers = signed_in(desk, "engineer") | HTMX
    for files, said in (
        ([("file", ("tool.exe", b"MZ..."))], "taken are"),
        ([("file", ("picture.png", b"not a picture"))], "give it the right name"),
        ([("file", ("empty.txt", b""))], "is empty"),
        ([("file", (f"{number}.txt", b"x")) for number in range(11)], "at most 10 files"),
        ([("file", ("big.txt", b"x" * (attaching.SIZE_MAX + 1)))], "compress it"),
    ):
        answer = await client.post(f"/tickets/{number}/files", files=files, headers=headers)
        assert (answer.status_code, said in unquote(answer.headers["x-said"])) == (422, True)
    answer = await client.post(f"/tickets/{number}/files", data={"visibility": "internal"}, headers=headers)
    assert "choose one" in unquote(answer.headers["x-said"])
    assert _now(desk, number)[1].attachments == ()


async def test_without_a_tracker_the_page_says_how_to_set_one(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    said = await _refused(client, desk, f"{number}/track", kind="defect", text="it crashes")
    assert "sitewarden tracker set" in said
    assert "wish" in await _refused(client, desk, f"{number}/track", kind="wish", text="it crashes")


async def test_a_customer_confirms_what_is_resolved(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    await _sent(client, desk, f"{number}/resolve", how="restarted")
    outside = _headers_of_customer(desk)
    page = await client.get(f"/tickets/{number}", headers=outside | HTML)
    assert "It is solved" in page.text
    assert (await client.post(f"/tickets/{number}/close", headers=outside | HTMX)).status_code == 204
    assert desk.read_now(tickets.by_number, number).state.value == "closed"


async def test_times_of_a_ticket_stand_beside_those_of_its_site(client: httpx.AsyncClient, desk: Database) -> None:
    number = _report(desk, "login is slow")
    site = desk.read_now(sites.by_name, ACME_BERLIN)
    desk.write_now(sites.save, replace(site, timezone="Europe/Berlin"))
    here = signed_in(desk, "engineer", name="mei", timezone="Asia/Shanghai")
    page = await client.get(f"/tickets/{number}", headers=here | HTML)
    assert "20:00</time>" in page.text
    assert "13:00 Berlin</span>" in page.text
