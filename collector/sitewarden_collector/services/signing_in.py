"""Signing in: who may try how often, what is still missing, and the session that comes of it.

A session is `pending` until nothing is missing: `code` (the second factor), `enrol` (the role must have one and there
is none yet), `password` (it must be changed). Each step gives the session another secret. Attempts are counted before
they are looked at, per account and per address, in the database: several processes count together.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from sitewarden_collector.config import SignIn
from sitewarden_collector.errors import Forbidden
from sitewarden_collector.services import audit
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.accounts import principal_of
from sitewarden_collector.store import accounts, attempts, web_sessions
from sitewarden_collector.store.accounts import Account
from sitewarden_collector.store.web_sessions import WebSession

WRONG = "this name and password do not belong together"
OF_ACCOUNT = 6  # attempts that fail in a row, then one must wait: 30 s, and twice as long each time
OF_ADDRESS = 40
WAIT_NS = 30 * 1_000_000_000
WAIT_MAX_NS = 900 * 1_000_000_000
FORGET_NS = 3600 * 1_000_000_000  # without a further attempt
_SECOND_NS = 1_000_000_000


class TooOften(Forbidden):
    """There were too many attempts; `retry_after_s` says how long to wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"there were too many attempts; try again in {retry_after_s} seconds")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class SignedIn:
    session: WebSession
    account: Account
    principal: Principal


@dataclass(frozen=True, slots=True)
class Begun:
    """A session and its secret, which only the browser keeps."""

    session_id: str
    secret: str
    pending: str

    def __repr__(self) -> str:
        return f"Begun({self.session_id!r}, {self.pending!r})"


def attempt(tx: Connection, name: str, address: str, *, now_ns: int) -> None:
    """Count an attempt to sign in; raises TooOften, whether or not there is such an account.

    It runs in a transaction of its own, which stays even when the attempt fails.
    """
    for key, most in ((_of_account(name), OF_ACCOUNT), (_key("address", address), OF_ADDRESS)):
        wait_ns = attempts.blocked_for(tx, key, now_ns=now_ns)
        if wait_ns > 0:
            raise TooOften(-(-wait_ns // _SECOND_NS))
        count = attempts.count(tx, key, forget_ns=FORGET_NS, now_ns=now_ns)
        if count >= most:
            wait_ns = min(WAIT_NS << min(count - most, 10), WAIT_MAX_NS)
            attempts.block(tx, key, until_ns=now_ns + wait_ns)


def begin(
    tx: Connection,
    account: Account,
    policy: SignIn,
    *,
    address: str,
    browser: str,
    by_provider: bool = False,
    now_ns: int,
) -> Begun:
    """The session of somebody who gave the right password, or whom a provider sent."""
    pending = "" if by_provider else _missing(account, policy)
    secret = secrets.token_urlsafe(32)
    until_ns = now_ns + int(policy.session_days * 86_400 * _SECOND_NS)
    session_id = web_sessions.add(
        tx,
        account.id,
        token_sha256=_sha256(secret),
        pending=pending,
        until_ns=until_ns,
        address=address,
        browser=browser,
        now_ns=now_ns,
    )
    if pending != "code":
        attempts.clear(tx, _of_account(account.name))
    if not pending:
        _complete(tx, account, now_ns=now_ns)
    return Begun(session_id, secret, pending)


def go_on(tx: Connection, session: WebSession, policy: SignIn, *, now_ns: int) -> Begun:
    """The step that was pending is done, or what the session may has changed: it gets another secret."""
    account = accounts.by_id(tx, session.account_id)
    pending = _missing(account, policy, has_code=True) if session.pending else ""
    secret = secrets.token_urlsafe(32)
    web_sessions.rotate(tx, session.id, token_sha256=_sha256(secret), pending=pending)
    if session.pending == "code":
        attempts.clear(tx, _of_account(account.name))
    if session.pending and not pending:
        _complete(tx, account, now_ns=now_ns)
    return Begun(session.id, secret, pending)


def refused(tx: Connection, name: str, why: str, *, customer_id: str = "", now_ns: int) -> None:
    """Note in the audit log that somebody did not get in."""
    audit.note(tx, name[:100], "fail_sign_in", why, customer_id=customer_id, now_ns=now_ns)


def find(tx: Connection, secret: str, policy: SignIn, *, now_ns: int) -> SignedIn | None:
    """The session that a browser has the secret of; None when it has ended."""
    session = web_sessions.find(tx, _sha256(secret)) if secret else None
    if session is None or session.until_ns <= now_ns or session.seen_ns < idle_since_ns(policy, now_ns=now_ns):
        return None
    account = accounts.by_id(tx, session.account_id)
    if account.disabled_ns is not None:
        return None
    return SignedIn(session, account, principal_of(account))


def touch(tx: Connection, session_id: str, *, now_ns: int) -> None:
    """The session was used."""
    web_sessions.touch(tx, session_id, now_ns=now_ns)


def sign_out(tx: Connection, session: WebSession, who: str, *, now_ns: int) -> None:
    web_sessions.end(tx, session.account_id, session_id=session.id)
    audit.note(tx, who, "sign_out", who, now_ns=now_ns)


def idle_since_ns(policy: SignIn, *, now_ns: int) -> int:
    return now_ns - int(policy.idle_hours * 3600 * _SECOND_NS)


def _missing(account: Account, policy: SignIn, *, has_code: bool = False) -> str:
    if account.has_second_factor and not has_code:
        return "code"
    if account.password_due:
        return "password"
    return "enrol" if account.role in policy.second_factor_roles and not account.has_second_factor else ""


def _complete(tx: Connection, account: Account, *, now_ns: int) -> None:
    accounts.change(tx, account.id, signed_in_ns=now_ns)
    audit.note(tx, account.name, "sign_in", account.name, customer_id=account.customer_id, now_ns=now_ns)


def _of_account(name: str) -> str:
    return _key("account", accounts.name_key(name))


def _key(kind: str, what: str) -> str:
    return _sha256(f"{kind} {what}")


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
