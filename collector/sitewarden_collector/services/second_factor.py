"""The second factor: codes of an authenticator app (TOTP, RFC 6238), each taken once, and recovery codes for when it is
lost.

The secret rests encrypted; recovery codes rest as hashes, which is enough as they are random and long.
"""

from __future__ import annotations

import hmac
import io
import secrets
from hashlib import sha256

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection

from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import audit
from sitewarden_collector.services.secrets import opened, sealed
from sitewarden_collector.store import accounts
from sitewarden_collector.store.accounts import Account

STEP_S = 30
DRIFT = 1  # steps that a clock may be off, either way
RECOVERY_CODES = 10
OFFER_S = 3600  # how long an offered secret can be confirmed
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


def offer(key: Fernet, account: Account) -> str:
    """A new secret for an account, sealed: it counts once a code of it has confirmed it."""
    return sealed(key, f"{account.id} {pyotp.random_base32()}")


def secret_of(key: Fernet, account: Account, offered: str) -> str:
    """The secret that was offered to this account; raises Invalid."""
    try:
        owner, _, secret = key.decrypt(offered.encode(), ttl=OFFER_S).decode().partition(" ")
    except InvalidToken:
        owner = secret = ""
    if owner != account.id:
        raise Invalid("this took too long; begin again with a new picture")
    return secret


def address(secret: str, account: Account) -> str:
    """What the picture says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="Sitewarden")


def picture(secret: str, account: Account) -> str:
    """The QR code for the app, as SVG that stands in the page: no other host is asked, and no style is needed."""
    drawn = io.BytesIO()
    segno.make(address(secret, account), error="m").save(
        drawn, kind="svg", scale=5, border=4, xmldecl=False, svgns=True, dark="#000", light="#fff"
    )
    return drawn.getvalue().decode()


def confirm(tx: Connection, key: Fernet, account_id: str, offered: str, code: str, *, now_ns: int) -> tuple[str, ...]:
    """Have the account use the offered secret from now on; the recovery codes, which are shown once. Raises Invalid."""
    account = accounts.by_id(tx, account_id)
    secret = secret_of(key, account, offered)
    step = _step_of(secret, code, after=0, now_ns=now_ns)
    if step is None:
        raise Invalid(
            "this is not the code that the app shows now; see that the clocks are right, and try the next one"
        )
    codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    accounts.change(
        tx,
        account_id,
        totp_sealed=sealed(key, secret),
        totp_step=step,
        recovery=tuple(_hash(one) for one in codes),
    )
    audit.note(tx, account.name, "set_second_factor", account.name, customer_id=account.customer_id, now_ns=now_ns)
    return codes


def take(tx: Connection, key: Fernet, account_id: str, code: str, *, now_ns: int) -> bool:
    """Whether this is a code of the account that was not used before; from now on it was."""
    account = accounts.by_id(tx, account_id)
    if not account.has_second_factor:
        return False
    step = _step_of(opened(key, account.totp_sealed), code, after=account.totp_step, now_ns=now_ns)
    if step is not None:
        return accounts.take_step(tx, account_id, step)
    if accounts.take_recovery(tx, account, _hash(code)):
        audit.note(tx, account.name, "use_recovery_code", account.name, customer_id=account.customer_id, now_ns=now_ns)
        return True
    return False


def _step_of(secret: str, code: str, *, after: int, now_ns: int) -> int | None:
    """The step that the code belongs to, of those around now that come after the last one used."""
    given = "".join(code.split())
    totp, now = pyotp.TOTP(secret), now_ns // (STEP_S * 1_000_000_000)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        right = hmac.compare_digest(totp.at(step * STEP_S).encode(), given.encode())
        if right and step > after:
            found = step
    return found


def _recovery_code() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _hash(code: str) -> str:
    return sha256("".join(letter for letter in code.lower() if letter.isalnum()).encode()).hexdigest()
