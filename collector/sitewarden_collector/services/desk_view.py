"""What stands above the board, in one read: counts, the sites that are down, who is on call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_collector.services import roster
from sitewarden_collector.store import board as store
from sitewarden_collector.store import site_pages
from sitewarden_collector.store.board import Counts


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands above the tickets. `customers` are what a filter offers; none to a customer's account."""

    counts: Counts
    sites_down: int
    on_call: Sequence[str]
    customers: Sequence[str]


def figures(tx: Connection, *, now_ns: int, customer_id: str = "", site_ids: Collection[str] = ()) -> Figures:
    """How it stands; `customer_id` and `site_ids` narrow to what a customer's account may see."""
    return Figures(
        counts=store.counts(tx, now_ns=now_ns, customer_id=customer_id, site_ids=site_ids),
        sites_down=site_pages.counts(tx, now_ns=now_ns, customer_id=customer_id, site_ids=site_ids)["down"],
        on_call=() if customer_id else roster.line(tx, "", at_ns=now_ns).ranked[:1],
        customers=() if customer_id else store.customer_names(tx),
    )
