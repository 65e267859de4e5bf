"""What is another customer's, of another site, or among engineers, is in no answer to a customer's account.

Two customers share a fault, a problem, a major incident and links; every word that an account must not read holds a
mark. Every address of the API and the console is then asked for as that account, and every change tried at what is not
theirs.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection

from sitewarden_alerting.model import Person, Policy
from sitewarden_collector.config import Rules
from sitewarden_collector.console.live import topics_of
from sitewarden_collector.services import (
    customers,
    evaluation,
    intake,
    maintenance,
    oncall,
    priorities,
    roster,
    rulepacks,
    silences,
)
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.desk import (
    assigning,
    attaching,
    comments,
    linking,
    majors,
    moving,
    problems,
    reporting,
    solutions,
    tracker,
    visits,
)
from sitewarden_collector.store import changes, sites, tickets
from sitewarden_collector.store.contacts import Contact
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, HOUR, NOON, batch, error_line, probe, samples, settle_agent
from tests.desk import SECRET, bearer, make_app, make_context, signed_in
from tests.integration.test_role_matrix import routes

FOREIGN, BESIDE, INTERNAL = "foreignmark", "besidemark", "internalmark"
ROME, OSAKA, GLOBEX = f"acme-{BESIDE}", f"osaka-{FOREIGN}", f"globex-{FOREIGN}"
PAGED = Person(f"eve-{INTERNAL}", ("phone",))
LISTED = (
    "",
    "?state=all",
    "?part=live",
    "?text=foreign",
    "?q=foreign&over=true",
    f"?customer={GLOBEX}",
    f"?site={OSAKA}",
    "?lowered=1&over=1",
)
ASKED = {"/series": "?series=disk_used_ratio", "/chart": "?what=disk", "/lines": "?entry=0", "/charts": "?span=24h"}


@dataclass(frozen=True, slots=True)
class Seeded:
    mine: str
    beside: str
    foreign: str
    ids: Mapping[str, tuple[str, ...]]  # what may stand for a parameter of an address


@pytest.fixture
def db_url(tmp_path: Path, made_on_sqlite: Path) -> str:
    """One engine: who may see what is the same over both, and there are a thousand addresses."""
    return f"sqlite:///{shutil.copyfile(made_on_sqlite, tmp_path / 'collector.db')}"


def seed(db: Database) -> Seeded:
    agents = [
        db.write_now(settle_agent, "web-1", ACME_BERLIN, ACME),
        db.write_now(settle_agent, f"host-{BESIDE}", ROME, ACME),
        db.write_now(settle_agent, f"host-{FOREIGN}", OSAKA, GLOBEX, state_why=INTERNAL),
    ]
    book = rulepacks.load(Rules())
    db.write_now(roster.remember, (PAGED,), public_url="")
    for number, agent in enumerate(agents):
        said = ("order 17 is lost", f"order 17 is lost {BESIDE}", f"order 17 is lost {FOREIGN}")[number]
        line = error_line(said, fingerprint="fp1:00000000000000aa")
        sent = batch(1, line, probe(False), samples(0.5, 0.97, start_ns=NOON - 20_000_000_000))
        db.write_now(intake.accept, agent.id, batch=sent, now_ns=NOON)
        db.write_now(evaluation.step, book, Policy(on_call=(PAGED,)), now_ns=NOON)
    return db.write_now(_desk)


def _desk(tx: Connection) -> Seeded:
    logs = {site: _of_log(tx, site) for site in (ACME_BERLIN, ROME, OSAKA)}
    reports = {}
    for site, mark in ((ACME_BERLIN, "ours"), (ROME, BESIDE), (OSAKA, FOREIGN)):
        made = reporting.report(tx, site, f"a report {mark}", by="ada", text=INTERNAL, now_ns=NOON)
        reports[site] = made.number
    mine = logs[ACME_BERLIN]
    by: dict[str, Any] = {"by": "ada", "now_ns": NOON}
    comments.add(tx, mine, f"a note {INTERNAL}", **by)
    comments.add(tx, mine, "we look into it", visibility="customer", **by)
    comments.add(tx, logs[OSAKA], f"said {FOREIGN}", visibility="customer", **by)
    comments.add(tx, logs[ROME], f"said {BESIDE}", visibility="customer", **by)
    files = [
        attaching.attach(tx, mine, f"{INTERNAL}.txt", INTERNAL.encode(), SECRET, **by),
        attaching.attach(tx, mine, "ours.txt", b"for the customer", SECRET, visibility="customer", **by),
        attaching.attach(tx, logs[ROME], f"{BESIDE}.txt", BESIDE.encode(), SECRET, visibility="customer", **by),
        attaching.attach(tx, logs[OSAKA], f"{FOREIGN}.txt", FOREIGN.encode(), SECRET, visibility="customer", **by),
    ]
    assigning.assign(tx, mine, "ada", reason=INTERNAL, **by)
    priorities.set_priority(tx, mine, 2, by="ada", reason=INTERNAL, now_ns=NOON)
    moving.wait(tx, mine, "third_party", text=INTERNAL, **by)
    moving.resume(tx, mine, text=INTERNAL, **by)
    for site in (ROME, OSAKA):
        linking.link(tx, mine, "relates", logs[site], **by)
    linking.set_parent(tx, mine, reports[ROME], **by)
    linking.set_parent(tx, logs[ROME], mine, **by)
    solutions.propose(tx, mine, "another pool", **by)
    planned = [visits.plan(tx, number, "ada", NOON + HOUR, **by).id for number in (mine, logs[OSAKA])]
    problem = problems.open_problem(tx, f"pool {INTERNAL} {FOREIGN}", [mine, logs[OSAKA]], **by)
    problems.edit(tx, problem.number, by="ada", now_ns=NOON, cause=INTERNAL, workaround=INTERNAL)
    problems.add_task(tx, problem.number, INTERNAL, "ada", NOON + HOUR, **by)
    majors.declare(tx, mine, INTERNAL, experts=(PAGED.name,), **by)
    tracker.configure(tx, SECRET, url="https://tracker.example.com/in", **by)
    tracker.send(tx, mine, "defect", INTERNAL, **by)
    held = silences.add(tx, ACME_BERLIN, for_s=3600, reason=INTERNAL, **by)
    window = maintenance.plan(tx, OSAKA, from_ns=NOON, until_ns=NOON + HOUR, reason=INTERNAL, **by)
    for customer in (ACME, GLOBEX):
        of = sites.customer(tx, customer).id
        customers.put_contact(tx, Contact(of, f"contact {FOREIGN}", mail=f"{FOREIGN}@example.com"), now_ns=NOON)
    oncall.add(tx, f"nights-{INTERNAL}", zone="UTC", managers=(), now_ns=NOON)
    numbers = (*logs.values(), *reports.values(), problem.number, held.number, window.number)
    return Seeded(
        mine,
        logs[ROME],
        logs[OSAKA],
        {
            "number": numbers,
            "name": (ACME_BERLIN, ROME, OSAKA, ACME, GLOBEX),
            "attachment_id": tuple(one.id for one in files),
            "visit_id": tuple(planned),
            "schedule": (f"nights-{INTERNAL}",),
        },
    )


def _of_log(tx: Connection, site: str) -> str:
    return next(one.ticket.number for one in tickets.listing(tx, site=site) if one.ticket.kind.value == "log")


def addresses(app: FastAPI, method: str, known: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every address of that method, with each thing that its parameters may stand for."""
    for route in routes(app):
        if route.method != method or route.path == "/live":
            continue
        names = [part.split("}")[0].split(":")[0] for part in route.path.split("{")[1:]]
        for values in itertools.product(*(known.get(name, ("nothing",)) for name in names)):
            path = route.path
            for name, value in zip(names, values, strict=True):
                path = path.replace("{" + name + "}", value).replace("{" + name + ":path}", value)
            yield path, values


def doors(db: Database, app: FastAPI, **account: Any) -> Iterator[tuple[str, httpx.AsyncClient]]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    for start, headers in (("/api/", bearer(db, "customer", **account)), ("/", signed_in(db, "customer", **account))):
        yield start, httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limited", [False, True], ids=["of a customer", "of one site"])
async def test_no_answer_holds_what_is_not_theirs(db: Database, limited: bool) -> None:
    seeded, app = seed(db), make_app(make_context(db))
    account = {"customer": ACME, "site_names": (ACME_BERLIN,) if limited else ()}
    marks = (FOREIGN, INTERNAL, BESIDE) if limited else (FOREIGN, INTERNAL)
    leaks, shown = [], 0
    for start, client in doors(db, app, **account):
        async with client:
            for path, values in addresses(app, "GET", seeded.ids):
                if path.startswith("/api/") != (start == "/api/"):
                    continue
                for query in LISTED if not values else {ASKED.get(f"/{path.split('/')[-1]}", ""), "?part=live"}:
                    async with asyncio.timeout(20):
                        answer = await client.get(path + query)
                    text = answer.text + str(sorted(answer.headers.items()))
                    for own in (*values, OSAKA, GLOBEX) if FOREIGN in query else values:
                        text = text.replace(own, "").replace(own.upper(), "")  # an answer may repeat what was asked
                    leaks += [f"{mark} at {path}{query} ({answer.status_code})" for mark in marks if mark in text]
                    assert answer.status_code < 500, path + query
                    shown += answer.status_code == 200
    assert leaks == []
    assert shown > 60


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limited", [False, True], ids=["of a customer", "of one site"])
async def test_no_change_reaches_what_is_not_theirs(db: Database, limited: bool) -> None:
    seeded, app = seed(db), make_app(make_context(db))
    account = {"customer": ACME, "site_names": (ACME_BERLIN,) if limited else ()}
    others = (seeded.foreign, seeded.beside) if limited else (seeded.foreign,)
    before = [_history(db, number) for number in others]
    body = {"text": "x", "why": "x", "how": "x", "step": "agree", "reason": "customer", "site": OSAKA, "title": "x"}
    for start, client in doors(db, app, **account):
        async with client:
            for path, _values in addresses(app, "POST", {**seeded.ids, "number": others}):
                if path.startswith("/api/") != (start == "/api/") or path.startswith(("/signin", "/signout")):
                    continue
                sent: dict[str, Any] = {"json": body} if start == "/api/" else {"data": body}
                if path.endswith("/attachments"):
                    sent = {"files": {"file": ("x.txt", b"x")}}
                answer = await client.post(path, **sent)
                assert answer.status_code in range(400, 500) or path.startswith("/account"), path
    assert [_history(db, number) for number in others] == before
    for site in (ROME, OSAKA) if limited else (OSAKA,):
        assert len(db.read_now(tickets.listing, site=site)) == 3


def test_what_is_live_is_told_of_ones_own_sites_alone(db: Database) -> None:
    seed(db)
    found = db.read_now(changes.since, 0)
    berlin = db.read_now(sites.by_name, ACME_BERLIN)
    whole = Principal("wang", Role.CUSTOMER, customer_id=berlin.customer_id)
    limited = Principal("li", Role.CUSTOMER, customer_id=berlin.customer_id, site_ids=frozenset((berlin.id,)))
    ids = {one.id: one.site_id for site in (ACME_BERLIN, ROME, OSAKA) for one in _tickets(db, site)}
    for who, seen in ((limited, {ACME_BERLIN}), (whole, {ACME_BERLIN, ROME})):
        told = {topic.removeprefix("ticket-") for topic in topics_of(found, who) if topic.startswith("ticket-")}
        assert {ids[one] for one in told} == {db.read_now(sites.by_name, name).id for name in seen}


def _tickets(db: Database, site: str) -> list[Any]:
    return [one.ticket for one in db.read_now(tickets.listing, site=site)]


def _history(db: Database, number: str) -> int:
    return len(db.read_now(lambda tx: tickets.history_of(tx, tickets.by_number(tx, number).id)))
