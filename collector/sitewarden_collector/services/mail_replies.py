"""Acknowledging by answering a page's mail: the mailbox is read, and a reply of `ack` or `确认` takes its tickets.

What the person wrote themselves is told apart from what they quoted. The token of the page's link stands in the quoted
part (or in the subject), and is all that is trusted: a sender's address can be forged. Answers of machines (bounces,
notes of absence, lists) are passed over, whatever they quote: a note of absence is no acknowledgement.

Not here: what a token opens (`services.acknowledging`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from imaplib import IMAP4

from cryptography.fernet import Fernet
from imap_tools import AND, BaseMailBox, ImapToolsError, MailBox, MailBoxUnencrypted, MailMessage
from mailparser_reply import EmailReplyParser
from sqlalchemy import Connection

from sitewarden_collector.config import Mailbox
from sitewarden_collector.errors import MailboxUnavailable, NotFound, Transient
from sitewarden_collector.services import acknowledging
from sitewarden_collector.services.html_text import text_of
from sitewarden_collector.store.engine import Database

AT_ONCE = 50
TEXT_MAX_CHARS = 100_000
TIMEOUT_S = 20.0
LANGUAGES = ["en", "de", "fr", "ja", "zh"]
_TOKEN = re.compile(r"/a/([A-Za-z0-9_-]{40,80})\b")
_WORD = re.compile(r"^\W*(ack|acknowledged?|taken|确认|收到|接手)(?!\w)", re.IGNORECASE)
_QUOTED = re.compile(r"^\s*(>|-{3,}\s*(original|原始)|on .{5,200} wrote:|在.{3,200}写道|from:\s|发件人)", re.IGNORECASE)

_log = logging.getLogger("sitewarden.mail")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as far as it matters here. Names of `headers` are in lower case."""

    subject: str
    text: str
    headers: Mapping[str, str]
    sender: str = ""
    uid: str = ""  # its number in the mailbox


def token_in(mail: Mail) -> str | None:
    """The token of the page that this mail acknowledges; None when it is no such reply."""
    if is_automatic(mail):
        return None
    text = mail.text[:TEXT_MAX_CHARS]
    found = _TOKEN.search(mail.subject) or _TOKEN.search(_unwrapped(text))
    if found is None or _WORD.match(said_in(text)) is None:
        return None
    return found[1]


def said_in(text: str) -> str:
    """What the writer said themselves, without what they quoted."""
    parsed = EmailReplyParser(languages=LANGUAGES).parse_reply(text=text) or ""
    own = []
    for line in parsed.splitlines():
        if _QUOTED.match(line) or _TOKEN.search(line):
            break
        own.append(line)
    return "\n".join(own).strip()


def is_automatic(mail: Mail) -> bool:
    """Whether a machine wrote it: RFC 3834 and what is usual beside it."""
    headers = mail.headers
    stated = headers.get("auto-submitted", "no").strip().lower()
    if stated and not stated.startswith("no"):
        return True
    if headers.get("precedence", "").strip().lower() in ("bulk", "junk", "list", "auto_reply"):
        return True
    if any(name in headers for name in ("x-autoreply", "x-autorespond", "list-id", "x-failed-recipients")):
        return True
    if "multipart/report" in headers.get("content-type", "").lower():
        return True
    return headers.get("return-path", "-").strip() == "<>" or mail.sender.lower().startswith(
        ("mailer-daemon", "postmaster")
    )


def take(tx: Connection, secret: Fernet, token: str, *, now_ns: int) -> tuple[str, ...]:
    """Acknowledge what a reply's token is about; the numbers that were free until then. Unknown tokens are nobody's."""
    try:
        asked = acknowledging.acknowledge(tx, secret, token, now_ns=now_ns, by_way_of="mail")
    except NotFound:
        return ()
    return tuple(ticket.number for ticket in asked.open)


async def read(db: Database, secret: Fernet, mails: Iterable[Mail], *, now_ns: Callable[[], int]) -> int:
    """Let what the mails say have its effect; how many tickets were taken."""
    taken = 0
    for mail in mails:
        try:
            token = token_in(mail)
            numbers = () if token is None else await db.run(take, secret, token, now_ns=now_ns())
        except Transient:
            raise  # later: nothing is lost
        except Exception as error:  # noqa: BLE001  one mail that nobody foresaw must not keep the others waiting
            _log.error("a mail in the mailbox could not be read as an answer; it is passed over", exc_info=error)
            continue
        taken += len(numbers)
        if numbers:
            _log.info("acknowledged by mail: %s", ", ".join(numbers))
    return taken


async def answers(db: Database, secret: Fernet, config: Mailbox, *, now_ns: Callable[[], int]) -> int:
    """Let the unread mails of the mailbox have their effect, then mark them as read; how many tickets were taken.

    In this order: a collector that dies in between reads an answer again, which changes nothing, and loses none.
    Raises MailboxUnavailable.
    """
    mails = await asyncio.to_thread(fetch, config)
    taken = await read(db, secret, mails, now_ns=now_ns)
    if mails:
        await asyncio.to_thread(mark_read, config, [mail.uid for mail in mails])
    return taken


def fetch(config: Mailbox) -> list[Mail]:
    """The unread mails of the mailbox, which stay unread. Blocks. Raises MailboxUnavailable."""
    with _opened(config) as box:
        return [_mail(one) for one in box.fetch(AND(seen=False), limit=AT_ONCE, mark_seen=False, bulk=False)]


def mark_read(config: Mailbox, uids: Sequence[str]) -> None:
    """Let these mails be read ones. Blocks. Raises MailboxUnavailable."""
    with _opened(config) as box:
        answer, said = box.client.uid("STORE", ",".join(uids), "+FLAGS", "(\\Seen)")
        if answer != "OK":
            raise IMAP4.error(f"the server does not mark mails as read: {said!r}")


@contextmanager
def _opened(config: Mailbox) -> Iterator[BaseMailBox]:
    kind = MailBox if config.tls else MailBoxUnencrypted
    try:
        with kind(config.host, config.port, timeout=TIMEOUT_S) as box:
            yield box.login(config.user, config.password, config.folder)
    except (OSError, IMAP4.error, ImapToolsError) as error:
        raise MailboxUnavailable(
            f"the mailbox {config.user} at {config.host}:{config.port} could not be read ({error}): answers to pages "
            "wait there; look at [mailbox] in the configuration should this go on"
        ) from error


def _mail(one: MailMessage) -> Mail:
    return Mail(
        subject=one.subject,
        text=one.text if one.text.strip() else text_of(one.html[:TEXT_MAX_CHARS]),
        headers={name.lower(): " ".join(values) for name, values in dict(one.headers).items()},
        sender=one.from_,
        uid=one.uid or "",
    )


def _unwrapped(text: str) -> str:
    """The text with lines joined that a mail program broke and quoted, so that a long link is whole again."""
    return re.sub(r"(?<=[A-Za-z0-9_/-])=?\r?\n>?[ \t]?(?=[A-Za-z0-9_-]{8,})", "", text)
