"""The text of a mail that is HTML alone, with what it quotes marked as in plain mails: by `> `.

Addresses of links stand behind their words where they may hold a token. Not here: what the text says
(`services.mail_replies`).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

UNSEEN = ("style", "script", "head", "title")
BREAKS = ("br", "p", "div", "tr", "li", "hr", "h1", "h2", "h3", "table", "blockquote", "pre")
QUOTES = re.compile(r"gmail_quote|yahoo_quoted|moz-cite-prefix|divRplyFwdMsg|appendonsend|OutlookMessageHeader")


def text_of(html: str) -> str:
    """What a reader sees of a page, line by line."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).splitlines()]
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0
        self._quoted = False  # from the first quotation to the end: replies stand above what they answer

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in UNSEEN:
            self._unseen += 1
        if tag == "blockquote" or QUOTES.search(f"{given.get('class')} {given.get('id')}"):
            self._quoted = True
        if tag in BREAKS:
            self._newline()
        if tag == "a" and "/a/" in (given.get("href") or ""):
            self.parts.append(f" {given['href']} ")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        if tag in BREAKS:
            self._newline()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(" ".join(data.split("\n")))

    def _newline(self) -> None:
        self.parts.append("\n> " if self._quoted else "\n")
