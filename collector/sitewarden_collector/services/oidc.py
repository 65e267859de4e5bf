"""Signing in with a provider of OpenID Connect: the code flow with PKCE, state and nonce, and what its claims mean.

    begin(provider)            where to send the browser, and what it must bring back (kept sealed in a cookie)
    claims(provider, ...)      who came back, by an ID token whose signature, issuer, audience, times, nonce are right
    account_of(tx, ...)        their account, made or brought up to date; raises Forbidden for those who do not get in

Groups say roles and customers, at each sign-in anew. An account belongs to the provider's subject, never to a name or a
mail address: a local account of the same name is not taken over. Not here: sessions.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import Connection

from sitewarden_collector.config import Oidc
from sitewarden_collector.errors import ChannelUnavailable, Forbidden
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services.access import Role
from sitewarden_collector.store import accounts, sites
from sitewarden_collector.store.accounts import Account

TIMEOUT_S = 10.0
LEEWAY_S = 60
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]  # never none, never a shared secret
RANK = (Role.ADMIN, Role.MANAGER, Role.ENGINEER, Role.VIEWER, Role.CUSTOMER)
REFUSED = "the provider knows you, but your groups and address do not let you in here; ask an administrator"


@dataclass(frozen=True, slots=True)
class Provider:
    config: Oidc
    back: str  # the address that the browser returns to
    authorize: str
    token: str
    keys: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser must bring back. `repr` keeps it out of logs."""

    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        return "Asked()"


async def discover(config: Oidc, back: str) -> Provider:
    """What the provider says of itself; raises ChannelUnavailable."""
    found = await _get(f"{config.issuer.rstrip('/')}/.well-known/openid-configuration")
    if str(found.get("issuer", "")).rstrip("/") != config.issuer.rstrip("/"):
        raise ChannelUnavailable("the sign-in provider calls itself by another name than oidc.issuer says")
    plain = config.issuer.startswith("http://")
    for name in ENDPOINTS:
        address = found.get(name)
        if not isinstance(address, str) or not (address.startswith("https://") or plain):
            raise ChannelUnavailable(f"the sign-in provider does not say its {name}, as an https address")
    return Provider(config, back, *(str(found[name]) for name in ENDPOINTS))


def begin(provider: Provider) -> tuple[str, Asked]:
    """Where to send the browser, and what it must bring back."""
    asked = Asked(generate_token(32), generate_token(32), generate_token(64))
    url = prepare_grant_uri(
        provider.authorize,
        client_id=provider.config.client_id,
        response_type="code",
        redirect_uri=provider.back,
        scope=provider.config.scopes,
        state=asked.state,
        nonce=asked.nonce,
        code_challenge=create_s256_code_challenge(asked.verifier),
        code_challenge_method="S256",
    )
    return str(url), asked


async def claims(provider: Provider, asked: Asked, *, state: str, code: str, now_ns: int) -> Mapping[str, Any]:
    """Who came back; raises Forbidden when anything about it is not right."""
    if not state or not secrets.compare_digest(state.encode(), asked.state.encode()):
        raise Forbidden("this sign-in was not begun in this browser; begin again")
    got = await _redeem(provider, code, asked.verifier)
    try:
        keys = KeySet.import_key_set(await _get(provider.keys))  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        raise ChannelUnavailable("the sign-in provider's keys cannot be read; try again") from None
    return check(str(got.get("id_token", "")), keys, provider.config, nonce=asked.nonce, now_s=now_ns // 1_000_000_000)


def check(id_token: str, keys: KeySet, config: Oidc, *, nonce: str, now_s: int) -> Mapping[str, Any]:
    """The claims of an ID token that is right in every way; raises Forbidden."""
    try:
        found = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, KeyError):
        raise Forbidden("the sign-in provider's token is not signed as it should be; begin again") from None
    audience = found.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    right = (
        str(found.get("iss", "")).rstrip("/") == config.issuer.rstrip("/")
        and config.client_id in audiences
        and (len(audiences) == 1 or found.get("azp") == config.client_id)
        and found.get("azp", config.client_id) == config.client_id
        and _number(found.get("exp")) > now_s - LEEWAY_S
        and _number(found.get("iat", now_s)) < now_s + LEEWAY_S
        and _number(found.get("nbf", 0)) < now_s + LEEWAY_S
        and secrets.compare_digest(str(found.get("nonce", "")).encode("utf-8", "replace"), nonce.encode())
        and isinstance(found.get("sub"), str)
        and found["sub"]
    )
    if not right:
        raise Forbidden("the sign-in provider's token is not for this sign-in, or too old; begin again")
    return found


def account_of(tx: Connection, config: Oidc, told: Mapping[str, Any], *, now_ns: int) -> Account:
    """The account of whoever the provider knows; raises Forbidden for those who do not get in."""
    issuer, subject = config.issuer.rstrip("/"), str(told["sub"])
    if _kept(subject) != subject:
        raise Forbidden(REFUSED)
    role, customer = rights(config, told)
    found = accounts.by_subject(tx, issuer, subject)
    if found is None:
        made = accounting.add(
            tx,
            _free_name(tx, told),
            role=role,
            customer=customer,
            email=_kept(told.get("email", "")),
            issuer=issuer,
            subject=subject,
            by=issuer,
            now_ns=now_ns,
        )
        return accounts.by_id(tx, made.id)
    if found.disabled_ns is not None:
        raise Forbidden("this account is switched off; ask an administrator")
    customer_id = sites.customer_id_of(tx, customer) if customer else ""
    if (found.role, found.customer_id) != (role, customer_id):
        accounting.set_role(tx, found.name, role=role, customer=customer, by=issuer, now_ns=now_ns)
    return accounts.by_id(tx, found.id)


def rights(config: Oidc, told: Mapping[str, Any]) -> tuple[str, str]:
    """The role, and the customer's name where it is `customer`; raises Forbidden."""
    domain = str(told.get("email", "")).rpartition("@")[2].lower()
    allowed = {one.lower() for one in config.domains}
    if allowed and (domain not in allowed or told.get("email_verified") is not True):
        raise Forbidden(REFUSED)
    claimed = told.get(config.groups_claim, [])
    groups = [str(one) for one in claimed] if isinstance(claimed, list) else [str(claimed)]
    roles = {config.roles[group] for group in groups if group in config.roles}
    role = next((one.value for one in RANK if one in roles), config.default_role)
    if role not in set(Role):
        raise Forbidden(REFUSED)
    if role != Role.CUSTOMER:
        return role, ""
    named = sorted({config.customers[group] for group in groups if group in config.customers})
    if len(named) != 1:
        raise Forbidden(REFUSED)
    return role, named[0]


def _free_name(tx: Connection, told: Mapping[str, Any]) -> str:
    wanted = str(told.get("preferred_username") or told.get("email") or told.get("name") or told["sub"])
    name = "".join(letter for letter in wanted if letter.isprintable())[:80].strip() or "somebody"
    free, number = name, 1
    while accounts.find(tx, free) is not None or free.casefold() in accounting.RESERVED:
        number += 1
        free = f"{name} ({number})"
    return free


async def _redeem(provider: Provider, code: str, verifier: str) -> dict[str, Any]:
    """What the provider gives for the code; raises Forbidden when it gives nothing."""
    config = provider.config
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": provider.back, "code_verifier": verifier}
    path = config.client_secret_file
    secret = (await asyncio.to_thread(Path(path).read_text, encoding="utf-8")).strip() if path else ""
    basic = httpx.BasicAuth(quote(config.client_id, safe=""), quote(secret, safe="")) if secret else None
    try:
        async with httpx.AsyncClient(auth=basic, timeout=TIMEOUT_S) as client:
            answer = await client.post(provider.token, data=sent | {"client_id": config.client_id})
            got = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError):
        raise ChannelUnavailable("the sign-in provider does not answer as it should; try again") from None
    if answer.status_code != 200 or not isinstance(got, dict):
        raise Forbidden("the sign-in provider did not take the code; begin again")
    return got


async def _get(url: str) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            found = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError):
        raise ChannelUnavailable("the sign-in provider does not answer as it should; try again") from None
    if not isinstance(found, dict):
        raise ChannelUnavailable("the sign-in provider does not answer as it should; try again")
    return found


def _kept(value: object) -> str:
    """A claim's text without what no database keeps: NUL, and halves of surrogate pairs."""
    return str(value).replace("\0", "").encode("utf-8", "ignore").decode()


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else float("nan")
