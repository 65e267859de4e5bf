"""HTTP: what is asked of the collector, and what services answer to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import MutableMapping
from functools import cache
from typing import Any

from fastapi import FastAPI

from sitewarden_agent.observe import probe_http
from sitewarden_collector.channels import bots, http, open_channel
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests.desk import make_app, make_context
from tests.fuzz.run import Target, must

SECRET = "hunter2secret"
LIMIT = probe_http.BODY_MAX_BYTES


@cache
def _app() -> FastAPI:
    database = Database(f"sqlite:///{tempfile.mkdtemp(prefix='sitewarden-fuzz-')}/collector.db")
    tables().create_all(database.engine)
    return make_app(make_context(database))


def ask(data: bytes) -> str:
    """The first line is the path, the second the method, then come headers, then a body. Never a status 5xx."""
    lines = data.split(b"\n", 3)
    path, method, header, body = (*lines, b"", b"", b"")[:4]
    name, _, value = header.partition(b":")
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    target, _, query = path.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.decode("latin-1") or "GET",
        "scheme": "http",
        "path": target.decode("utf-8", "replace"),
        "raw_path": target,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"hq"), (name.lower(), value.strip())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(_app()(scope, receive, send))
    assert len(statuses) == 1
    assert statuses[0] < 500
    return str(statuses[0])


def read_answer(data: bytes) -> str:
    """What a bot's service answers is a code or is not; it never stops the sender."""
    code = bots.code_of(data)
    return "no code" if code is None else "taken" if code == 0 else "refused"


def read_url(data: bytes) -> str:
    """A channel's URL is understood, or refused without being quoted."""
    text = data.decode("utf-8", "replace")
    try:
        http.parse("desk", text)
    except ConfigError as error:
        must(SECRET not in str(error), "the secret is shown")
        return "refused"
    return "understood"


def open_any(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    try:
        open_channel("desk", text)
    except ConfigError as error:
        must(SECRET not in str(error), "the secret is shown")
        return "refused"
    return "opened"


def probe(data: bytes) -> str:
    """Whatever a product's page answers, the probe has a result or a reason."""

    async def look() -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(data)
                await writer.drain()
            writer.transport.abort() if data[:1] == b"!" else writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                async with asyncio.timeout(5):
                    page = await probe_http.get(
                        f"http://127.0.0.1:{port}/health", probe_http.Asking(body_max_bytes=LIMIT)
                    )
            except (OSError, probe_http.BadAnswer) as error:
                return type(error).__name__
            assert 200 <= page.status <= 599
            assert len(page.body) <= LIMIT
            return str(page.status // 100)

    return asyncio.run(look())


TARGETS = (
    Target(
        "page of a product",
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:eighty/\r\n\r\n",
        ),
        probe,
    ),
    Target("http request", (b"/healthz\nGET\naccept: */*\n", b"/metrics?a=b\nGET\n", b"/ca.pem\nHEAD\n\n{}"), ask),
    Target("bot's answer", (b'{"errcode":0,"errmsg":"ok"}', json.dumps({"code": 19024}).encode(), b"[]"), read_answer),
    Target("webhook's url", (f"https://u:{SECRET}@h.example:8443/p?q=1#f".encode(), b"http://[::1]:80/"), read_url),
    Target(
        "channel's url",
        (f"mailtos://ada:{SECRET}@mail.example?to=b@c.example".encode(), b"log:", f"dingtalk://{SECRET}".encode()),
        open_any,
    ),
)
