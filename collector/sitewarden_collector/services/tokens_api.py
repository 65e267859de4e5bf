"""API tokens: made once and shown once, found by their hash, each acting as its account within its scopes.

swt_ and 40 letters and digits, of which the last six are a checksum: scanners for leaked secrets can tell one
"""

from __future__ import annotations

import secrets
import string
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from sitewarden_collector.errors import Forbidden, Invalid
from sitewarden_collector.services.access import ALLOWED, Permission, Principal, Role
from sitewarden_collector.services.accounts import principal_of
from sitewarden_collector.store import accounts, api_tokens
from sitewarden_collector.store.accounts import Account
from sitewarden_collector.store.api_tokens import ApiToken
from sitewarden_collector.store.base import new_id

PREFIX = "swt_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM = 34  # letters; 202 bits
DAYS_MAX = 730
_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    token: ApiToken
    principal: Principal


@dataclass(frozen=True, slots=True)
class Made:
    """`text` is the secret: it is shown once and kept nowhere."""

    id: str
    text: str
    expires_ns: int

    def __repr__(self) -> str:
        return f"Made({self.id!r})"


def create(tx: Connection, account: Account, name: str, *, scopes: Collection[str], days: float, now_ns: int) -> Made:
    """A token of an account; raises Invalid, or Forbidden for a scope that the account itself may not."""
    known = {permission.value for permission in Permission}
    if not name.strip():
        raise Invalid("a token needs a name that says what uses it")
    if unknown := sorted(set(scopes) - known):
        raise Invalid(f"there is no scope {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if not scopes:
        raise Invalid("give the token at least one scope, as tickets:read")
    if missing := sorted(set(scopes) - ALLOWED[Role(account.role)]):
        raise Forbidden(f"the role {account.role} of {account.name} may not {', '.join(missing)}")
    if not 0 < days <= DAYS_MAX:
        raise Invalid(f"a token is good for more than 0 and at most {DAYS_MAX} days")
    text = _new()
    made = Made(new_id(), text, now_ns + int(days * _DAY_NS))
    api_tokens.add(
        tx,
        made.id,
        account_id=account.id,
        name=name.strip()[:100],
        scopes=sorted(set(scopes)),
        token_sha256=sha256(text.encode()).hexdigest(),
        hint=text[-4:],
        created_ns=now_ns,
        expires_ns=made.expires_ns,
    )
    return made


def find(tx: Connection, text: str, *, now_ns: int) -> Found | None:
    """The token and who it acts as; None when it is not good."""
    if not is_wellformed(text):
        return None
    token = api_tokens.find(tx, sha256(text.encode()).hexdigest())
    if token is None or token.state(now_ns=now_ns) != "good":
        return None
    account = accounts.by_id(tx, token.account_id)
    if account.disabled_ns is not None:
        return None
    known = {permission.value: permission for permission in Permission}
    scopes = frozenset(known[scope] for scope in token.scopes if scope in known)
    return Found(token, principal_of(account, scopes=scopes))


def touch(tx: Connection, token_id: str, *, now_ns: int) -> None:
    """The token was used."""
    api_tokens.touch(tx, token_id, now_ns=now_ns)


def is_wellformed(text: str) -> bool:
    """Whether this can be a token at all, by its checksum."""
    body = text.removeprefix(PREFIX)
    return len(body) == RANDOM + 6 and text.startswith(PREFIX) and text.isascii() and _check(body[:RANDOM]) == body[-6:]


def _new() -> str:
    body = "".join(secrets.choice(LETTERS) for _ in range(RANDOM))
    return PREFIX + body + _check(body)


def _check(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, len(LETTERS))
        letters = LETTERS[rest] + letters
    return letters
