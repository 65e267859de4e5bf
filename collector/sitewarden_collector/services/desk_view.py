"""What the board shows, in one read: a page of tickets, counts above it, the sites that are down, who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_collector.services import roster
from sitewarden_collector.store import board as store
from sitewarden_collector.store import site_pages
from sitewarden_collector.store.board import Counts, Row
from sitewarden_collector.store.ticket_pages import Wanted


@dataclass(frozen=True, slots=True)
class Board:
    """`customers` and `sites` are what the filters offer; nothing to a customer's account, which has one customer."""

    rows: Sequence[Row]
    counts: Counts
    sites_down: int
    on_call: Sequence[str]
    customers: Sequence[str]


def board(
    tx: Connection,
    wanted: Wanted,
    *,
    now_ns: int,
    sort: str,
    down: bool,
    offset: int,
    limit: int,
    customer_id: str = "",
) -> Board:
    """The board as somebody asked for it; `customer_id` narrows to what a customer's account may see."""
    return Board(
        rows=store.page(tx, wanted, now_ns=now_ns, sort=sort, down=down, offset=offset, limit=limit),
        counts=store.counts(tx, now_ns=now_ns, customer_id=customer_id),
        sites_down=site_pages.counts(tx, now_ns=now_ns, customer_id=customer_id)["down"],
        on_call=() if customer_id else roster.line(tx, "", at_ns=now_ns).ranked[:1],
        customers=() if customer_id else store.customer_names(tx),
    )
