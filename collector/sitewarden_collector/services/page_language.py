"""Notices in the language of whoever gets them: worded in English when booked, said in theirs when sent.

A ticket's title keeps the program's own words and takes what its rule calls the fault in that language; of a page's
body the first and the last paragraph are ours, the evidence between stays as the program wrote it. Not here: what a
sentence is in Chinese (`sentences`).
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.services.sentences import said, said_of_page
from sitewarden_collector.store import people, tickets
from sitewarden_collector.store.notices import StoredNotice

NEWS = {"recovered: ": "已恢复：", "MAJOR: ": "重大：", "again: ": "再次："}


def ticket_title(rulebook: Rulebook, ticket: Ticket, *, language: str) -> str:
    """The ticket's title, with what its rule calls the fault in that language; the program's own words stay."""
    rule = rulebook.named(ticket.rule) if ticket.rule else None
    if rule is None or not rule.title or not ticket.title.startswith(rule.title):
        return ticket.title
    return rule.guide(language).title + ticket.title.removeprefix(rule.title)


def in_their_language(tx: Connection, notice: StoredNotice, rulebook: Rulebook) -> tuple[StoredNotice, str]:
    """The notice as its person reads it, and in which language. Somebody who is not known reads English."""
    person = people.find(tx, notice.person)
    language = "en" if person is None else person.locale
    if language == "en":
        return notice, language
    ticket = None if notice.ticket_id is None else tickets.by_id(tx, notice.ticket_id)
    subject = notice.subject
    if ticket is not None:
        subject = subject.replace(ticket.title, ticket_title(rulebook, ticket, language=language))
        for english, chinese in NEWS.items():
            subject = subject.replace(f": {english}", f": {chinese}", 1)
    else:
        subject = said(subject, language)
    listed = notice.kind == "page" or (notice.kind == "recovery" and ticket is None)
    body = said_of_page(notice.body, language) if listed else said(notice.body, language)
    return replace(notice, subject=subject, body=body), language
