"""Answers to pages in a real mailbox: they acknowledge, and nothing else that arrives there does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from sitewarden_collector.config import Mailbox
from sitewarden_collector.errors import MailboxUnavailable
from sitewarden_collector.loops import every
from sitewarden_collector.services import mail_replies
from sitewarden_collector.services.html_text import text_of
from sitewarden_collector.services.mail_replies import Mail, token_in
from sitewarden_collector.store.engine import Database
from tests.cast import ADA, NOON, FakeClock
from tests.desk import SECRET
from tests.fakes.imap import PASSWORD, USER, MailboxService
from tests.unit.collector.test_acknowledging import ADDRESS, assignee, page

OUTLOOK = """<html><head><style>p { color: red }</style></head><body><p>Ack, on my way</p><hr>
<div id="divRplyFwdMsg"><b>From:</b> Sitewarden</div>
<p>payment failed<br>Acknowledge: <a href="%s">here</a></p></body>"""
GMAIL = """<div dir="ltr">%s</div><br><div class="gmail_quote"><div>On Tue, Sitewarden wrote:<br></div>
<blockquote>ack by this link:<br><a href="%s">take it</a></blockquote></div>"""


@pytest.fixture
def box() -> Iterator[MailboxService]:
    with MailboxService() as service:
        yield service


def settings(box: MailboxService, *, password: str = PASSWORD) -> Mailbox:
    return Mailbox(host="127.0.0.1", port=box.port, tls=False, user=USER, password=password)


def mail(said: str, link: str, *, html: str = "", **headers: str) -> bytes:
    """A reply as a mail program writes it; `html` in the place of the text."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.com>", USER, "Re: [INC-1001] payment failed"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    quoted = f"> [INC-1001] payment failed\n> Acknowledge: {link}\n"
    if html:
        made.set_content(html, subtype="html")
    else:
        made.set_content(f"{said}\n\nOn Tue, Nov 24, 2026 at 3:10 AM Sitewarden <desk@example.com> wrote:\n{quoted}")
    return made.as_bytes()


async def answers(db: Database, box: MailboxService) -> int:
    return await mail_replies.answers(db, SECRET, settings(box), now_ns=lambda: NOON)


async def test_an_answer_in_the_mailbox_acknowledges_and_is_handled_once(db: Database, box: MailboxService) -> None:
    ticket_id, token = await page(db)
    box.deliver(mail("ack", f"{ADDRESS}/a/{token}"))
    assert await answers(db, box) == 1
    assert await assignee(db, ticket_id) == ADA
    assert [one.seen for one in box.mails] == [True]
    fetched = box.commands.count("FETCH")
    assert await answers(db, box) == 0
    assert box.commands.count("FETCH") == fetched


async def test_what_is_no_answer_takes_nothing_and_is_read_once(db: Database, box: MailboxService) -> None:
    ticket_id, token = await page(db)
    link = f"{ADDRESS}/a/{token}"
    box.deliver(mail("", link))  # the quotation alone
    box.deliver(mail("Who can look at this?\n\nack", link))
    box.deliver(mail("ack: I am away until Monday", link, Auto_Submitted="auto-replied"))
    box.deliver(mail("ack", link, Precedence="bulk"))
    box.deliver(mail("ack", link, X_Failed_Recipients="ada@example.com"))
    box.deliver(mail("ack", f"{ADDRESS}/a/{token[:-6]}AAAAAA"))
    box.deliver(mail("ack", "no link at all"))
    assert await answers(db, box) == 0
    assert await assignee(db, ticket_id) == ""
    assert all(one.seen for one in box.mails)


@pytest.mark.parametrize("html", [OUTLOOK, GMAIL % ("Ack", "%s"), "<p>确认</p><blockquote>%s</blockquote>"])
async def test_a_mail_that_is_html_alone_is_read_as_it_is_seen(db: Database, box: MailboxService, html: str) -> None:
    ticket_id, token = await page(db)
    box.deliver(mail("", "", html=html % f"{ADDRESS}/a/{token}"))
    assert await answers(db, box) == 1
    assert await assignee(db, ticket_id) == ADA


def test_what_html_quotes_is_no_answer() -> None:
    link = f"{ADDRESS}/a/{'t' * 50}"
    for said in ("", "what is this?"):
        assert token_in(Mail("Re: page", text_of(GMAIL % (said, link)), {})) is None
    assert token_in(Mail("Re: page", text_of(f"<blockquote>ack</blockquote><p>{link}</p>"), {})) is None


async def test_an_answer_that_was_read_but_not_applied_before_a_crash_is_read_again(
    db: Database, box: MailboxService
) -> None:
    ticket_id, token = await page(db)
    box.deliver(mail("ack", f"{ADDRESS}/a/{token}"))
    assert len(mail_replies.fetch(settings(box))) == 1  # and the collector dies here
    assert await answers(db, box) == 1
    assert await assignee(db, ticket_id) == ADA


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE"])
async def test_a_server_that_goes_away_says_so_and_no_answer_is_lost(
    db: Database, box: MailboxService, command: str
) -> None:
    ticket_id, token = await page(db)
    box.deliver(mail("ack", f"{ADDRESS}/a/{token}"))
    box.dies_at = {command}
    with pytest.raises(MailboxUnavailable, match=f"mailbox {USER} at 127.0.0.1:"):
        await answers(db, box)
    box.dies_at = set()
    await answers(db, box)
    assert await assignee(db, ticket_id) == ADA
    assert box.mails[0].seen


async def test_the_loop_goes_on_when_the_mailbox_refuses(db: Database, box: MailboxService) -> None:
    tries: list[int] = []

    async def step() -> None:
        tries.append(len(tries))
        if len(tries) > 2:
            raise KeyboardInterrupt
        password = "wrong" if len(tries) == 1 else PASSWORD
        await mail_replies.answers(db, SECRET, settings(box, password=password), now_ns=lambda: NOON)

    with pytest.raises(KeyboardInterrupt):
        await every(20.0, step, name="mailbox", clock=FakeClock())
    assert box.commands.count("SEARCH") == 1


async def test_a_password_does_not_stand_in_the_error(
    db: Database, box: MailboxService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(MailboxUnavailable) as caught:
        await mail_replies.answers(db, SECRET, settings(box, password="wrong horse"), now_ns=lambda: NOON)
    assert "wrong horse" not in f"{caught.value}{caught.value.__cause__}{caplog.text}"
