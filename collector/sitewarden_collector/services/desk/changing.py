"""How a person's change of a ticket begins and ends: its row locked, merges followed, the move tried, all kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.solutions import OutOfOrder
from sitewarden_alerting.tickets import IllegalMove
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import aftermath
from sitewarden_collector.store import tickets
from sitewarden_collector.store.tickets import Event

TEXT_MAX_CHARS = 20_000
LINE_MAX_CHARS = 500


def taken(tx: Connection, number: str) -> Ticket:
    """The ticket with this number, locked; of a merged one, the ticket that goes on in its place. Raises NotFound."""
    ticket = tickets.by_number(tx, number, for_update=True)
    while ticket.merged_into and (into := tickets.by_id(tx, ticket.merged_into, for_update=True)) is not None:
        ticket = into
    return ticket


@contextmanager
def trying() -> Iterator[None]:
    """What the pure rules refuse is a Conflict that says what is possible."""
    try:
        yield
    except (IllegalMove, OutOfOrder) as error:
        raise Conflict(str(error)) from error


def written(
    tx: Connection,
    ticket: Ticket,
    what: str,
    text: str,
    *,
    by: str,
    now_ns: int,
    data: Mapping[str, Any] | None = None,
) -> Ticket:
    """Keep `ticket` as it is now, with the line of its history that says why."""
    tickets.save(tx, ticket, new=False)
    noted(tx, ticket, what, text, by=by, now_ns=now_ns, data=data)
    return ticket


def noted(
    tx: Connection,
    ticket: Ticket,
    what: str,
    text: str,
    *,
    by: str,
    now_ns: int,
    data: Mapping[str, Any] | None = None,
) -> None:
    """A line of history of a ticket that is itself as it was."""
    aftermath.record(tx, ticket, [Event(now_ns, what, by, text, data=data or {})], now_ns=now_ns)


def text_of(text: str, what: str, *, most: int = TEXT_MAX_CHARS) -> str:
    """`text` as it may be kept; raises Invalid where it is empty or too long. NUL cannot be kept by every database."""
    clean = text.replace("\x00", "").strip()
    if not clean:
        raise Invalid(f"{what} is empty; write at least a word")
    if len(clean) > most:
        raise Invalid(f"{what} has {len(clean)} characters, at most {most} are kept; attach the rest as a file")
    return clean
