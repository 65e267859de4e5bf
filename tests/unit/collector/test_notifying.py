"""Telling: at least once, never not at all, nobody waits for somebody else's slow service."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy import Connection

from sitewarden_alerting.model import Person
from sitewarden_collector import config
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable
from sitewarden_collector.services.notifying import Patience, Sender, people, step
from sitewarden_collector.store import notices, page_notices
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests.fakes.channels import FakeChannel

NOW = 1_764_000_000 * 10**9
S = 10**9
ON_CALL = (Person("ada", ("phone", "mail")), Person("bob", ("phone",)))


class Time:
    def __init__(self) -> None:
        self.ns = NOW

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def time() -> Time:
    return Time()


def put(tx: Connection, /, key: str = "k", **changes: Any) -> str:
    given: dict[str, Any] = {
        "kind": "page",
        "person": "ada",
        "channel": "phone",
        "subject": "INC-1001",
        "body": "down",
        "dedup_key": key,
        "now_ns": NOW,
    }
    return notices.add(tx, **(given | changes))


def states(db: Database) -> dict[tuple[str, str], str]:
    return {(n.person, n.channel): n.state for n in db.read_now(notices.listing)}


async def test_a_notice_that_is_due_is_sent_once(db: Database, time: Time) -> None:
    notice_id = await db.run(put)
    phone = FakeChannel("phone")
    assert await step(db, {"phone": phone}, time) == 1
    assert await step(db, {"phone": phone}, time) == 0
    assert [notice.id for notice in phone.taken] == [notice_id]
    stored = await db.read(notices.get, notice_id)
    assert (stored.state, stored.sent_ns, stored.last_error) == ("sent", NOW, None)


async def test_what_may_pass_is_tried_again_later_and_not_before(db: Database, time: Time) -> None:
    await db.run(put)
    phone = FakeChannel("phone", failures=[ChannelUnavailable("busy")])
    await step(db, {"phone": phone}, time, jitter=lambda: 0.5)
    [waiting] = await db.read(notices.listing)
    assert (waiting.state, waiting.last_error, waiting.next_attempt_ns) == ("pending", "busy", NOW + S)
    assert await step(db, {"phone": phone}, time) == 0
    time.ns += S
    await step(db, {"phone": phone}, time)
    assert len(phone.taken) == 1


async def test_a_refusal_goes_to_the_next_channel_then_to_the_next_person_then_is_parked(
    db: Database, time: Time
) -> None:
    await db.run(put)
    channels = {name: FakeChannel(name, failures=[ChannelRejected("no")] * 9) for name in ("phone", "mail")}
    for _ in range(4):
        await step(db, channels, time, on_call=ON_CALL)
    assert states(db) == {("ada", "phone"): "failed", ("ada", "mail"): "failed", ("bob", "phone"): "parked"}


async def test_a_page_that_keeps_failing_reaches_the_next_person_while_it_is_still_tried(
    db: Database, time: Time
) -> None:
    await db.run(put, person="bob")
    phone, mail = FakeChannel("phone", failures=[ChannelUnavailable("busy")] * 3), FakeChannel("mail")
    for _ in range(4):
        await step(db, {"phone": phone, "mail": mail}, time, on_call=(ON_CALL[1], Person("ada", ("mail",))))
        time.ns += 600 * S
    assert [notice.person for notice in mail.taken] == ["ada"]
    assert [notice.person for notice in phone.taken] == ["bob"]
    assert set(states(db).values()) == {"sent"}


async def test_a_page_that_reached_its_person_by_another_channel_is_not_tried_again(db: Database, time: Time) -> None:
    await db.run(put)
    phone, mail = FakeChannel("phone", failures=[ChannelUnavailable("busy")] * 3), FakeChannel("mail")
    for _ in range(4):
        await step(db, {"phone": phone, "mail": mail}, time, on_call=ON_CALL)
        time.ns += 600 * S
    assert (len(phone.taken), len(mail.taken)) == (0, 1)
    assert states(db) == {("ada", "phone"): "failed", ("ada", "mail"): "sent"}


async def test_a_risk_that_keeps_failing_waits_for_its_own_channel(db: Database, time: Time) -> None:
    await db.run(put, kind="risk")
    phone, mail = FakeChannel("phone", failures=[ChannelUnavailable("busy")] * 5), FakeChannel("mail")
    for _ in range(7):
        await step(db, {"phone": phone, "mail": mail}, time, on_call=ON_CALL)
        time.ns += 600 * S
    assert (len(phone.taken), len(mail.taken)) == (1, 0)


async def test_patience_ends_and_the_notice_is_parked_where_an_operator_sees_why(db: Database, time: Time) -> None:
    await db.run(put)
    phone = FakeChannel("phone", failures=[ChannelUnavailable("the line is dead")] * 9)
    for _ in range(9):
        await step(db, {"phone": phone}, time, patience=Patience(attempts_max=4))
        time.ns += 600 * S
    [parked] = await db.read(notices.listing, state="parked")
    assert (parked.attempts, parked.last_error) == (4, "the line is dead")
    assert len(phone.failures) == 5


async def test_a_channel_that_is_not_configured_says_what_to_do(db: Database, time: Time) -> None:
    await db.run(put)
    await step(db, {}, time)
    [parked] = await db.read(notices.listing)
    assert parked.state == "parked"
    assert "add [channels.phone]" in (parked.last_error or "")


async def test_a_fault_in_a_channel_stops_neither_the_others_nor_the_notice(
    db: Database, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    await db.run(put, "a")
    await db.run(put, "b", channel="mail")
    phone, mail = FakeChannel("phone", failures=[ZeroDivisionError()]), FakeChannel("mail")
    with caplog.at_level(logging.ERROR):
        await step(db, {"phone": phone, "mail": mail}, time)
    assert len(mail.taken) == 1
    assert states(db)[("ada", "phone")] == "pending"
    assert "unforeseen" in caplog.text


async def test_an_acknowledgement_stops_the_pages_that_still_wait(db: Database, time: Time) -> None:
    await db.run(put, ticket_id="t")
    phone = FakeChannel("phone", failures=[ChannelUnavailable("busy")])
    await step(db, {"phone": phone}, time, on_call=ON_CALL)
    await db.run(page_notices.cancel_for_ticket, "t")
    time.ns += 3600 * S
    assert await step(db, {"phone": phone, "mail": FakeChannel("mail")}, time, on_call=ON_CALL) == 0


async def test_a_channel_that_hangs_holds_up_nobody_else(db: Database, time: Time) -> None:
    for n in range(10):
        await db.run(put, f"p{n}")
    phone, mail = FakeChannel("phone"), FakeChannel("mail")
    phone.hold.clear()
    sender = Sender(db, {"phone": phone, "mail": mail}, now_ns=time, worker="w")
    assert await sender.step() == 4
    await db.run(put, "m", channel="mail")
    assert await sender.step() == 1
    async with asyncio.timeout(5):
        while not mail.taken:  # noqa: ASYNC110  it is filled on another thread
            await asyncio.sleep(0.005)
    assert phone.taken == []
    phone.hold.set()
    await sender.idle()
    while await sender.step():
        await sender.idle()
    assert len(phone.taken) == 10
    await sender.stop()


async def test_a_call_past_its_deadline_counts_as_failed(db: Database, time: Time) -> None:
    await db.run(put)
    phone = FakeChannel("phone", deadline_s=-0.9)  # a second of grace comes on top
    phone.hold.clear()
    sender = Sender(db, {"phone": phone}, now_ns=time, worker="w")
    await sender.step()
    await sender.idle()
    [waiting] = await db.read(notices.listing)
    assert waiting.state == "pending"
    assert "it may have arrived" in (waiting.last_error or "")
    phone.hold.set()
    await sender.stop()


async def test_what_came_of_each_notice_is_reported(db: Database, time: Time) -> None:
    await db.run(put, "a")
    await db.run(put, "b", channel="mail")
    told: list[tuple[str, str]] = []
    sender = Sender(
        db,
        {"phone": FakeChannel("phone"), "mail": FakeChannel("mail", failures=[ChannelRejected("no")])},
        now_ns=time,
        worker="w",
        on_settled=lambda channel, result: told.append((channel, result)),
    )
    await sender.step()
    await sender.idle()
    await sender.stop()
    assert sorted(told) == [("mail", "parked"), ("phone", "sent")]


async def test_a_collector_on_sqlite_sends_at_once_what_its_predecessor_had_claimed(db: Database, time: Time) -> None:
    await db.run(put)
    await db.run(notices.claim, 1, "killed", now_ns=time())
    phone = FakeChannel("phone")
    assert await step(db, {"phone": phone}, time) == (1 if db.is_sqlite else 0)  # elsewhere it may be alive


@pytest.mark.parametrize(
    "step_of_death", ["before claim", "after claim", "after send", "before settle", "after settle"]
)
async def test_a_collector_killed_at_any_step_still_tells_in_the_end(
    db: Database, time: Time, step_of_death: str
) -> None:
    """The road of one notice is claim, send, settle. Killed anywhere on it, the next process finishes the work."""
    notice_id = await db.run(put)
    phone = FakeChannel("phone")
    if step_of_death != "before claim":
        [taken] = await db.run(notices.claim, 1, "killed", now_ns=time())
    if step_of_death in ("after send", "before settle", "after settle"):
        phone.send(_notice(taken))
    if step_of_death == "after settle":
        await db.run(notices.settle_sent, taken, now_ns=time())

    survivor = Sender(db, {"phone": phone}, now_ns=time, worker="survivor")
    for _ in range(3):
        await survivor.step()
        await survivor.idle()
        time.ns += notices.LEASE_NS
    await survivor.stop()
    assert (await db.read(notices.get, notice_id)).state == "sent"
    assert {notice.id for notice in phone.taken} == {notice_id}
    assert len(phone.taken) == (2 if step_of_death in ("after send", "before settle") else 1)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_commit_that_fails_at_any_step_loses_no_notice(db_url: str, time: Time, nth: int) -> None:
    commits = 0

    def commit(tx: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits == nth:
            raise OSError(28, "No space left on device")
        tx.commit()

    first = Database(db_url, commit=commit)
    tables().create_all(first.engine)
    phone = FakeChannel("phone")
    sender = Sender(first, {"phone": phone}, now_ns=time, worker="first")
    try:
        await first.run(put)
        await sender.step()
        await sender.idle()
    except OSError:
        pass
    await sender.stop()
    first.close()

    second = Database(db_url)
    notice_id = await second.run(put)  # what decided writes it again after its own failure
    for _ in range(3):
        await step(second, {"phone": phone}, time)
        time.ns += notices.LEASE_NS
    assert (await second.read(notices.get, notice_id)).state == "sent"
    assert 1 <= len(phone.taken) <= 2
    second.close()


def _notice(stored: notices.StoredNotice) -> Any:
    from sitewarden_collector.channels.base import Notice

    names = ("id", "kind", "urgency", "person", "subject", "body", "created_ns")
    return Notice(**{name: getattr(stored, name) for name in names})


def test_the_on_call_list_of_the_configuration_is_the_one_that_routing_reads() -> None:
    parsed = config.parse('[[on_call]]\nname = "ada"\nchannels = ["phone"]\n[channels.phone]\nurl = "log:"\n')
    assert people(parsed.on_call) == (Person("ada", ("phone",)),)


async def test_what_a_site_wrote_forges_no_line_and_controls_no_screen(db: Database, time: Time) -> None:
    await db.run(put, subject="down\r\nBcc: mallory@example.com\x1b[2J", body="first\nsecond\x07\u202e")
    phone = FakeChannel("phone")
    await step(db, {"phone": phone}, time)
    [notice] = phone.taken
    assert notice.subject == "down Bcc: mallory@example.com\ufffd[2J"
    assert notice.body == "first\nsecond\ufffd\ufffd"
