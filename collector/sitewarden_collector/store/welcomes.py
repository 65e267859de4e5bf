"""What decides whether an agent may speak, read at once: the agent, its certificate, and which session was the newest.

Thousands connect within a minute, and all are looked at again each minute: statements are made once, and many agents
are read together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, bindparam, func, select, update

from sitewarden_collector.store.agents import Agent, agents
from sitewarden_collector.store.certificates import certificates
from sitewarden_collector.store.sessions import takeovers

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agent stands with one certificate. `machine`: the fingerprint of the one that enrolled. `holder`: the
    agent that the certificate was issued to; None: it never was. `newest`: the session of the agent's newest hello."""

    state: str
    state_why: str
    machine: str
    holder: str | None
    revoked_ns: int | None
    revoked_why: str | None
    newest: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """What is kept of a hello."""

    agent_id: str
    hostname: str
    version: str
    capabilities: str
    clock_offset_ns: int
    at_ns: int


_AGENT = [agents.c[name] for name in Agent.__slots__]
_CERTIFICATE = (certificates.c.agent_id.label("holder"), certificates.c.revoked_ns, certificates.c.revoked_why)
_NEWEST = (
    select(takeovers.c.session_id)
    .where(takeovers.c.agent_id == bindparam("agent_id"))
    .order_by(takeovers.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_ONE = (
    select(*_AGENT, *_CERTIFICATE, _NEWEST.label("newest"))
    .select_from(agents.outerjoin(certificates, certificates.c.serial == bindparam("serial")))
    .where(agents.c.id == bindparam("agent_id"))
)
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_STATES = select(agents.c.id, agents.c.state, agents.c.state_why, agents.c.machine_fingerprint).where(
    agents.c.id.in_(_IDS)
)
_CERTIFICATES = select(certificates.c.serial, *_CERTIFICATE).where(
    certificates.c.serial.in_(bindparam("serials", expanding=True))
)
_LAST = select(func.max(takeovers.c.id)).where(takeovers.c.agent_id.in_(_IDS)).group_by(takeovers.c.agent_id)
_SESSIONS = select(takeovers.c.agent_id, takeovers.c.session_id).where(takeovers.c.id.in_(_LAST))
_GREETED = (
    update(agents)
    .where(agents.c.id == bindparam("agent_id"))
    .values(
        hostname=bindparam("its_hostname"),
        version=bindparam("its_version"),
        capabilities=bindparam("its_capabilities"),
        last_seen_ns=bindparam("its_time"),
        clock_offset_ns=bindparam("its_offset"),
    )
)


def of_agent(tx: Connection, agent_id: str, serial: str) -> tuple[Agent, Standing] | None:
    """An agent and how it stands with the certificate `serial`; None when it is not known."""
    row = tx.execute(_ONE, {"agent_id": agent_id, "serial": serial}).one_or_none()
    if row is None:
        return None
    known = Agent(*row[: len(_AGENT)])
    return known, Standing(known.state, known.state_why, known.machine_fingerprint, *row[len(_AGENT) :])


def of_agents(tx: Connection, callers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
    """How each of these stands, by agent and serial; those that are not known are left out."""
    found = {}
    wanted = sorted(set(callers))
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        ids, serials = sorted({agent_id for agent_id, _ in some}), sorted({serial for _, serial in some})
        states = {row[0]: (row[1], row[2], row[3]) for row in tx.execute(_STATES, {"ids": ids})}
        issued = {row[0]: (row[1], row[2], row[3]) for row in tx.execute(_CERTIFICATES, {"serials": serials})}
        newest = {row[0]: row[1] for row in tx.execute(_SESSIONS, {"ids": ids})}
        for agent_id, serial in some:
            if agent_id in states:
                certificate = issued.get(serial, (None, None, None))
                found[agent_id, serial] = Standing(*states[agent_id], *certificate, newest.get(agent_id))
    return found


def greeted(tx: Connection, said: Iterable[Said]) -> None:
    """Write down what hellos said."""
    # In one order, as others may write to the same agents meanwhile.
    rows = [
        {
            "agent_id": one.agent_id,
            "its_hostname": one.hostname,
            "its_version": one.version,
            "its_capabilities": one.capabilities,
            "its_time": one.at_ns,
            "its_offset": one.clock_offset_ns,
        }
        for one in sorted(said, key=lambda one: one.agent_id)
    ]
    if rows:
        tx.execute(_GREETED, rows)
