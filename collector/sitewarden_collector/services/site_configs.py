"""Configuring agents from here: versions with author and note, brought to every agent they are for, and what came of
that.

A version is for a customer, a site or an agent; what is for fewer counts more, and nothing is mixed. The agent applies
it only within what its own file allows, as a whole, and keeps it only when it runs well: this side asks and is told. An
agent that was not there, or is enrolled later, is asked when it comes. Not here: delivery (`grpc_api.control`).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection

from sitewarden_alerting.observations import Outcome
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.store import actions, agents, changes, site_configs, sites
from sitewarden_collector.store.actions import Action
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.site_configs import UNDER_WAY, Delivery, SiteConfig

CAPABILITY = "site_config"
KIND = "config"
Owed: TypeAlias = tuple[bool, list[Action]]
DOCUMENT_MAX_BYTES = 64 * 1024
NOTE_MAX = 1_000
EXPIRES_NS = 30 * 86_400 * 1_000_000_000
_STATES = {
    "received": "received",
    "applying": "applying",
    "done": "applied",
    "failed": "failed",
    "refused": "refused",
    "expired": "expired",
}


class Payload(msgspec.Struct, frozen=True):
    """What the action carries."""

    version: int
    document: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a configuration is for."""

    kind: str
    id: str
    name: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one agent stands to what it should run: `state` is none, unsupported or that of its last delivery."""

    agent: Agent
    wanted: SiteConfig | None
    state: str
    detail: str
    changed_ns: int


@dataclass(frozen=True, slots=True)
class OfSite:
    """What is configured at a site; every version for it with what that changed, the newest first."""

    scope: Scope
    standing: tuple[Standing, ...]
    versions: tuple[tuple[SiteConfig, str], ...]


def scope(tx: Connection, *, customer: str = "", site: str = "", agent: str = "") -> Scope:
    """The one that is named. Raises Invalid unless it is exactly one, NotFound."""
    if [bool(customer), bool(site), bool(agent)].count(True) != 1:
        raise Invalid("a configuration is for one customer, one site or one agent; name exactly one")
    if customer:
        found = sites.customer(tx, customer)
        return Scope("customer", found.id, found.name, found.id)
    if site:
        one = sites.by_name(tx, site)
        return Scope("site", one.id, one.name, one.customer_id)
    host = agents.by_id(tx, agent)
    return Scope("agent", host.id, host.hostname or host.id, host.customer_id)


def configure(tx: Connection, what: Scope, document: str, *, author: str, note: str = "", now_ns: int) -> SiteConfig:
    """A new version, on its way to every agent that it counts for. Raises Invalid, Conflict."""
    document = document.replace("\r\n", "\n").strip()
    document += "\n" if document else ""
    check(document)
    return _new_version(tx, what, document, author=author, note=note, now_ns=now_ns)


def roll_back(tx: Connection, what: Scope, version: int, *, author: str, note: str = "", now_ns: int) -> SiteConfig:
    """A new version that says what an earlier one said. Raises NotFound, Conflict."""
    found = version_of(tx, what, version)
    note = note or f"back to version {version}"
    return _new_version(
        tx, what, found.document, author=author, note=note, inherits=found.inherits, again=True, now_ns=now_ns
    )


def clear(tx: Connection, what: Scope, *, author: str, note: str = "", now_ns: int) -> SiteConfig:
    """From now on nothing is said for this one: a wider one counts, or the agents' own files alone. Raises Conflict."""
    return _new_version(tx, what, "", author=author, note=note, inherits=True, now_ns=now_ns)


def check(document: str) -> None:
    """Whether this can be a configuration at all. Which keys may be set, each agent's own file says. Raises Invalid."""
    size = len(document.encode())
    if size > DOCUMENT_MAX_BYTES:
        raise Invalid(f"a configuration has at most {DOCUMENT_MAX_BYTES} bytes, this one {size}; shorten it")
    try:
        tomllib.loads(document)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid(f"this is not valid TOML: {error}; write it as in the agent's own file") from None


def version_of(tx: Connection, what: Scope, version: int) -> SiteConfig:
    """Raises NotFound."""
    for one in site_configs.history(tx, what.id):
        if one.version == version:
            return one
    raise NotFound(f"{what.name} has no version {version}; `sitewarden config history` lists them")


def diff(before: str, after: str) -> str:
    """What changed, as a unified diff without file names; empty when nothing did."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def effective(tx: Connection, agent: Agent) -> SiteConfig | None:
    """What counts for an agent; one that inherits stands for the agent's own file alone."""
    said = site_configs.newest(tx, (agent.id, agent.site_id, agent.customer_id))
    in_turn = [said[each] for each in (agent.id, agent.site_id, agent.customer_id) if each in said]
    return next((one for one in in_turn if not one.inherits), in_turn[-1] if in_turn else None)


def is_due(tx: Connection, agent_id: str) -> bool:
    """Whether this agent is to be asked for another configuration than it was asked for last."""
    agent = agents.find(tx, agent_id)
    return agent is not None and _due(tx, agent) is not None


def owed(tx: Connection, agent_ids: Collection[str]) -> dict[str, Owed]:
    """That, and what agents that have just connected must be told (again)."""
    asked = actions.open_of_all(tx, agent_ids)
    somebody = site_configs.is_anything_said(tx)
    return {one: (somebody and is_due(tx, one), asked.get(one, [])) for one in agent_ids}


def bring_up(tx: Connection, agent_id: str, *, now_ns: int) -> bool:
    """Ask an agent for what counts for it, unless it was asked already; False when nothing was to be asked."""
    agent = agents.by_id(tx, agent_id)
    wanted = _due(tx, agent)
    if wanted is None:
        return False
    for action in actions.open_of(tx, agent.id):
        if action.kind == KIND:
            detail = f"version {wanted.version} takes its place"
            actions.settle(
                tx, action.id, agent_id=agent.id, state="expired", detail=detail, now_ns=now_ns, only_from=actions.OPEN
            )
    site_configs.supersede(tx, agent.id, now_ns=now_ns)
    action_id = new_id()
    actions.add(
        tx,
        actions.Action(
            id=action_id,
            customer_id=agent.customer_id,
            site_id=agent.site_id,
            agent_id=agent.id,
            kind=KIND,
            payload=msgspec.json.encode(Payload(wanted.version, wanted.document)).decode(),
            state="queued",
            detail="",
            created_ns=now_ns,
            expires_ns=now_ns + EXPIRES_NS,
        ),
    )
    site_configs.deliver(tx, Delivery(action_id, agent.customer_id, agent.id, wanted.id, "queued", "", now_ns, now_ns))
    _note_change(tx, agent, now_ns=now_ns)
    return True


def apply_outcome(tx: Connection, agent: Agent, outcome: Outcome, *, now_ns: int) -> bool:
    """Write down what an agent says of its configuration; False when it is not about one.

    What comes late says no less: also of what was given up here. That it has come or is on trial changes nothing that
    is settled.
    """
    state = _STATES[outcome.state]
    before = UNDER_WAY if state in UNDER_WAY else (*UNDER_WAY, *site_configs.SETTLED)
    told = site_configs.tell(
        tx, outcome.action_id, agent_id=agent.id, state=state, detail=outcome.detail, now_ns=now_ns, only_from=before
    )
    if told:
        _note_change(tx, agent, now_ns=now_ns)
    return told


def standing(tx: Connection, site_id: str) -> list[Standing]:
    """How every agent of a site stands that should be heard from."""
    here = [agent for agent in agents.of_site(tx, site_id) if agent.state in ("active", "quarantined")]
    sent = site_configs.last_deliveries(tx, [agent.id for agent in here])
    return [_standing(agent, effective(tx, agent), sent.get(agent.id)) for agent in here]


def of_site(tx: Connection, name: str) -> OfSite:
    """Raises NotFound."""
    what = scope(tx, site=name)
    every = site_configs.history(tx, what.id)
    before = ("", *(one.document for one in reversed(every)))
    changed = [(one, diff(was, one.document)) for was, one in zip(before, reversed(every), strict=False)]
    return OfSite(what, tuple(standing(tx, what.id)), tuple(reversed(changed)))


def _standing(agent: Agent, wanted: SiteConfig | None, last: Delivery | None) -> Standing:
    if wanted is None or (last is None and wanted.inherits):
        return Standing(agent, None, "none", "", 0)
    if CAPABILITY not in agent.capabilities.split():
        detail = f"version {agent.version} of the agent takes no configuration from here; update it"
        return Standing(agent, wanted, "unsupported", detail, 0)
    if last is None or last.config_id != wanted.id:
        return Standing(agent, wanted, "queued", "", wanted.created_ns)
    return Standing(agent, wanted, last.state, last.detail, last.changed_ns)


def _note_change(tx: Connection, agent: Agent, *, now_ns: int) -> None:
    changes.note(
        tx,
        "site",
        agent.site_id,
        what="configuration",
        customer_id=agent.customer_id,
        site_id=agent.site_id,
        now_ns=now_ns,
    )


def _due(tx: Connection, agent: Agent) -> SiteConfig | None:
    if agent.state != "active" or CAPABILITY not in agent.capabilities.split():
        return None
    wanted = effective(tx, agent)
    last = site_configs.last_deliveries(tx, [agent.id]).get(agent.id)
    if wanted is None or (last is None and wanted.inherits):
        return None
    if last is not None and last.config_id == wanted.id and last.state != "expired":
        open_still = last.state != "queued" or any(one.id == last.id for one in actions.open_of(tx, agent.id))
        return None if open_still else wanted  # it was given up before it got there
    return wanted


def _new_version(
    tx: Connection,
    what: Scope,
    document: str,
    *,
    author: str,
    note: str,
    inherits: bool = False,
    again: bool = False,
    now_ns: int,
) -> SiteConfig:
    if len(note) > NOTE_MAX:
        raise Invalid(f"a note has at most {NOTE_MAX} characters; shorten it")
    last = site_configs.newest(tx, (what.id,)).get(what.id)
    same = last is not None and (last.document, last.inherits) == (document, inherits)
    if not again and (same or (last is None and inherits)):
        raise Conflict(f"{what.name} has exactly this already; `sitewarden config status` shows what became of it")
    version = 1 if last is None else last.version + 1
    made = SiteConfig(new_id(), what.customer_id, what.kind, what.id, version, document, inherits, author, note, now_ns)
    site_configs.add(tx, made)
    for agent in _agents(tx, what):
        bring_up(tx, agent.id, now_ns=now_ns)
    return made


def _agents(tx: Connection, what: Scope) -> list[Agent]:
    match what.kind:
        case "agent":
            return [agents.by_id(tx, what.id)]
        case "site":
            return agents.of_site(tx, what.id)
        case _:
            return [agent for site in sites.of_customer(tx, what.id) for agent in agents.of_site(tx, site.id)]
