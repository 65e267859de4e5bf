"""The pages of one transaction, written together: what a thousand tickets have in common is asked once.

`write` books one page: alone in its notice while few come, in a bundle when many do. Everything else waits for `flush`,
which writes it in a handful of statements, however many tickets a storm brings. What was looked up holds for this
transaction and is thrown away with the book.

Not here: whom to ask and when (`services.paging`), what a notice says and what becomes of it (`services.pages`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sitewarden_alerting import routing
from sitewarden_alerting.escalation import Escalation, EscalationPolicy
from sitewarden_alerting.model import SECOND_NS, Person, Ticket
from sitewarden_alerting.wording import cut
from sitewarden_collector.services import aftermath, pages, roster
from sitewarden_collector.services.roster import Line
from sitewarden_collector.store import escalations, maintenance, notices, page_notices, schedules, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.escalations import Page, Running
from sitewarden_collector.store.maintenance import Window
from sitewarden_collector.store.tickets import Event

WINDOW_NS = 60 * SECOND_NS
ALONE_MAX = 3  # pages in a window that go out each by itself
BUNDLE_WAIT_NS = 20 * SECOND_NS
STORM_WAIT_NS = 60 * SECOND_NS
STORM_TICKETS = 30  # more new pages than that in a window are a storm


@dataclass(slots=True)
class PageBook:
    """`on_call` is the configuration's list, for customers whom no schedule serves."""

    tx: Connection
    now_ns: int
    on_call: Sequence[Person] = ()
    found: dict[str, Running] = field(default_factory=dict)  # the escalations of prepared tickets, as they are now
    windows: dict[str, Window] = field(default_factory=dict)  # maintenance at the sites of prepared tickets, now
    _keys: dict[str, set[str]] = field(default_factory=dict)  # ticket id -> keys of its pages
    _lines: dict[str, Line] = field(default_factory=dict)
    _policies: dict[str, EscalationPolicy] = field(default_factory=dict)
    _lately: dict[str, int] = field(default_factory=dict)  # person -> notices in the window, as far as they count
    _bundles: dict[str, str] = field(default_factory=dict)  # person -> the bundle that takes more
    _begun: int | None = None  # escalations that began in the window, as far as they count
    _new: list[Running] = field(default_factory=list)
    _again: list[Running] = field(default_factory=list)
    _moved: list[tuple[str, Escalation, Escalation]] = field(default_factory=list)
    _pages: list[Page] = field(default_factory=list)
    _told: dict[str, tuple[Ticket, list[Event]]] = field(default_factory=dict)

    def prepare(self, some: Collection[Ticket], *, running: Collection[Running] | None = None) -> None:
        """Look up what pages of these tickets depend on, `running` being their escalations where they are known."""
        if not some:
            return
        ids = [one.id for one in some]
        there = escalations.find_all(self.tx, ids) if running is None else running
        self.found |= {one.ticket_id: one for one in there}
        self.windows |= maintenance.covering_all(self.tx, {one.site_id for one in some}, now_ns=self.now_ns)
        self._keys |= escalations.keys_of(self.tx, ids)

    def line(self, customer_id: str) -> Line:
        """Who stands in line for a customer now."""
        if customer_id not in self._lines:
            self._lines[customer_id] = roster.line(self.tx, customer_id, at_ns=self.now_ns, fallback=self.on_call)
        return self._lines[customer_id]

    def policy(self, line: Line) -> EscalationPolicy:
        """How a line escalates."""
        if line.schedule is None:
            return EscalationPolicy()
        if line.schedule.id not in self._policies:
            self._policies[line.schedule.id] = schedules.policy_of(self.tx, line.schedule.id)
        return self._policies[line.schedule.id]

    def begin(self, one: Running) -> None:
        """An escalation begins, for the first time or again."""
        before = self.found.get(one.ticket_id)
        (self._new if before is None else self._again).append(one)
        self.found[one.ticket_id] = one
        if before is None or before.begun_ns <= self.now_ns - WINDOW_NS:
            self._begun = self._begun_lately() + 1

    def move(self, one: Running, after: Escalation) -> None:
        """An escalation goes on from the state that it has."""
        self._moved.append((one.ticket_id, one.state, after))

    def tell(self, ticket: Ticket, events: Sequence[Event]) -> None:
        """Write this into the ticket's history."""
        self._told.setdefault(ticket.id, (ticket, []))[1].extend(events)

    def write(
        self, ticket: Ticket, line: Line, person: str, *, round: int, step: str, why: str, reason: str, news: str = ""
    ) -> Page | None:
        """Page a person for a step; None when they were paged for it already, or nothing reaches them."""
        key = f"{ticket.id}:{round}:{step}:{person}"
        if not line.roads(person) or key in self._keys[ticket.id]:
            return None
        storm = self._begun_lately() > STORM_TICKETS
        if storm or self._paged_lately(person) >= ALONE_MAX:
            notice_id = self._bundle(line, person, wait_ns=STORM_WAIT_NS if storm else BUNDLE_WAIT_NS)
        else:
            site, customer = tickets.names(self.tx, ticket.site_id)
            road = line.roads(person)[0]
            notice_id = notices.add(
                self.tx,
                kind="page",
                person=person,
                channel=road.channel,
                address=road.address,
                subject=cut(f"[{ticket.number}] {site}: {news}{ticket.title}", 200),
                body=pages.body(self.tx, ticket, site, customer, reason=reason, take=True),
                ticket_id=ticket.id,
                urgency=routing.URGENCY["page"],
                dedup_key=key,
                now_ns=self.now_ns,
            )
            self._lately[person] += 1
        page = Page(key, ticket.id, ticket.customer_id, round, step, person, notice_id, why, self.now_ns)
        self._keys[ticket.id].add(key)
        self._pages.append(page)
        return page

    def flush(self) -> None:
        """Write what was booked. The book may be used further."""
        aftermath.record_all(self.tx, self.write_down(), now_ns=self.now_ns)

    def write_down(self) -> list[tuple[Ticket, list[Event]]]:
        """Write what was booked but for its lines of history: the caller writes these, with others that it has."""
        escalations.add_all(self.tx, self._new)
        escalations.put_all(self.tx, self._again)
        escalations.move_all(self.tx, self._moved)
        escalations.add_pages(self.tx, self._pages)
        told = list(self._told.values())
        for booked in (self._new, self._again, self._moved, self._pages, self._told):
            booked.clear()
        return told

    def _bundle(self, line: Line, person: str, *, wait_ns: int) -> str:
        if person not in self._bundles:
            # Found and kept, or made, in this transaction: nobody begins to send it before that ends.
            there = page_notices.open_bundle(self.tx, person, since_ns=self.now_ns - 10 * WINDOW_NS)
            self._bundles[person] = there or self._new_bundle(line, person, wait_ns=wait_ns)
        return self._bundles[person]

    def _new_bundle(self, line: Line, person: str, *, wait_ns: int) -> str:
        road = line.roads(person)[0]
        self._lately[person] = self._paged_lately(person) + 1
        return notices.add(
            self.tx,
            kind="page",
            person=person,
            channel=road.channel,
            address=road.address,
            subject="several tickets need you",
            body="",
            urgency=routing.URGENCY["page"],
            dedup_key=f"bundle:{new_id()}",
            not_before_ns=self.now_ns + wait_ns,
            now_ns=self.now_ns,
        )

    def _paged_lately(self, person: str) -> int:
        if person not in self._lately:
            since_ns = self.now_ns - WINDOW_NS
            self._lately[person] = page_notices.paged_lately(self.tx, person, since_ns=since_ns, limit=ALONE_MAX)
        return self._lately[person]

    def _begun_lately(self) -> int:
        if self._begun is None:
            since_ns = self.now_ns - WINDOW_NS
            self._begun = escalations.begun_lately(self.tx, since_ns=since_ns, limit=STORM_TICKETS + 1)
        return self._begun
