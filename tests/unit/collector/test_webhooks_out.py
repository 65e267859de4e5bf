"""Programs that are told of changes: signed, once in the queue, tried again, and never into our own network."""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sitewarden_alerting.model import Evidence, Policy, Signal, SignalKind, SignalState
from sitewarden_alerting.triage import decide
from sitewarden_collector.channels import outgoing
from sitewarden_collector.channels.outgoing import Answer
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, Conflict, Forbidden, Invalid, NotFound
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services import webhook_events, webhook_sending, webhook_signing, webhooks
from sitewarden_collector.services.desk import majors, problems, tasks
from sitewarden_collector.services.webhook_sending import WebhookSender
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.webhooks import Delivery, Message
from tests.cast import ACME, ADA, GLOBEX, HOUR, NOON, SECOND, FakeClock, settle_site
from tests.desk import SECRET
from tests.fakes.web import WebService

SERVICES = Path(webhooks.__file__).parent


def _subscribe(db: Database, url: str, *events: str, customer: str = "") -> webhooks.Made:
    return db.write_now(
        webhooks.subscribe, SECRET, url=url, events=events or ("*",), customer=customer, by=ADA, now_ns=NOON
    )


def _open_ticket(db: Database, fault: str = "fp1:a") -> str:
    site = db.write_now(settle_site)
    seen = Evidence("", "", 0, 0, NOON, "web-1", "payment failed")
    signal = Signal(
        rule="error-in-log",
        kind=SignalKind.LOG,
        site_id=site.id,
        customer_id=site.customer_id,
        fault=fault,
        subject=fault,
        state=SignalState.FIRING,
        severity=4,
        title="payment failed",
        reason="an error",
        at_ns=NOON,
        evidence=(seen,),
    )
    decided = decide([signal], (), (), Policy(), now_ns=NOON)
    db.write_now(ticketing.apply, decided, Policy(), now_ns=NOON)
    return "INC-1001"


def _all(db: Database) -> list[Delivery]:
    return list(reversed(db.read_now(stored.page, Window(100))))


async def _send(db: Database, *, at_ns: int = NOON, allow_private: bool = True) -> None:
    sender = WebhookSender(
        db, SECRET, now_ns=lambda: at_ns, allow_private=allow_private, deadline_s=2.0, jitter=lambda: 0.5
    )
    while await sender.step():
        await sender.idle()
    await sender.stop()


async def test_a_change_arrives_signed_and_with_the_ticket_as_it_is(db: Database) -> None:
    with WebService() as web:
        made = _subscribe(db, f"{web.origin}/hook?team=desk", "ticket.*")
        number = _open_ticket(db)
        db.write_now(ticketing.acknowledge, number, ADA, now_ns=NOON + SECOND)
        await _send(db, at_ns=NOON + SECOND)
    first, request = sorted(web.requests, key=lambda one: int(one.headers["webhook-sequence"]))
    assert [json.loads(one.body)["type"] for one in (first, request)] == ["ticket.open_ticket", "ticket.acknowledge"]
    said = json.loads(request.body)
    assert said["timestamp"] == "2026-11-24T12:00:01Z"
    assert said["data"]["ticket"]["number"] == number
    assert said["data"]["ticket"]["assignee"] == ADA
    assert said["data"]["event"] == {"what": "acknowledge", "by": ADA, "text": f"acknowledged by {ADA}", "data": {}}
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    right = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{right}"
    assert [one.state for one in _all(db)] == ["delivered", "delivered"]


def test_only_what_was_asked_for_is_told(db: Database) -> None:
    db.write_now(settle_site)
    db.write_now(settle_site, "globex-osaka", GLOBEX)
    wanted = _subscribe(db, "https://a.example.com/", "ticket.resolve_*").subscription
    _subscribe(db, "https://b.example.com/", customer=GLOBEX)
    mine = _subscribe(db, "https://c.example.com/", customer=ACME).subscription
    number = _open_ticket(db)
    db.write_now(ticketing.resolve, number, ADA, "restarted", now_ns=NOON)
    told = {(one.subscription_id, one.event) for one in _all(db)}
    assert told == {
        (wanted.id, "ticket.resolve_ticket"),
        (mine.id, "ticket.open_ticket"),
        (mine.id, "ticket.resolve_ticket"),
    }


def test_a_change_that_is_taken_back_tells_nobody(db: Database) -> None:
    _subscribe(db, "https://a.example.com/")
    number = _open_ticket(db)
    before = len(_all(db))

    def half(tx: object) -> None:
        ticketing.acknowledge(tx, number, ADA, now_ns=NOON)  # type: ignore[arg-type]
        raise RuntimeError("died in the middle")

    with pytest.raises(RuntimeError):
        db.write_now(half)
    assert len(_all(db)) == before


async def test_what_does_not_arrive_is_tried_for_about_a_day_and_then_parked(db: Database) -> None:
    with WebService(status=500) as web:
        made = _subscribe(db, f"{web.origin}/hook").subscription
        db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
        now, attempts = NOON, 0
        while (message := _all(db)[0]).state == "pending":
            now = message.next_attempt_ns
            await _send(db, at_ns=now)
            attempts += 1
    assert message.state == "parked"
    assert (message.status, message.last_error) == (500, "answered 500")
    assert 20 * HOUR < now - NOON < 36 * HOUR
    assert len(web.requests) == attempts == len(webhook_sending.WAITS_NS) + 1
    assert len({one.headers["webhook-id"] for one in web.requests}) == 1
    again = db.write_now(webhooks.retry, message.id, now_ns=now)
    assert (again.state, again.attempts) == ("pending", 0)
    with pytest.raises(Conflict, match="on its way"):
        db.write_now(webhooks.retry, message.id, now_ns=now)


async def test_a_receiver_that_is_gone_is_told_no_more(db: Database) -> None:
    with WebService(status=410) as web:
        made = _subscribe(db, f"{web.origin}/hook").subscription
        db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
        await _send(db)
    assert _all(db)[0].state == "parked"
    assert not db.read_now(stored.get, made.id).active
    _open_ticket(db)
    assert len(_all(db)) == 1
    assert db.write_now(webhooks.switch, made.id, active=True, by=ADA).active


async def test_redirects_are_not_followed(db: Database) -> None:
    with WebService() as other, WebService(status=302, location=f"{other.origin}/") as web:
        made = _subscribe(db, f"{web.origin}/hook").subscription
        db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
        await _send(db)
    assert other.requests == []
    assert "redirects are not followed" in _all(db)[0].last_error


async def test_our_own_network_is_not_told_unless_the_configuration_says_so(db: Database) -> None:
    with WebService() as web:
        made = _subscribe(db, f"{web.origin}/hook").subscription
        db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
        await _send(db, allow_private=False)
    assert web.requests == []
    assert (_all(db)[0].state, _all(db)[0].status) == ("parked", None)
    assert "webhooks.allow_private" in _all(db)[0].last_error


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.9.9",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "192.0.2.1",
    ],
)
def test_no_way_of_writing_a_private_address_passes(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize("url", ["http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://localhost/"])
def test_names_and_numbers_that_stand_for_this_host_are_refused(url: str) -> None:
    with pytest.raises((ChannelRejected, ChannelUnavailable)):
        outgoing.post(url, b"{}", headers={}, deadline_s=1.0)


@pytest.mark.parametrize(
    "url", ["ftp://a.example.com/", "https://", "https://u:p@a.example.com/", "https://a b/", "https://a:99999/", "x"]
)
def test_an_address_that_can_not_be_told_is_refused_at_once(db: Database, url: str) -> None:
    with pytest.raises(Invalid):
        _subscribe(db, url)


def test_a_customer_that_is_not_there_is_refused(db: Database) -> None:
    with pytest.raises(NotFound, match="no customer"):
        _subscribe(db, "https://a.example.com/", customer="initech")


def test_a_message_with_the_same_id_is_written_once(db: Database) -> None:
    made = _subscribe(db, "https://a.example.com/").subscription
    for _ in range(2):
        db.write_now(webhooks.enqueue, made.id, "tracker.open", {}, message_id="msg_1", now_ns=NOON)
    assert len(_all(db)) == 1


def test_a_flood_of_one_customer_delays_nobody_else(db: Database) -> None:
    made = _subscribe(db, "https://hooks.example.com/x").subscription

    def write(tx: Connection, customer_id: str, number: int) -> None:
        some = [
            Message(made.id, f"msg_{customer_id}{i}", "ticket.close_ticket", "INC-1", "{}", customer_id)
            for i in range(number)
        ]
        stored.enqueue(tx, some, now_ns=NOON)

    db.write_now(write, GLOBEX, 2 * stored.CLAIM_LOOK)
    db.write_now(write, ACME, 3)
    taken = db.write_now(stored.claim, 4, now_ns=NOON, per_subscription=8, busy={})
    assert [one.message_id for one in taken] == ["msg_globex0", "msg_acme0", "msg_globex1", "msg_acme1"]


async def test_two_senders_send_a_message_once(db: Database) -> None:
    clock = FakeClock()
    with WebService() as web:
        made = _subscribe(db, f"{web.origin}/hook").subscription
        for _ in range(6):
            db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
        senders = [WebhookSender(db, SECRET, now_ns=clock.now_ns, allow_private=True) for _ in range(2)]
        while sum([await sender.step() for sender in senders]):
            for sender in senders:
                await sender.idle()
        for sender in senders:
            await sender.stop()
    assert len(web.requests) == 6


def test_a_claim_that_was_never_settled_comes_back_after_its_lease(db: Database) -> None:
    made = _subscribe(db, "https://a.example.com/").subscription
    db.write_now(webhooks.test, made.id, by=ADA, now_ns=NOON)
    [first] = db.write_now(stored.claim, 8, now_ns=NOON, per_subscription=2, busy={})
    assert db.write_now(stored.claim, 8, now_ns=NOON + SECOND, per_subscription=2, busy={}) == []
    [second] = db.write_now(stored.claim, 8, now_ns=NOON + stored.LEASE_NS, per_subscription=2, busy={})
    assert second == replace(first, attempts=2, claimed_ns=NOON + stored.LEASE_NS)
    late = db.write_now(webhook_sending.settle, first, Answer(200, b""), jitter=0.5, now_ns=NOON)
    assert late == "overtaken"


def test_a_receiver_that_asks_for_patience_gets_it() -> None:
    asked = webhook_sending.next_attempt(1, Answer(429, b"", "120"), jitter=0.5, now_ns=NOON)
    assert asked == NOON + 120 * SECOND
    endless = webhook_sending.next_attempt(1, Answer(503, b"", "99999999999"), jitter=0.5, now_ns=NOON)
    assert endless == NOON + HOUR


def test_secrets_rest_sealed_and_show_in_no_representation(db: Database) -> None:
    made = _subscribe(db, "https://a.example.com/token-in-path")
    kept = db.read_now(stored.get, made.subscription.id)
    assert made.secret not in kept.secret
    assert webhooks.unsealed(SECRET, kept) == made.secret
    assert "token-in-path" not in repr(kept)


def test_a_signature_is_checked_as_it_is_made() -> None:
    secret = webhook_signing.new_secret()
    headers = webhook_signing.headers(secret, "msg_1", b"{}", now_ns=NOON)
    assert webhook_signing.verify(secret, headers, b"{}", now_ns=NOON + SECOND) == "msg_1"
    two = headers | {"webhook-signature": f"v1,b2xk {headers['webhook-signature']}"}
    assert webhook_signing.verify(secret, two, b"{}", now_ns=NOON) == "msg_1"
    for wrong in (
        headers | {"webhook-signature": "v1,"},
        headers | {"webhook-id": "msg_2"},
        headers | {"webhook-timestamp": "x"},
        {},
    ):
        with pytest.raises(Forbidden):
            webhook_signing.verify(secret, wrong, b"{}", now_ns=NOON)
    with pytest.raises(Forbidden, match="clock"):
        webhook_signing.verify(secret, headers, b"{}", now_ns=NOON + HOUR)


def test_the_example_of_standard_webhooks_is_signed_as_there() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = webhook_signing.headers(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, now_ns=1_614_265_330 * 1_000_000_000
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_event_of_a_ticket_that_is_told_has_its_name_and_what_it_says() -> None:
    words = set()
    for path in SERVICES.rglob("*.py"):
        if "problems" not in path.name:
            words |= set(re.findall(r'(?:noted|written|_keep|Event)\([^"]*?"([a-z]+_[a-z_]+)"', path.read_text()))
    assert len(words) > 20
    known = webhook_events.every()
    missing = {word for word in words for name in webhook_events.names_of(word) if name not in known}
    assert missing <= {"visit_id"}


def test_one_fact_is_told_once_under_the_first_name_that_is_wanted(db: Database) -> None:
    db.write_now(settle_site)
    every = _subscribe(db, "https://a.example.com/", "*").subscription
    of_majors = _subscribe(db, "https://b.example.com/", "major.*").subscription
    number = _open_ticket(db)
    db.write_now(majors.declare, number, "nobody can order", by=ADA, now_ns=NOON)
    told = {(one.subscription_id, one.event) for one in _all(db) if "major" in one.event}
    assert told == {(every.id, "ticket.set_major"), (of_majors.id, "major.declare")}


def test_on_call_is_told_to_those_who_hear_of_all_customers(db: Database) -> None:
    db.write_now(settle_site)
    ours = _subscribe(db, "https://a.example.com/", "oncall.*").subscription
    _subscribe(db, "https://b.example.com/", "oncall.*", customer=ACME)
    number = _open_ticket(db)
    db.write_now(ticketing.acknowledge, number, ADA, now_ns=NOON)
    told = [(one.subscription_id, one.event) for one in _all(db)]
    assert (ours.id, "oncall.acknowledge") in told
    assert {subscription for subscription, _ in told} == {ours.id}


def test_the_work_on_a_problem_is_told(db: Database) -> None:
    _subscribe(db, "https://a.example.com/", "problem.*")
    made = db.write_now(problems.open_problem, "orders hang", by=ADA, now_ns=NOON)
    task = db.write_now(problems.add_task, made.number, "change the pool", ADA, NOON + HOUR, by=ADA, now_ns=NOON)
    db.write_now(tasks.finish, task.id, by=ADA, now_ns=NOON)
    assert [one.event for one in _all(db)] == ["problem.open_problem", "problem.add_task", "problem.finish_task"]
    assert json.loads(_all(db)[0].payload)["data"]["problem"]["number"] == made.number


def test_the_same_occasion_is_told_once(db: Database) -> None:
    _subscribe(db, "https://a.example.com/", "oncall.gap")
    for _ in range(3):
        db.write_now(webhooks.announce, "oncall.gap", {}, ref="", ours_only=True, occasion="gap:1", now_ns=NOON)
    assert len(_all(db)) == 1


async def test_for_a_day_after_a_change_messages_carry_the_signatures_of_both_secrets(db: Database) -> None:
    with WebService() as web:
        made = _subscribe(db, f"{web.origin}/hook")
        again = db.write_now(webhooks.rotate, SECRET, made.subscription.id, now_ns=NOON)
        assert again.secret != made.secret
        for at_ns in (NOON + HOUR, NOON + 25 * HOUR):
            db.write_now(webhooks.test, made.subscription.id, by=ADA, now_ns=at_ns)
            await _send(db, at_ns=at_ns)
    first, second = web.requests
    given = {name.lower(): value for name, value in first.headers.items()}
    for secret in (made.secret, again.secret):
        webhook_signing.verify(secret, given, first.body, now_ns=NOON + HOUR)
    later = {name.lower(): value for name, value in second.headers.items()}
    webhook_signing.verify(again.secret, later, second.body, now_ns=NOON + 25 * HOUR)
    with pytest.raises(Forbidden):
        webhook_signing.verify(made.secret, later, second.body, now_ns=NOON + 25 * HOUR)
