"""What probes come to at the desk: one ticket as severe as the probe says, and charts of what they measure."""

from __future__ import annotations

from importlib import resources
from typing import Any

import httpx

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import ProbeResult, Series
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rulefile import combine, parse
from sitewarden_collector.services import evaluation, intake
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from tests.cast import ACME_BERLIN, MINUTE, NOON, SECOND, batch, probe, settle_agent
from tests.desk import make_app, make_context, signed_in

DEFAULT = (resources.files("sitewarden_alerting") / "packs" / "default.toml").read_text(encoding="utf-8")
BOOK = combine([parse(DEFAULT, "default.toml")])


def arrive(db: Database, agent: Agent, seq: int, *whats: Any) -> None:
    """A batch arrives, and rules judge it."""
    now_ns = NOON + seq * MINUTE
    db.write_now(intake.accept, agent.id, batch=batch(seq, *whats, wall_ns=now_ns), now_ns=now_ns)
    db.write_now(evaluation.step, BOOK, Policy(), now_ns=now_ns, memory=Memory())


def check(level: str, *, ok: bool = False) -> ProbeResult:
    return probe(ok, probe="queue", kind="command", target="/usr/lib/nagios/plugins/check_file_age", level=level)


def test_a_check_that_gets_worse_is_one_ticket_that_gets_worse(db: Database) -> None:
    agent = db.write_now(settle_agent)
    arrive(db, agent, 1, check("warning"))
    (warned,) = db.read_now(ticketing.listing)
    assert warned.ticket.severity == Severity.WARNING
    assert warned.ticket.title == "Check fails: queue (/usr/lib/nagios/plugins/check_file_age)"
    arrive(db, agent, 2, check("critical"))
    (worse,) = db.read_now(ticketing.listing)
    assert (worse.ticket.number, worse.ticket.severity) == (warned.ticket.number, Severity.CRITICAL)
    arrive(db, agent, 3, check("", ok=True))
    (recovered,) = db.read_now(ticketing.listing)
    assert recovered.ticket.recovered_ns is not None


def test_backups_services_and_databases_have_tickets_of_their_own(db: Database) -> None:
    agent = db.write_now(settle_agent)
    kinds = {"backup": "file", "service": "unit", "database": "sql"}
    arrive(db, agent, 1, *(probe(False, probe=name, kind=kind, target=name) for name, kind in kinds.items()))
    assert {one.ticket.title for one in db.read_now(ticketing.listing)} == {
        "Not written in time: backup (backup)",
        "Service does not run as it should: service (service)",
        "Database does not answer as it should: database (database)",
    }


async def test_the_sites_page_draws_what_probes_measure_and_the_products_own_metrics(db: Database) -> None:
    agent = db.write_now(settle_agent)
    own = ("probe", "product")
    series = (
        Series("certificate_left_days", (("probe", "front-page"),), "days"),
        Series("orders_total", (own, ("shop", "berlin")), ""),
        Series("plugin_seconds", (("label", "time"), ("probe", "web")), "seconds"),
        Series("plugin_warning_seconds", (("label", "time"), ("probe", "web")), "seconds"),
        Series("odd&name", (own,), ""),
    )
    times = (NOON - 10 * SECOND, NOON)
    columns = tuple([float(number), float(number + 1)] for number in range(len(series)))
    block = RawBlock(
        "0123456789abcdef",
        series,
        blocks.encode(times, columns),
        early=False,
        times_ns=times,
        shift_ns=0,
        last=tuple(column[-1] for column in columns),
    )
    db.write_now(intake.accept, agent.id, batch=batch(1, block, wall_ns=NOON), now_ns=NOON)
    transport = httpx.ASGITransport(app=make_app(make_context(db)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=signed_in(db)) as client:
        page = (await client.get(f"/sites/{ACME_BERLIN}")).text
        for what in ("certificates", "own%3Aorders_total", "check_seconds", "own%3Aodd%26name"):
            assert f"/sites/{ACME_BERLIN}/chart?what={what}&amp;span=24h" in page, what
        assert "plugin_warning_seconds" not in page
        told = (await client.get(f"/sites/{ACME_BERLIN}/chart", params={"what": "own:orders_total"})).json()
    (line,) = told["series"]
    assert (line["name"], [value for _, value in line["points"]]) == ("berlin", [1.0, 2.0])
