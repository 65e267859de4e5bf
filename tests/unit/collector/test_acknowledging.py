"""One tap on a telephone, a reply to a mail, a webhook: each takes the tickets of its notice and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import acknowledging, mail_replies, oncall, shift_calendars
from sitewarden_collector.services.mail_replies import Mail, token_in
from sitewarden_collector.services.notifying import Sender
from sitewarden_collector.store import notices, people, schedules, tickets
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ADA, BOB, DAY, HOUR, NOON
from tests.desk import SECRET, make_app, make_context
from tests.fakes.channels import FakeChannel
from tests.unit.collector.test_paging import fault, settle

ADDRESS = "https://desk.example.com"


@pytest.fixture
async def http(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(make_context(db)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


async def page(db: Database) -> tuple[str, str]:
    """A ticket's id, and the token that stands in its page as it arrived."""
    await db.run(settle)
    ticket = await db.run(fault)
    key = await db.run(acknowledging.link_key, SECRET)
    phone = FakeChannel("phone")
    footer = acknowledging.footer(key, ADDRESS, now_ns=lambda: NOON)
    sender = Sender(db, {"phone": phone}, now_ns=lambda: NOON, worker="w", footer=footer)
    await sender.step()
    await sender.idle()
    await sender.stop()
    [arrived] = phone.taken
    assert f"{ADDRESS}/a/" in arrived.body
    return ticket.id, arrived.body.rpartition("/a/")[2]


async def assignee(db: Database, ticket_id: str) -> str:
    ticket = await db.read(tickets.by_id, ticket_id)
    assert ticket is not None
    return ticket.assignee


async def test_looking_at_the_link_takes_nothing_and_the_button_takes_the_ticket(
    db: Database, http: httpx.AsyncClient
) -> None:
    ticket_id, token = await page(db)
    for method in ("GET", "HEAD", "GET"):
        await http.request(method, f"/a/{token}")
    assert await assignee(db, ticket_id) == ""
    asked = await http.get(f"/a/{token}")
    assert (asked.status_code, "will you take this" in asked.text) == (200, True)
    assert "<script" not in asked.text
    assert "default-src 'none'" in asked.headers["content-security-policy"]
    taken = await http.post(f"/a/{token}")
    assert "Yours now" in taken.text
    assert await assignee(db, ticket_id) == ADA
    assert "Taken already by ada" in (await http.get(f"/a/{token}")).text


async def test_the_page_speaks_the_persons_language(db: Database, http: httpx.AsyncClient) -> None:
    _, token = await page(db)
    await db.run(people.save, Reachable(ADA, (Road("phone"),), locale="zh"))
    asked = await http.get(f"/a/{token}")
    assert 'lang="zh-CN"' in asked.text
    assert "确认接手" in asked.text


async def test_a_webhook_posts_the_token_and_reads_json(db: Database, http: httpx.AsyncClient) -> None:
    ticket_id, token = await page(db)
    answer = await http.post(f"/a/{token}", headers={"accept": "application/json"})
    assert answer.json() == {"acknowledged": ["INC-1001"], "person": ADA}
    assert await assignee(db, ticket_id) == ADA
    gone = await http.post("/a/nonsense", headers={"accept": "application/json"})
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")


async def test_a_token_that_is_changed_or_old_or_of_another_key_opens_nothing(
    db: Database, http: httpx.AsyncClient
) -> None:
    ticket_id, token = await page(db)
    key = await db.run(acknowledging.link_key, SECRET)
    for wrong in (token[:-2] + "AA", token[:10] + "A" + token[11:], "", "x" * 5000, "§"):
        if wrong != token:
            assert (await http.post(f"/a/{wrong}")).status_code in (404, 405)
    with pytest.raises(NotFound):
        acknowledging.notice_of(key, token, now_ns=NOON + 4 * DAY)
    with pytest.raises(NotFound):
        acknowledging.notice_of(bytes(32), token, now_ns=NOON)
    assert await assignee(db, ticket_id) == ""


async def test_the_link_of_the_second_who_taps_leaves_the_ticket_with_the_first(db: Database) -> None:
    ticket_id, _ = await page(db)
    key = await db.run(acknowledging.link_key, SECRET)
    other = await db.run(
        notices.add,
        kind="page",
        person=BOB,
        channel="phone",
        subject="s",
        body="b",
        dedup_key="k",
        ticket_id=ticket_id,
        now_ns=NOON,
    )
    [first] = [one.id for one in await db.read(notices.listing) if one.id != other]
    for notice_id in (first, other):
        token = acknowledging.token(key, notice_id, now_ns=NOON)
        await db.run(acknowledging.acknowledge, SECRET, token, now_ns=NOON)
    assert await assignee(db, ticket_id) == ADA


def reply(token: str, said: str, **headers: str) -> Mail:
    quoted = f"> [INC-1001] payment failed\n> Acknowledge: {ADDRESS}/a/{token}\n"
    text = f"{said}\n\nOn Tue, Nov 24, 2026 at 3:10 AM Sitewarden <desk@example.com> wrote:\n{quoted}"
    return Mail(
        "Re: [INC-1001] payment failed", text, {k.replace("_", "-"): v for k, v in headers.items()}, "ada@example"
    )


@pytest.mark.parametrize("said", ["ack", "Ack!", "ACK, on my way", "确认", "收到，马上处理"])
async def test_a_reply_that_says_so_acknowledges(db: Database, said: str) -> None:
    ticket_id, token = await page(db)
    assert await mail_replies.read(db, SECRET, [reply(token, said)], now_ns=lambda: NOON) == 1
    assert await assignee(db, ticket_id) == ADA


def test_a_reply_that_says_something_else_is_no_acknowledgement() -> None:
    token = "t" * 50
    assert token_in(reply(token, "what is this?")) is None
    assert token_in(reply(token, "")) is None
    assert token_in(reply(token, "acknowledging nothing, this is spam")) is None
    assert token_in(Mail("Re: page", "ack", {})) is None
    assert token_in(reply(token, "ack")) == token


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-replied"},
        {"precedence": "bulk"},
        {"x_autoreply": "yes"},
        {"content_type": "multipart/report; report-type=delivery-status"},
        {"return_path": "<>"},
        {"list_id": "<all.example.com>"},
    ],
)
def test_what_a_machine_answers_is_no_acknowledgement(headers: dict[str, str]) -> None:
    assert token_in(reply("t" * 50, "ack", **headers)) is None


async def test_a_calendar_is_read_under_its_secret_address_and_under_no_other(
    db: Database, http: httpx.AsyncClient
) -> None:
    await db.run(settle)
    address = await db.run(shift_calendars.publish, schedule="support")
    mine = await db.run(shift_calendars.publish, person=BOB)
    answer = await http.get(address)
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "SUMMARY:ada on call (support)" in answer.text
    assert "ada on call" not in (await http.get(mine)).text
    again = await db.run(shift_calendars.publish, schedule="support")
    assert (await http.get(address)).status_code == 404
    assert (await http.get(again)).status_code == 200
    assert (await http.get("/ical/.ics")).status_code == 404


async def test_a_shift_keeps_its_identity_while_time_goes_by(db: Database) -> None:
    await db.run(settle)
    schedule = await db.read(schedules.by_name, "support")

    def uids(now_ns: int) -> set[str]:
        lines = shift_calendars.ical(schedule, now_ns=now_ns).splitlines()
        return {line for line in lines if line.startswith("UID")}

    assert len(uids(NOON) - uids(NOON + HOUR)) == 0


CALENDAR = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//y//EN\r
BEGIN:VEVENT\r
UID:one@example\r
DTSTART:20261125T090000Z\r
DTEND:20261125T170000Z\r
RRULE:FREQ=DAILY;COUNT=3\r
SUMMARY:bob stands in\r
END:VEVENT\r
END:VCALENDAR\r
"""


async def test_a_calendar_that_is_read_twice_puts_nobody_on_call_twice(db: Database) -> None:
    await db.run(settle)
    for _ in range(2):
        assert await db.run(shift_calendars.take_in, "support", CALENDAR, by=ADA, now_ns=NOON) == 3
    schedule = await db.read(schedules.by_name, "support")
    assert [one.person for one in schedule.overrides] == [BOB] * 3
    found = await db.read(oncall.shifts, "support", NOON, NOON + 2 * DAY)
    assert [shift.person for shift in found] == [ADA, BOB, ADA, BOB, ADA][: len(found)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a calendar", "no calendar"),
        (CALENDAR.replace(b"bob stands in", b"somebody else"), "names nobody"),
        (CALENDAR.replace(b"COUNT=3", b"COUNT=100000").replace(b"DAILY", b"HOURLY"), "more than"),
        (b"x" * (shift_calendars.FILE_MAX_BYTES + 1), "larger"),
    ],
)
async def test_a_calendar_that_makes_no_sense_changes_nothing(db: Database, content: bytes, said: str) -> None:
    await db.run(settle)
    with pytest.raises(Exception, match=said):
        await db.run(shift_calendars.take_in, "support", content, by=ADA, now_ns=NOON)
    assert (await db.read(schedules.by_name, "support")).overrides == ()
