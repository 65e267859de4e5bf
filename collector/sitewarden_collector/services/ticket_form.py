"""What the form of a new ticket offers: sites, categories and components."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_collector.store import categories, sites
from sitewarden_collector.store.categories import Category


@dataclass(frozen=True, slots=True)
class Offered:
    """`sites` by name, of one customer or of all."""

    sites: Sequence[str]
    categories: Sequence[Category]
    components: Sequence[Category]


def offered(tx: Connection, *, customer_id: str = "", site_ids: Collection[str] = ()) -> Offered:
    """What there is to choose from; `customer_id` and `site_ids` narrow the sites."""
    return Offered(
        sites=[
            one.name
            for one in sites.every(tx)
            if customer_id in ("", one.customer_id) and (not site_ids or one.id in site_ids)
        ],
        categories=categories.every(tx, "category"),
        components=categories.every(tx, "component"),
    )
