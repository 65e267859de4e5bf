"""A desk of the size that the figures are about: 10,000 open tickets of 200 customers with 5,000 sites, and one site
with a day of samples of two hosts."""

from __future__ import annotations

import random

from sqlalchemy import Connection, insert

from sitewarden_alerting.model import Evidence, SignalKind, Ticket, TicketState
from sitewarden_alerting.observations import Series
from sitewarden_collector.services import aftermath, compaction
from sitewarden_collector.store import agents, evidence, samples, tickets
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.samples import RawBlock
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.spools import spools
from sitewarden_collector.store.tickets import Event
from sitewarden_protos import blocks
from tests.cast import EPOCH, HOUR, MINUTE, SECOND, settle_agent

TICKETS, SITES, CUSTOMERS, HOSTS = 10_000, 5_000, 200, 2
AT_ONCE = 500
TITLES = ("payment gateway refused", "disk full", "login answers 503", "queue stands", "backup failed")
STATES = (TicketState.NEW, TicketState.ASSIGNED, TicketState.IN_PROGRESS)
SERIES = (
    Series("cpu_used_ratio", (), "ratio"),
    Series("memory_used_ratio", (), "ratio"),
    Series("load1", (), ""),
    *(Series("filesystem_used_ratio", (("mountpoint", name),), "ratio") for name in ("/", "/data", "/var")),
    *(Series("probe_duration_seconds", (("probe", name),), "s") for name in ("front", "login")),
    *(Series(f"other_{number}", (), "") for number in range(32)),
)
WATCHED = "INC-90001"  # the ticket at the site with samples


def fill(tx: Connection, now_ns: int) -> None:
    """Customers, sites with an agent each, tickets with their history and clocks, and the watched site."""
    chance = random.Random(7)
    owners = [new_id() for _ in range(CUSTOMERS)]
    named = [{"id": one, "name": f"customer {i}", "created_ns": now_ns} for i, one in enumerate(owners)]
    tx.execute(insert(customers), named)
    places = [(new_id(), owners[i % CUSTOMERS]) for i in range(SITES)]
    made = [
        {"id": one, "customer_id": owner, "name": f"site-{i}", "created_ns": now_ns}
        for i, (one, owner) in enumerate(places)
    ]
    tx.execute(insert(sites), made)
    settled = [_agent(site, owner, i, chance, now_ns) for i, (site, owner) in enumerate(places)]
    tx.execute(insert(agents.agents), [{name: getattr(one, name) for name in Agent.__slots__} for one in settled])
    for begin in range(0, TICKETS, AT_ONCE):
        some = [
            _ticket(*places[chance.randrange(SITES)], f"INC-{number + 1}", chance, now_ns - chance.randrange(48 * HOUR))
            for number in range(begin, begin + AT_ONCE)
        ]
        _open(tx, some, now_ns=now_ns)
    _watch(tx, chance, now_ns)


def _agent(site_id: str, customer_id: str, number: int, chance: random.Random, now_ns: int) -> Agent:
    return Agent(
        id=new_id(),
        customer_id=customer_id,
        site_id=site_id,
        hostname=f"host-{number}",
        machine_fingerprint=f"machine-{number}",
        version=chance.choice(("0.1.0", "0.2.0")),
        state="active",
        state_why="",
        enrolled_ns=now_ns,
        last_seen_ns=now_ns - chance.randrange(4) * MINUTE,
        clock_offset_ns=0,
        spool="",
    )


def _ticket(site_id: str, customer_id: str, number: str, chance: random.Random, opened_ns: int) -> Ticket:
    return Ticket(
        id=new_id(),
        site_id=site_id,
        customer_id=customer_id,
        fault=f"fp1:{number}",
        rule="error-burst",
        kind=SignalKind.LOG,
        title=f"{chance.choice(TITLES)} on host {number}",
        severity=chance.randrange(2, 6),
        opened_ns=opened_ns,
        last_ns=opened_ns,
        number=number,
        count=chance.randrange(1, 500),
        priority=chance.randrange(1, 5),
        state=chance.choice(STATES),
        assignee=chance.choice(("", "ada", "bob")),
    )


def _open(tx: Connection, some: list[Ticket], *, now_ns: int) -> None:
    tickets.save_all(tx, some, new=True)
    told = [(one, [Event(one.opened_ns, "open_ticket", "rules", "12 errors in a minute")]) for one in some]
    aftermath.record_all(tx, told, now_ns=now_ns)


def _watch(tx: Connection, chance: random.Random, now_ns: int) -> None:
    """A site whose hosts sent samples every ten seconds for a day, joined as a collector does, with a ticket in it."""
    hosts = [settle_agent(tx, f"app-{number}", "watched-site", "watched customer") for number in range(HOSTS)]
    begun_ns = now_ns - 24 * HOUR
    for agent in hosts:
        for minute in range(24 * 60):
            times_ns = tuple(begun_ns + minute * MINUTE + tick * 10 * SECOND for tick in range(6))
            columns = [[chance.random() for _ in times_ns] for _ in SERIES]
            block = RawBlock(
                schema_id="feedfacefeedface",
                series=SERIES if minute == 0 else (),
                block=blocks.encode(times_ns, columns),
                early=False,
                times_ns=times_ns,
                shift_ns=0,
                last=tuple(column[-1] for column in columns),
            )
            samples.add(tx, agent, epoch=EPOCH, seq=minute + 1, blocks=[(0, block)], received_ns=times_ns[-1])
        spool = {"agent_id": agent.id, "epoch": EPOCH, "last_seq": 24 * 60, "passed_seq": 0, "evaluated_seq": 24 * 60}
        tx.execute(insert(spools).values(spool | {"created_ns": begun_ns, "last_ns": now_ns}))
        compaction.record(tx, compaction.join(tx, [agent.id], now_ns=now_ns))
    at_ns = now_ns - 6 * HOUR
    ticket = _ticket(hosts[0].site_id, hosts[0].customer_id, WATCHED, chance, at_ns)
    _open(tx, [ticket], now_ns=now_ns)
    entries = {i: Evidence(hosts[0].id, EPOCH, 1, i, at_ns, "app-0", f"error {i}\n  at line 12") for i in range(20)}
    evidence.add(tx, ticket.id, entries, total=20)
