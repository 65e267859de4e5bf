"""The desk over HTTP: the API with a token, the pages with a session, and the form to sign in."""

from __future__ import annotations

import asyncio
import hmac
import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from sqlalchemy import Connection

from sitewarden_collector.services import oncall
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, NOON, settle_agent
from tests.desk import bearer, make_app, make_context, signed_in
from tests.fuzz.run import Target, must

VISITOR = {"Cookie": "sitewarden_visitor=abc"}
FORGED = b"csrf_token=" + hmac.new(b"abc", b"sitewarden csrf", sha256).hexdigest().encode() + b"&"


@dataclass(frozen=True, slots=True)
class Desk:
    app: FastAPI
    program: dict[str, str]
    browser: dict[str, str]


@cache
def _desk() -> Desk:
    database = Database(f"sqlite:///{tempfile.mkdtemp(prefix='sitewarden-fuzz-')}/collector.db")
    tables().create_all(database.engine)
    database.write_now(_settle)
    app = make_app(make_context(database))
    return Desk(app, bearer(database, "admin"), signed_in(database, "admin", name="root"))


def _settle(tx: Connection) -> None:
    settle_agent(tx)
    for title in ("orders hang", "no stock"):
        reporting.report(tx, ACME_BERLIN, title, by=ADA, now_ns=NOON)
    oncall.add(tx, "support", zone="Europe/Berlin", managers=(ADA,), now_ns=NOON)


def ask(method: bytes, address: bytes, headers: dict[str, str], kind: bytes, body: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    status, parts = [0], [b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
        else:
            parts.append(message.get("body", b""))

    target, _, query = address.partition(b"?")
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.decode("latin-1").upper() or "GET",
        "scheme": "http",
        "path": target.decode("utf-8", "replace"),
        "raw_path": target,
        "query_string": query.replace(b"\n", b""),
        "root_path": "",
        "headers": [
            (b"host", b"desk"),
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            *sent,
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(_desk().app(scope, receive, send))
    return status[0], b"".join(parts)


def call_api(data: bytes) -> str:
    """`METHOD path?query`, then a body: never a status 5xx, and every refusal is a problem that says what to do."""
    line, _, body = data.partition(b"\n")
    method, _, path = line.partition(b" ")
    kind = b"application/json"
    if b".csv" in path:
        kind = b"text/csv"
    status, answer = ask(method, b"/api/v1/" + path.lstrip(b"/ "), _desk().program, kind, body)
    must(0 < status < 500, f"status {status}")
    must(status < 400 or b'"detail"' in answer or method == b"HEAD", "a refusal that says nothing")
    return str(status)


def open_page(data: bytes) -> str:
    """`METHOD path?query`, then a form: never a status 5xx, and nothing that was sent comes back as markup."""
    line, _, body = data.partition(b"\n")
    method, _, path = line.partition(b" ")
    if path.startswith(b"/live") or b"signout" in path or b"sessions" in path or b"/account/p" in path:
        return "left out"  # has no end, or ends the session
    marked = path + (b"&" if b"?" in path else b"?") + b"text=" + quote("<img src=x>").encode()
    status, answer = ask(method, marked, _desk().browser, b"application/x-www-form-urlencoded", body)
    must(0 < status < 500, f"status {status}")
    must(b"<img src=x>" not in answer or not answer.lstrip().startswith(b"<"), "markup from outside in a page")
    return str(status)


def sign_in(data: bytes) -> str:
    """A form of whatever: nobody who has no account gets in."""
    status, _ = ask(b"POST", b"/signin", VISITOR, b"application/x-www-form-urlencoded", FORGED + data)
    must(status in (400, 401, 403, 422, 429), f"status {status}")
    return str(status)


TARGETS = (
    Target(
        "request to the api",
        (
            b"GET /tickets?state=new&limit=5&sort=-opened&q=a",
            b"GET /tickets?cursor=gAAAAABx&limit=1",
            b"GET /sites/acme-berlin/series?series=load1&since=2026-11-24T00:00:00Z",
            b'POST /tickets\n{"site":"acme-berlin","title":"x","type":"incident","severity":3,"text":"y"}',
            b'POST /tickets/INC-1001/comment\n{"text":"seen","visibility":"customer"}',
            b'POST /silences\n{"site":"acme-berlin","for_s":3600,"reason":"x"}',
            b'POST /maintenance\n{"site":"acme-berlin","begins":"2026-11-25T00:00:00Z","ends":"2026-11-25T01:00:00Z",'
            b'"reason":"x","every_days":7}',
            b'POST /webhooks\n{"url":"https://h.example.com/x","events":["ticket.*"]}',
            b"GET /audit?since=2026-11-24T00:00:00Z&limit=3",
            b"GET /oncall/support/shifts?since=2026-11-24T00:00:00Z",
            b'PATCH /contracts/CON-1\n{"name":"x","goals":{"1":{"resolution":{"seconds":3600,"calendar":""}}}}',
            b'POST /calendars\n{"name":"o","zone":"Europe/Berlin","week":"mon-fri 09:00-18:00"}',
            b'POST /problems/PRB-101/tasks\n{"text":"x","owner":"ada","due":"2026-11-25T00:00:00Z"}',
            b"GET /faults?q=a&limit=2",
            b"GET /tasks?owner=ada",
            b'POST /hooks/tracker\n{"reference":"x","state":"y"}',
        ),
        call_api,
        sample=100,
    ),
    Target(
        "page of the console",
        (
            b"GET /?sort=left&page=2&state=all",
            b"GET /tickets/INC-1001?span=24h",
            b"GET /sites/acme-berlin/chart?what=disk&span=7d",
            b"GET /oncall?skip=-3",
            b"POST /tickets/new\ntitle=x&site=acme-berlin&severity=3&text=y",
            b"POST /silences\nsite=acme-berlin&length=4h&reason=x",
            b"POST /maintenance\nsite=acme-berlin&from=2026-11-25T09:00&until=2026-11-25T10:00&every_days=7&reason=x",
            b"POST /oncall/people\nperson=ada&quiet_from=22:00&quiet_until=06:00&zone=Asia/Shanghai",
            b"POST /contracts\ncustomer=acme&name=x&from=2026-01-01&p1_resolution=4h&remote=3",
            b"POST /calendars\nname=office&zone=Europe/Berlin&week=mon-fri 09:00-18:00",
            b"GET /admin/audit?since=2026-11-24T00:00&before=3&customer=acme",
            b"GET /admin/queues?state=failed&page=2",
            b"POST /admin/webhooks\nurl=https://h.example.com/x&events=ticket.*",
            b"POST /tickets/INC-1001/clock\ntarget=resolution&from=2026-11-24T09:00&until=2026-11-24T10:00&reason=x",
            b"POST /tickets/INC-1001/visits\nplanned=2026-11-25T09:00&engineer=ada",
            b"POST /tickets/INC-1002/propose\ntext=x&hours=3.5",
        ),
        open_page,
        sample=60,
    ),
    Target(
        "form to sign in", (b"name=ada&password=secret", b"name=%00&password=%ff", b"password=" + b"x" * 500), sign_in
    ),
)
