"""The cast: who appears in the tests, and short ways to make what they have.

Customers acme and globex; acme runs the site `acme-berlin` with the hosts web-1 and db-1, globex runs `globex-osaka`
with app-1. Ada is on call, Bob is the release engineer. Time begins on 24 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from sitewarden_alerting.observations import Change, LogEvent, ProbeResult, Series, What
from sitewarden_collector.services.intake import Decoded
from sitewarden_collector.store import agents, sites
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.observations import Arrived
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks

ADA = "ada"  # on call
BOB = "bob"  # release engineer
ACME = "acme"
GLOBEX = "globex"
ACME_BERLIN = "acme-berlin"
GLOBEX_OSAKA = "globex-osaka"

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = 1_795_521_600 * SECOND  # 2026-11-24T12:00:00Z
EPOCH = "0a" * 16


@dataclass(slots=True)
class FakeClock:
    """A clock that stands until it is moved; sleeping moves it."""

    now: int = NOON

    def now_ns(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / SECOND

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def settle_site(tx: Connection, /, name: str = ACME_BERLIN, customer: str = ACME, *, now_ns: int = NOON) -> sites.Site:
    """The site called `name`, made with its customer when it is new."""
    found = sites.find(tx, name)
    if found is not None:
        return found
    return sites.add(tx, name, customer_id=sites.ensure_customer(tx, customer, now_ns=now_ns), now_ns=now_ns)


def settle_agent(
    tx: Connection, /, hostname: str = "web-1", site: str = ACME_BERLIN, customer: str = ACME, **changes: Any
) -> Agent:
    """An active agent on `hostname` at the site."""
    where = settle_site(tx, site, customer)
    made = Agent(
        id=new_id(),
        customer_id=where.customer_id,
        site_id=where.id,
        hostname=hostname,
        machine_fingerprint=f"machine-of-{hostname}",
        version="0.1.0",
        state="active",
        state_why="",
        enrolled_ns=NOON,
        last_seen_ns=NOON,
        clock_offset_ns=0,
        spool="",
    )
    made = replace(made, **changes)
    agents.add(tx, made)
    return made


def error_line(message: str = "payment failed for order <num>", **changes: Any) -> LogEvent:
    """An error in the shop's log."""
    made = LogEvent(
        source="shop",
        file="/var/log/shop/app.log",
        file_id="8:1:42",
        offset=0,
        part="whole",
        severity=4,
        component="shop.payment",
        message=message,
        template=message,
        fingerprint=f"fp1:{abs(hash(message)):016x}",
        count=1,
        logged_ns=NOON,
        truncated=False,
    )
    return replace(made, **changes)


def probe(ok: bool = True, **changes: Any) -> ProbeResult:
    made = ProbeResult(
        probe="front-page",
        kind="http",
        target="http://127.0.0.1/health",
        ok=ok,
        latency_us=1_200,
        detail="200" if ok else "503",
        certificate_expires_ns=None,
    )
    return replace(made, **changes)


def change(kind: str = "agent_started", subject: str = "", before: str = "", after: str = "") -> Change:
    return Change(kind=kind, subject=subject, before=before, after=after)


DISK = Series("disk_used_ratio", (("mount", "/data"),), "ratio")
LOAD = Series("load_1m", (), "")


def samples(*numbers: float, start_ns: int = NOON, step_ns: int = 10 * SECOND, told: bool = True) -> RawBlock:
    """A block of the disk's use as given, with a constant load beside it."""
    times_ns = tuple(start_ns + i * step_ns for i in range(len(numbers)))
    columns = [list(numbers), [0.5] * len(numbers)]
    return RawBlock(
        schema_id="feedfacefeedface",
        series=(DISK, LOAD) if told else (),
        block=blocks.encode(times_ns, columns),
        early=False,
        times_ns=times_ns,
        shift_ns=0,
        last=(numbers[-1], 0.5),
    )


def batch(
    seq: int, *what: What | RawBlock, previous_seq: int | None = None, epoch: str = EPOCH, wall_ns: int = NOON
) -> Decoded:
    """The batch `seq` of a spool, following the one before it."""
    arrived = tuple(Arrived(i, wall_ns, one) for i, one in enumerate(what))
    return Decoded(epoch, seq, seq - 1 if previous_seq is None else previous_seq, arrived)
