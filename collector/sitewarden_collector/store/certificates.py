"""The certificates that were issued to agents, and the authority that issues them.

Of the authority the database holds both certificates, and the intermediate's key encrypted under a key that is not in
here (`pki.SecretKey`). The root's key is never in here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, LargeBinary, String, Table, Text, insert, select, update

from sitewarden_collector.store.base import Id, Ns, metadata

authority = Table(
    "authority",
    metadata,
    Column("name", String(16), primary_key=True),  # root, intermediate
    Column("certificate_der", LargeBinary, nullable=False),
    Column("encrypted_key", LargeBinary),  # of the intermediate only
    Column("created_ns", Ns, nullable=False),
)

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),  # hex
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False, index=True),
    Column("key_sha256", String(64), nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("not_before_ns", Ns, nullable=False),
    Column("not_after_ns", Ns, nullable=False),
    Column("issued_ns", Ns, nullable=False),
    Column("revoked_ns", Ns),
    Column("revoked_why", Text),
)


@dataclass(frozen=True, slots=True)
class Certificate:
    serial: str
    agent_id: str
    key_sha256: str
    certificate_der: bytes
    not_before_ns: int
    not_after_ns: int
    issued_ns: int
    revoked_ns: int | None = None
    revoked_why: str | None = None


def add(tx: Connection, certificate: Certificate) -> None:
    tx.execute(insert(certificates).values({name: getattr(certificate, name) for name in Certificate.__slots__}))


def find(tx: Connection, serial: str) -> Certificate | None:
    row = tx.execute(select(certificates).where(certificates.c.serial == serial)).one_or_none()
    return None if row is None else Certificate(**row._mapping)


def of_agent(tx: Connection, agent_id: str) -> list[Certificate]:
    """The certificates of an agent, the newest first."""
    query = select(certificates).where(certificates.c.agent_id == agent_id)
    return [Certificate(**row._mapping) for row in tx.execute(query.order_by(certificates.c.not_after_ns.desc()))]


def revoke_of_agent(tx: Connection, agent_id: str, *, why: str, now_ns: int) -> int:
    """Revoke every certificate of an agent; how many were not revoked before."""
    done = tx.execute(
        update(certificates)
        .where(certificates.c.agent_id == agent_id, certificates.c.revoked_ns.is_(None))
        .values(revoked_ns=now_ns, revoked_why=why)
    )
    return done.rowcount


def authority_of(tx: Connection, name: str) -> tuple[bytes, bytes | None] | None:
    """The certificate (DER) and the encrypted key of `root` or `intermediate`."""
    row = tx.execute(
        select(authority.c.certificate_der, authority.c.encrypted_key).where(authority.c.name == name)
    ).one_or_none()
    return None if row is None else (bytes(row[0]), None if row[1] is None else bytes(row[1]))


def found_authority(
    tx: Connection, name: str, *, certificate_der: bytes, encrypted_key: bytes | None, now_ns: int
) -> None:
    row = {"name": name, "certificate_der": certificate_der, "encrypted_key": encrypted_key, "created_ns": now_ns}
    tx.execute(insert(authority).values(**row))
