"""Recoveries put together, by the rules by which pages are: a storm that is over is told in a few notices.

The first few of a minute go out each by itself. Further ones wait for each other in a digest, in a storm over the whole
collector for longer. Not here: that somebody is told (`services.paging`), what a digest says (`services.pages`), and
the rows (`store.digests`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from sitewarden_alerting import routing
from sitewarden_collector.services.page_book import (
    ALONE_MAX,
    BUNDLE_WAIT_NS,
    STORM_TICKETS,
    STORM_WAIT_NS,
    WINDOW_NS,
)
from sitewarden_collector.store import digests, notices
from sitewarden_collector.store.base import new_id


@dataclass(slots=True)
class Digests:
    """The digests of one transaction; what was looked up holds until its end."""

    tx: Connection
    now_ns: int
    _lately: dict[str, int] = field(default_factory=dict)  # person -> notices in the window, as far as they count
    _open: dict[tuple[str, str], str] = field(default_factory=dict)  # (person, channel) -> the digest that takes more
    _anybody: int | None = None  # recoveries of the window, as far as they count

    def place(self, person: str, channel: str, *, address: str, not_before_ns: int | None) -> str:
        """The digest in which a recovery is to be told to a person; empty: it goes out by itself."""
        since_ns = self.now_ns - WINDOW_NS
        if self._anybody is None:
            self._anybody = digests.of_anybody_lately(self.tx, since_ns=since_ns, limit=STORM_TICKETS + 1)
        if person not in self._lately:
            self._lately[person] = digests.lately(self.tx, person, since_ns=since_ns, limit=ALONE_MAX)
        self._anybody += 1
        storm = self._anybody > STORM_TICKETS
        if not storm and self._lately[person] < ALONE_MAX:
            self._lately[person] += 1
            return ""
        if (person, channel) not in self._open:
            there = digests.open_one(self.tx, person, channel, since_ns=self.now_ns - 10 * WINDOW_NS)
            wait_ns = self.now_ns + (STORM_WAIT_NS if storm else BUNDLE_WAIT_NS)
            self._open[person, channel] = there or notices.add(
                self.tx,
                kind="recovery",
                person=person,
                channel=channel,
                address=address,
                subject="several tickets have recovered",
                body="",
                urgency=routing.URGENCY["recovery"],
                dedup_key=f"{digests.KEY}{new_id()}",
                not_before_ns=max(wait_ns, not_before_ns or 0),
                now_ns=self.now_ns,
            )
        return self._open[person, channel]
