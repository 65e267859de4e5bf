"""The list of sites: how each is, narrowed and sorted, over both databases."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import SignalKind, Ticket
from sitewarden_collector.store import site_pages, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.numbers import next_number
from tests.cast import ACME_BERLIN, GLOBEX, GLOBEX_OSAKA, HOUR, MINUTE, NOON, settle_agent, settle_site


def open_ticket(tx: Connection, /, site: str, **changes: object) -> Ticket:
    where = settle_site(tx, site)
    made = Ticket(
        id=new_id(),
        site_id=where.id,
        customer_id=where.customer_id,
        fault=new_id(),
        rule="errors",
        kind=SignalKind.LOG,
        title="payment failed",
        severity=4,
        opened_ns=NOON,
        last_ns=NOON,
        number=next_number(tx, "INC"),
    )
    made = replace(made, **changes)  # type: ignore[arg-type]
    tickets.save(tx, made, new=True)
    return made


def settled(tx: Connection) -> None:
    settle_agent(tx, "web-1", version="0.2.0")
    settle_agent(tx, "db-1", version="0.1.0", last_seen_ns=NOON - HOUR)
    settle_agent(tx, "app-1", GLOBEX_OSAKA, GLOBEX, last_seen_ns=NOON - HOUR)
    settle_site(tx, "acme-empty")
    settle_agent(tx, "app-2", "acme-well")
    open_ticket(tx, ACME_BERLIN, priority=2)


def test_each_site_says_how_it_is_the_worst_first(db: Database) -> None:
    db.write_now(settled)
    rows = db.read_now(site_pages.page, now_ns=NOON + MINUTE)
    assert [(row.site, row.health) for row in rows] == [
        (GLOBEX_OSAKA, "down"),
        (ACME_BERLIN, "attention"),
        ("acme-empty", "unknown"),
        ("acme-well", "ok"),
    ]
    berlin = rows[1]
    assert (berlin.agents, berlin.silent, berlin.versions, berlin.version) == (2, 1, 2, "0.1.0")
    assert (berlin.tickets, berlin.priority, berlin.seen_ns) == (1, 2, NOON)


def test_a_serious_ticket_needs_attention_though_every_host_is_heard(db: Database) -> None:
    db.write_now(settle_agent)
    db.write_now(open_ticket, ACME_BERLIN, severity=3)
    assert db.read_now(site_pages.page, now_ns=NOON)[0].health == "ok"
    db.write_now(open_ticket, ACME_BERLIN, severity=4)
    assert db.read_now(site_pages.page, now_ns=NOON)[0].health == "attention"


def test_the_list_is_narrowed_and_sorted(db: Database) -> None:
    db.write_now(settled)
    now_ns = NOON + MINUTE

    def names(**asked: object) -> list[str]:
        return [row.site for row in db.read_now(site_pages.page, now_ns=now_ns, **asked)]  # type: ignore[arg-type]

    assert names(health="down") == [GLOBEX_OSAKA]
    assert names(text="OSAKA") == [GLOBEX_OSAKA]
    assert names(text="%") == names()  # no pattern of the reader's own
    assert names(customer=GLOBEX) == [GLOBEX_OSAKA]
    assert names(version="0.1.0") == [GLOBEX_OSAKA, ACME_BERLIN, "acme-well"]
    assert names(sort="site", limit=2, offset=1) == ["acme-empty", "acme-well"]
    for sort in site_pages.SORTS:
        assert len(names(sort=sort, down=True)) == 4
    acme = settle_site_id(db)
    assert GLOBEX_OSAKA not in names(customer_id=acme)


def settle_site_id(db: Database) -> str:
    return db.write_now(settle_site, ACME_BERLIN).customer_id


def test_the_counts_name_every_health(db: Database) -> None:
    assert db.read_now(site_pages.counts, now_ns=NOON) == {"down": 0, "attention": 0, "unknown": 0, "ok": 0}
    db.write_now(settled)
    assert db.read_now(site_pages.counts, now_ns=NOON + MINUTE) == {"down": 1, "attention": 1, "unknown": 1, "ok": 1}
    assert db.read_now(site_pages.versions) == ["0.1.0", "0.2.0"]
