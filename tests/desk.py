"""The desk on a test's database: the context that every page and route may use, and the application over it."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.fernet import Fernet
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from sitewarden_collector.config import Config
from sitewarden_collector.http_api import app as http_app
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.context import Context
from sitewarden_collector.web.live import Live
from tests.cast import NOON, FakeClock

SECRET = Fernet(Fernet.generate_key())


def make_context(db: Database, *, config: Config | None = None, now_ns: Callable[[], int] = lambda: NOON) -> Context:
    """A context whose time stands at noon, unless told otherwise."""
    return Context(db, config or Config(), now_ns, SECRET, Live(db, FakeClock()), lambda: None)


def make_app(context: Context) -> FastAPI:
    """The whole HTTP side over `context`."""
    return http_app.make(context, registry=CollectorRegistry(), ca_pem=b"-----BEGIN CERTIFICATE-----\n")
