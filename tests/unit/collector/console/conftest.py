"""A desk with something on each of its pages, and a browser to look at them as somebody of a role."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sitewarden_alerting.model import Factor, Risk, RiskState
from sitewarden_alerting.oncall import Layer, Unit
from sitewarden_collector.config import Channel, Config
from sitewarden_collector.services import (
    calendars,
    contracts,
    customers,
    maintenance,
    oncall,
    promises,
    reach,
    silences,
)
from sitewarden_collector.services.desk import majors, problems, reporting
from sitewarden_collector.store import risks
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.contacts import Contact
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from tests import cast
from tests.cast import ACME, ACME_BERLIN, ADA, BOB, DAY, GLOBEX, GLOBEX_OSAKA, HOUR, NOON
from tests.desk import make_app, make_context

HOSTILE = "<script>alert('x')</script>"
HTML = {"accept": "text/html"}
CONFIG = Config(channels={"sms": Channel(url="log:"), "mail": Channel(url="log:")})


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(make_context(db, config=CONFIG))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as made:
        yield made


@pytest.fixture
def desk(db: Database) -> Database:
    """Customers, a contract, a schedule, silences, risks, a problem and a major incident; names that mean ill."""
    berlin = db.write_now(cast.settle_agent, "web-1").site_id
    db.write_now(cast.settle_agent, "app-1", GLOBEX_OSAKA, GLOBEX)
    acme = db.read_now(customers.show, ACME, now_ns=NOON).customer.id
    for number, (likelihood, impact) in enumerate(((5, 4), (2, 3)), start=1):
        db.write_now(risks.save, _risk(berlin, acme, number, likelihood, impact), new=True)
    db.write_now(silences.add, ACME_BERLIN, for_s=3600, reason=HOSTILE, by=ADA, now_ns=NOON)
    db.write_now(
        maintenance.plan,
        GLOBEX_OSAKA,
        from_ns=NOON + DAY,
        until_ns=NOON + DAY + HOUR,
        reason=HOSTILE,
        by=BOB,
        now_ns=NOON,
    )
    db.write_now(oncall.add, "First line", zone="Europe/Berlin", managers=(BOB,), now_ns=NOON)
    layer = Layer("Turns", (ADA, BOB, HOSTILE), "2026-11-02T09:00", 1, Unit.WEEKS)
    db.write_now(oncall.set_layer, "First line", layer, now_ns=NOON)
    person = Reachable(ADA, (Road("sms", "+49 30 1"),))
    db.write_now(reach.save, person, channels=CONFIG.channels, now_ns=NOON)
    db.write_now(calendars.add, "office", zone="Europe/Berlin", week="mon-fri 09:00-18:00", by=BOB, now_ns=NOON)
    agreed = Contract(
        acme,
        ACME,
        "Gold 2026",
        "2026-01-01",
        "2026-12-10",
        "office",
        promises.DEFAULT_GOALS,
        promises.DEFAULT_PAUSES,
        {"on_site": 4},
    )
    db.write_now(contracts.add, agreed, now_ns=NOON)
    db.write_now(customers.put_contact, Contact(acme, HOSTILE, role="lead", phone="1"), now_ns=NOON)
    db.write_now(customers.add, "A/B & Söhne", notes=HOSTILE, now_ns=NOON)
    first = db.write_now(reporting.report, ACME_BERLIN, HOSTILE, by=ADA, now_ns=NOON).number
    db.write_now(problems.open_problem, f"cause of {HOSTILE}", [first], by=ADA, now_ns=NOON)
    db.write_now(majors.declare, first, HOSTILE, by=ADA, now_ns=NOON)
    return db


def _risk(site_id: str, customer_id: str, number: int, likelihood: int, impact: int) -> Risk:
    return Risk(
        site_id=site_id,
        customer_id=customer_id,
        subject=f"disk-{number}",
        kind="filesystem_full",
        title=f"disk {number} {HOSTILE}",
        text="it fills up",
        likelihood=likelihood,
        impact=impact,
        factors=(Factor("time left", "full in 2 d", 3),),
        response="free space",
        due_ns=NOON + DAY,
        expected_ns=NOON + 2 * DAY,
        early_ns=None,
        late_ns=None,
        raised_ns=NOON,
        assessed_ns=NOON,
        state=RiskState.ACTIVE,
        id=new_id(),
        number=f"RSK-{number}",
    )
