"""Acknowledging without signing in: by the link in a page, by a reply to its mail, by a webhook, each with its token.

A token names one notice and when it ends, and is signed (HMAC-SHA256). The key is random, made once, and rests
encrypted under the secret of the installation. Whoever has a token can take the tickets of that notice in the name of
the person it was sent to, and nothing else. Looking at a token changes nothing; acknowledging again says who was first.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_alerting.model import DAY_NS, SECOND_NS, Ticket
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import audit, pages
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import accounts, lock, notices, people, settings, tickets
from sitewarden_collector.store.notices import StoredNotice

SETTING = "link_key"
VALID_NS = 3 * DAY_NS
MAC_BYTES = 16
INVALID = "this link is not valid, or its time is over: sign in, or type `sitewarden ticket ack NUMBER`"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a token is about. `by` is whoever acknowledged already, where all of the tickets are taken."""

    person: str
    locale: str
    tickets: tuple[Ticket, ...]
    open: tuple[Ticket, ...]  # those that nobody has acknowledged

    @property
    def by(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.assignee for one in self.tickets if one.assignee))


def link_key(tx: Connection, secret: Fernet) -> bytes:
    """The key that tokens are signed under, made when there is none."""
    if settings.get(tx, SETTING) is None:
        lock.in_turn(tx, SETTING)  # of several collectors that are started at once, one makes it
    stored = settings.get(tx, SETTING)
    if stored is None:
        stored = secret.encrypt(secrets.token_bytes(32)).decode()
        settings.put(tx, SETTING, stored)
    return secret.decrypt(stored.encode())


def token(key: bytes, notice_id: str, *, now_ns: int) -> str:
    """What lets its bearer acknowledge the tickets of a notice for `VALID_NS`."""
    said = uuid.UUID(notice_id).bytes + ((now_ns + VALID_NS) // SECOND_NS).to_bytes(5, "big")
    return base64.urlsafe_b64encode(said + _mac(key, said)).decode().rstrip("=")


def notice_of(key: bytes, text: str, *, now_ns: int) -> str:
    """The id of the notice that a token names. Raises NotFound when it is not ours or its time is over."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise NotFound(INVALID) from error
    said, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if len(said) != 21 or not hmac.compare_digest(mac, _mac(key, said)):
        raise NotFound(INVALID)
    if int.from_bytes(said[16:], "big") * SECOND_NS < now_ns:
        raise NotFound(INVALID)
    return str(uuid.UUID(bytes=said[:16]))


def footer(key: bytes, public_url: str, *, now_ns: Callable[[], int]) -> Callable[[StoredNotice], str]:
    """What stands below a page: the link that acknowledges it. Nothing where the desk has no public address."""

    def below(notice: StoredNotice) -> str:
        if notice.kind != "page" or not public_url:
            return ""
        return f"\n\nAcknowledge: {public_url}/a/{token(key, notice.id, now_ns=now_ns())}"

    return below


def look(tx: Connection, secret: Fernet, text: str, *, now_ns: int) -> Asked:
    """What a token is about; changes nothing. Raises NotFound."""
    stored = settings.get(tx, SETTING)
    if stored is None:
        raise NotFound(INVALID)
    notice = notices.get(tx, notice_of(secret.decrypt(stored.encode()), text, now_ns=now_ns))
    account = accounts.find(tx, notice.person)
    if account is not None and account.disabled_ns is not None:
        raise NotFound(INVALID)  # who has left takes nothing any more, whatever lies in their mailbox
    found = [tickets.by_id(tx, ticket_id) for ticket_id in pages.tickets_in(tx, notice)]
    there = tuple(ticket for ticket in found if ticket is not None)
    person = people.find(tx, notice.person)
    free = tuple(one for one in there if one.is_open and one.acknowledged_ns is None)
    return Asked(notice.person, "en" if person is None else person.locale, there, free)


def acknowledge(tx: Connection, secret: Fernet, text: str, *, now_ns: int, by_way_of: str = "link") -> Asked:
    """Take what a token is about, in the name of the person it was sent to: what was free until then is in `open`.

    Raises NotFound. What somebody else has taken meanwhile stays theirs.
    """
    asked = look(tx, secret, text, now_ns=now_ns)
    for ticket in asked.open:
        current = tickets.by_id(tx, ticket.id, for_update=True)
        if current is not None and current.is_open and current.acknowledged_ns is None:
            ticketing.acknowledge(tx, current.number, asked.person, now_ns=now_ns)
            said = {"by_way_of": by_way_of}
            whose = current.customer_id
            audit.note(tx, asked.person, "acknowledge", current.number, customer_id=whose, data=said, now_ns=now_ns)
    return asked


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.new(key, said, sha256).digest()[:MAC_BYTES]
