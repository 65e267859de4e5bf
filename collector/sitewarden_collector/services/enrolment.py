"""Who becomes an agent, and who stays one: tokens, first certificates, renewals, and the vendor's own authority."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from sitewarden_collector import pki
from sitewarden_collector.config import PkiConfig
from sitewarden_collector.errors import Conflict, Refused
from sitewarden_collector.pki import Authority
from sitewarden_collector.store import agents, certificates, lock, sites, tokens, welcomes
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.certificates import Certificate
from sitewarden_collector.store.welcomes import Standing

TOKEN_PREFIX = "swt1_"  # noqa: S105  public: what a token begins with
RENEWAL_WINDOW_NS = 600 * 1_000_000_000  # how far the time in a signed renewal may be from ours
_TOKEN_ID = re.compile(r"[0-9a-f-]{36}")  # anything may be sent here, and no database takes everything
_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Applicant:
    """What a new agent says of itself. None of it is trusted for who it is."""

    hostname: str
    machine_fingerprint: str
    version: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, and whose it is."""

    certificate_der: bytes
    chain_der: tuple[bytes, ...]
    agent_id: str
    site_id: str
    site_name: str


class OtherMachine(Refused):
    """The key of `agent` is used on another machine than the one that enrolled: a copy, or a thief."""

    def __init__(self, agent: Agent) -> None:
        super().__init__("QUARANTINED", "this identity was used on two machines; enrol each host anew")
        self.agent = agent


@dataclass(frozen=True, slots=True)
class IssuedToken:
    id: str
    text: str  # holds the secret: shown once, stored nowhere
    site_name: str
    expires_ns: int


def ensure_authority(tx: Connection, data_dir: Path, *, now_ns: int) -> Authority:
    """The authority of this installation, founded when there is none yet; raises DatabaseUnusable."""
    if certificates.authority_of(tx, "intermediate") is None:
        lock.in_turn(tx, "authority")  # of several collectors that are started at once, one founds it
    root = certificates.authority_of(tx, "root")
    intermediate = certificates.authority_of(tx, "intermediate")
    if root is None or intermediate is None:
        return _found_authority(tx, data_dir, now_ns=now_ns)
    sealed = intermediate[1]
    assert sealed is not None
    return pki.open_authority(root[0], intermediate[0], sealed, pki.secret_key(data_dir, create=False))


def create_token(
    tx: Connection,
    authority: Authority,
    *,
    site_name: str,
    customer_name: str | None,
    endpoints: Sequence[str],
    lifetime_s: int,
    now_ns: int,
) -> IssuedToken:
    """A one-time token for one host of a site, which is made (with its customer) when it is new.

    The token carries the root's fingerprint, so that an agent knows us before it sends anything.
    """
    if sites.find(tx, site_name) is None:
        lock.in_turn(tx, "new site")  # two collectors may be asked for the same new one at once
    site = sites.find(tx, site_name)
    if site is None:
        customer_id = sites.ensure_customer(tx, customer_name or site_name, now_ns=now_ns)
        site = sites.add(tx, site_name, customer_id=customer_id, now_ns=now_ns)
    elif customer_name is not None and customer_name != site.customer_name:
        raise Conflict(f"site {site_name!r} belongs to customer {site.customer_name!r}, not {customer_name!r}")
    token_id, secret = new_id(), secrets.token_urlsafe(24)
    expires_ns = now_ns + lifetime_s * 1_000_000_000
    tokens.add(
        tx,
        token_id,
        customer_id=site.customer_id,
        site_id=site.id,
        secret_sha256=_sha256(secret),
        created_ns=now_ns,
        expires_ns=expires_ns,
    )
    content = {"i": token_id, "s": secret, "f": authority.root_sha256, "e": list(endpoints)}
    packed = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=").decode()
    return IssuedToken(token_id, TOKEN_PREFIX + packed, site.name, expires_ns)


def enroll(
    tx: Connection,
    authority: Authority,
    *,
    token_id: str,
    token_secret: str,
    csr_der: bytes,
    applicant: Applicant,
    policy: PkiConfig,
    now_ns: int,
) -> Issued:
    """Spend a token on a new agent; raises Refused (TOKEN_*, CSR_INVALID).

    The same request again (its answer was lost on the way) gets the same certificate again.
    """
    key = pki.public_key_of_csr(csr_der)
    token = tokens.find(tx, token_id) if _TOKEN_ID.fullmatch(token_id) else None
    # The comparison takes as long for a token that is not there as for one that is.
    stored = token.secret_sha256 if token is not None else _sha256("")
    if not hmac.compare_digest(stored, _sha256(token_secret)) or token is None:
        raise Refused("TOKEN_INVALID", "this token was never issued here, or is mistyped; copy it again, whole")
    if token.spent_ns is not None:
        return _answer_again(tx, authority, token, key=key)
    if token.revoked_ns is not None:
        raise Refused("TOKEN_INVALID", "this token was revoked; ask for a new one: `sitewarden token create`")
    agent = Agent(
        id=new_id(),
        customer_id=token.customer_id,
        site_id=token.site_id,
        hostname=applicant.hostname,
        machine_fingerprint=applicant.machine_fingerprint,
        version=applicant.version,
        state="active",
        state_why="",
        enrolled_ns=now_ns,
        last_seen_ns=now_ns,
        clock_offset_ns=0,
        spool="",
    )
    if not tokens.spend(tx, token_id, key_sha256=pki.key_sha256(key), agent_id=agent.id, now_ns=now_ns):
        raise Refused("TOKEN_EXPIRED", "this token has expired; ask for a new one: `sitewarden token create`")
    _retire_predecessors(tx, agent, now_ns=now_ns)
    agents.add(tx, agent)
    return _issue(tx, authority, agent, key=key, policy=policy, now_ns=now_ns)


def renew(
    tx: Connection,
    authority: Authority,
    *,
    csr_der: bytes,
    certificate_der: bytes,
    signature: bytes,
    agent_time_ns: int,
    machine_fingerprint: str,
    policy: PkiConfig,
    now_ns: int,
) -> Issued:
    """A fresh certificate for the holder of a good or just-expired one; raises Refused, of which OtherMachine means
    that the caller should quarantine the agent."""
    key = pki.public_key_of_csr(csr_der)
    identity, ends_ns = pki.check_renewal(
        authority, certificate_der, csr_der=csr_der, agent_time_ns=agent_time_ns, signature=signature
    )
    if abs(agent_time_ns - now_ns) > RENEWAL_WINDOW_NS:
        raise Refused(
            "CLOCK_SKEW", "the time in the signed renewal is more than 10 minutes off ours; sign it with our time"
        )
    agent = check_welcome(tx, identity.agent_id, serial=identity.serial)
    if machine_fingerprint != agent.machine_fingerprint:
        raise OtherMachine(agent)
    if now_ns > ends_ns + policy.renewal_grace_days * _DAY_NS:
        raise Refused(
            "CERTIFICATE_EXPIRED",
            f"the certificate expired more than {policy.renewal_grace_days:g} days ago; enrol again with a new token",
        )
    return _issue(tx, authority, agent, key=key, policy=policy, now_ns=now_ns)


def check_welcome(tx: Connection, agent_id: str, *, serial: str) -> Agent:
    """The agent, if it may speak with the certificate `serial`.

    Raises Refused (UNKNOWN_AGENT, REVOKED, QUARANTINED).
    """
    return welcomed(tx, agent_id, serial=serial)[0]


def welcomed(tx: Connection, agent_id: str, *, serial: str) -> tuple[Agent, Standing]:
    """The same, with how it stands."""
    found = welcomes.of_agent(tx, agent_id, serial)
    why = unwelcome(agent_id, None if found is None else found[1])
    if why is not None:
        raise why
    assert found is not None
    return found


def unwelcome(agent_id: str, standing: Standing | None) -> Refused | None:
    """Why an agent may not speak; None when it may."""
    if standing is None or standing.holder != agent_id:
        return Refused("UNKNOWN_AGENT", "this certificate's agent is not known here; enrol again with a new token")
    if standing.state == "quarantined":
        said = f"this identity was seen in two places ({standing.state_why}); enrol each host anew"
        return Refused("QUARANTINED", said)
    if standing.state != "active" or standing.revoked_ns is not None:
        why = standing.revoked_why or standing.state_why
        return Refused("REVOKED", f"this agent's certificate was revoked ({why}); enrol again with a new token")
    return None


def revoke(tx: Connection, agent_id: str, *, why: str, now_ns: int) -> None:
    """Never let this agent in again."""
    agents.by_id(tx, agent_id)
    agents.set_state(tx, agent_id, "revoked", why=why)
    certificates.revoke_of_agent(tx, agent_id, why=why, now_ns=now_ns)


def _found_authority(tx: Connection, data_dir: Path, *, now_ns: int) -> Authority:
    secret = pki.secret_key(data_dir, create=True)
    made = pki.found(now_ns=now_ns)
    pki.write_private(data_dir / made.authority.root_key_file, pki.seal_key(made.root_key, secret))
    root, intermediate = made.authority.root, made.authority.intermediate
    sealed = pki.seal_key(made.authority.intermediate_key, secret)
    certificates.found_authority(tx, "root", certificate_der=pki.der(root), encrypted_key=None, now_ns=now_ns)
    certificates.found_authority(
        tx, "intermediate", certificate_der=pki.der(intermediate), encrypted_key=sealed, now_ns=now_ns
    )
    return made.authority


def _answer_again(
    tx: Connection, authority: Authority, token: tokens.Token, *, key: ec.EllipticCurvePublicKey
) -> Issued:
    if token.spent_key_sha256 == pki.key_sha256(key) and token.agent_id is not None:
        for certificate in certificates.of_agent(tx, token.agent_id):
            if certificate.key_sha256 == token.spent_key_sha256 and certificate.revoked_ns is None:
                return Issued(
                    certificate.certificate_der, authority.chain_der, token.agent_id, token.site_id, token.site_name
                )
    raise Refused("TOKEN_SPENT", "this token was used already; each host needs its own: `sitewarden token create`")


def _retire_predecessors(tx: Connection, agent: Agent, *, now_ns: int) -> None:
    """A host that enrols again is the same host: its former agent must not be missed as silent."""
    for former in agents.of_site(tx, agent.site_id):
        same = former.machine_fingerprint == agent.machine_fingerprint and former.hostname == agent.hostname
        if same and former.state in ("active", "quarantined"):
            why = f"the host enrolled again as agent {agent.id}"
            agents.set_state(tx, former.id, "retired", why=why, only_from=former.state)
            certificates.revoke_of_agent(tx, former.id, why=why, now_ns=now_ns)


def _issue(
    tx: Connection,
    authority: Authority,
    agent: Agent,
    *,
    key: ec.EllipticCurvePublicKey,
    policy: PkiConfig,
    now_ns: int,
) -> Issued:
    certificate = pki.agent_certificate(
        authority, key, site_id=agent.site_id, agent_id=agent.id, days=policy.agent_certificate_days, now_ns=now_ns
    )
    raw = pki.der(certificate)
    certificates.add(
        tx,
        Certificate(
            serial=pki.serial_of(certificate),
            agent_id=agent.id,
            key_sha256=pki.key_sha256(key),
            certificate_der=raw,
            not_before_ns=int(certificate.not_valid_before_utc.timestamp()) * 1_000_000_000,
            not_after_ns=int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000,
            issued_ns=now_ns,
        ),
    )
    site = sites.by_id(tx, agent.site_id)
    return Issued(raw, authority.chain_der, agent.id, agent.site_id, site.name)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
