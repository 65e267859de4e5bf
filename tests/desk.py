"""The desk on a test's database: the context that every page and route may use, and the application over it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Any

from cryptography.fernet import Fernet
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from sitewarden_collector.config import Config, SignIn
from sitewarden_collector.console import app as console_app
from sitewarden_collector.http_api import app as http_app
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import signing_in, tokens_api
from sitewarden_collector.services.access import ALLOWED, Role
from sitewarden_collector.store import accounts
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
    app = http_app.make(context, registry=CollectorRegistry(), ca_pem=b"-----BEGIN CERTIFICATE-----\n")
    app.mount("/", console_app.make(context))
    return app


def signed_in(
    db: Database, role: str = "engineer", *, name: str = "", now_ns: int = NOON, **account: Any
) -> dict[str, str]:
    """The headers of a browser in which somebody of that role is signed in, as a page of ours sends them: the cookie,
    and the token against forged requests."""

    def sign_in(tx: Connection) -> str:
        made = accounts.find(tx, name or role)
        if made is None:
            made = accounting.add(tx, name or role, role=role, by="test", now_ns=now_ns, **account)
        policy = SignIn(second_factor_roles=())
        return signing_in.begin(tx, made, policy, address="127.0.0.1", browser="test", now_ns=now_ns).secret

    secret = db.write_now(sign_in)
    token = hmac.new(secret.encode(), b"sitewarden csrf", sha256).hexdigest()
    return {"Cookie": f"sitewarden={secret}", "X-CSRF-Token": token}


def bearer(
    db: Database, role: str = "engineer", *, scopes: Collection[str] = (), now_ns: int = NOON, **account: Any
) -> dict[str, str]:
    """The headers of a program whose token acts as an account of that role, with all that the role may unless told."""

    def make(tx: Connection) -> str:
        made = accounts.find(tx, f"{role}-program")
        if made is None:
            made = accounting.add(tx, f"{role}-program", role=role, by="test", now_ns=now_ns, **account)
        may = scopes or [permission.value for permission in ALLOWED[Role(role)]]
        return tokens_api.create(tx, made, "test", scopes=may, days=30, now_ns=now_ns).text

    return {"Authorization": f"Bearer {db.write_now(make)}"}
