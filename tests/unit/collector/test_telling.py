"""What is decided is told at once: claimed in the transaction that wrote it, and not a moment before that has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import webhooks
from sitewarden_collector.services.notifying import Sender
from sitewarden_collector.services.telling import Telling
from sitewarden_collector.services.webhook_sending import WebhookSender
from sitewarden_collector.store import notices
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.pages import Window
from tests.cast import ADA, NOON, SECOND
from tests.fakes.channels import FakeChannel
from tests.fakes.web import WebService

SECRET = Fernet(Fernet.generate_key())


class Desk:
    """A sender that has begun its work, and what decides beside it."""

    def __init__(self, db: Database, *channels: FakeChannel) -> None:
        self.sender = Sender(db, {one.name: one for one in channels}, now_ns=lambda: NOON, worker="w")
        self.telling = Telling(db, (self.sender,))

    async def close(self) -> None:
        await self.sender.idle()
        await self.sender.stop()


def put(tx: Connection, /, key: str = "k", **changes: Any) -> str:
    given = {"kind": "page", "person": ADA, "channel": "phone", "subject": "INC-1", "body": "down"}
    return notices.add(tx, **(given | {"dedup_key": key, "now_ns": NOON} | changes))  # type: ignore[arg-type]


async def test_a_notice_is_under_way_when_its_decision_is_written(db: Database) -> None:
    phone = FakeChannel("phone")
    desk = Desk(db, phone)
    await desk.sender.step()
    notice_id = await desk.telling.run_alone(put)
    await desk.sender.idle()
    assert [one.id for one in phone.taken] == [notice_id]
    assert (await db.read(notices.get, notice_id)).state == "sent"
    assert await desk.sender.step() == 0
    await desk.close()


async def test_what_is_taken_back_is_told_to_nobody(db: Database) -> None:
    def half(tx: Connection) -> None:
        put(tx)
        raise Conflict("died in the middle")

    phone = FakeChannel("phone")
    desk = Desk(db, phone)
    await desk.sender.step()
    with pytest.raises(Conflict):
        await desk.telling.run_alone(half)
    await desk.sender.step()
    await desk.close()
    assert phone.taken == []


async def test_what_there_is_no_room_for_waits_for_the_next_step(db: Database) -> None:
    """One channel hangs: it never holds more than its own few places, whoever claims."""

    def many(tx: Connection) -> None:
        for number in range(10):
            put(tx, f"p{number}")

    phone = FakeChannel("phone")
    phone.hold.clear()
    desk = Desk(db, phone)
    await desk.sender.step()
    await desk.telling.run_alone(many)
    await desk.telling.run_alone(put, "one more")
    assert await desk.sender.step() == 0
    states = [one.state for one in await db.read(notices.listing)]
    assert (states.count("sending"), states.count("pending")) == (4, 7)
    assert desk.sender.crowded
    phone.hold.set()
    await desk.sender.idle()
    while await desk.sender.step():
        await desk.sender.idle()
    await desk.close()
    assert len(phone.taken) == len({one.id for one in phone.taken}) == 11


async def test_nothing_is_claimed_before_the_claims_of_a_process_that_is_no_more_were_freed(db: Database) -> None:
    phone = FakeChannel("phone")
    desk = Desk(db, phone)
    await desk.telling.run_alone(put)
    assert [one.state for one in await db.read(notices.listing)] == ["pending"]
    assert await desk.sender.step() == 1
    await desk.close()
    assert len(phone.taken) == 1


async def test_decisions_and_steps_at_once_send_each_notice_once(db: Database) -> None:
    phone, mail = FakeChannel("phone"), FakeChannel("mail")
    desk = Desk(db, phone, mail)
    await desk.sender.step()
    for number in range(30):
        channel = "phone" if number % 2 else "mail"
        await asyncio.gather(desk.telling.run_alone(put, f"n{number}", channel=channel), desk.sender.step())
    await desk.sender.idle()
    while await desk.sender.step():
        await desk.sender.idle()
    await desk.close()
    assert len({one.id for one in (*phone.taken, *mail.taken)}) == len(phone.taken) + len(mail.taken) == 30


async def test_webhooks_are_told_the_same_way(db: Database) -> None:
    with WebService() as web:
        made = await db.run(webhooks.subscribe, SECRET, url=f"{web.origin}/hook", events=("*",), by=ADA, now_ns=NOON)
        sender = WebhookSender(db, SECRET, now_ns=lambda: NOON + SECOND, allow_private=True)
        telling = Telling(db, (sender,))
        await telling.run_alone(webhooks.test, made.subscription.id, by=ADA, now_ns=NOON)
        await sender.idle()
        await sender.stop()
    assert len(web.requests) == 1
    assert [one.state for one in await db.read(stored.page, Window(10))] == ["delivered"]
