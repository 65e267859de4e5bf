"""Asking agents to do something, and writing down what became of it.

An action is delivered until its outcome arrives; the agent does it once, by its id. Not here: delivery itself
(`grpc_api.control`).
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from sitewarden_alerting.observations import Outcome
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.services import site_configs
from sitewarden_collector.store import actions, agents, sites
from sitewarden_collector.store.base import new_id

NOTICE_EXPIRES_NS = 30 * 86_400 * 1_000_000_000
SUBJECT_MAX, BODY_MAX = 200, 16_000
CATEGORIES = ("patch", "advisory", "maintenance", "information")


class SiteNotice(msgspec.Struct, frozen=True):
    """The payload of a notice to a site."""

    subject: str
    body: str
    category: str
    reference: str


def send_notice(
    tx: Connection, site_id: str, *, subject: str, body: str, category: str, reference: str, now_ns: int
) -> list[str]:
    """Queue a notice for every active agent of a site; the ids of the actions. Raises NotFound and Conflict."""
    if category not in CATEGORIES:
        raise Conflict(f"{category!r} is no category of notices; use one of {', '.join(CATEGORIES)}")
    if not subject.strip():
        raise Conflict("a notice needs a subject; give one with --subject")
    for name, text, most in (
        ("subject", subject, SUBJECT_MAX),
        ("body", body, BODY_MAX),
        ("reference", reference, 200),
    ):
        if len(text) > most:  # the site cuts it there
            raise Conflict(f"the {name} has {len(text)} characters, {most} are shown at a site: shorten it")
    site = sites.by_id(tx, site_id)
    payload = msgspec.json.encode(SiteNotice(subject, body, category, reference)).decode()
    made = []
    for agent in agents.of_site(tx, site_id):
        if agent.state != "active":
            continue
        action_id = new_id()
        actions.add(
            tx,
            actions.Action(
                id=action_id,
                customer_id=site.customer_id,
                site_id=site_id,
                agent_id=agent.id,
                kind="notice",
                payload=payload,
                state="queued",
                detail="",
                created_ns=now_ns,
                expires_ns=now_ns + NOTICE_EXPIRES_NS,
            ),
        )
        made.append(action_id)
    if not made:
        raise NotFound(f"site {site.name!r} has no active agent; enrol one with `sitewarden token create`")
    return made


def apply_outcome(tx: Connection, agent_id: str, outcome: Outcome, *, now_ns: int) -> bool:
    """Settle the action that an agent reports on; False when it has no such open action. What is not an end
    ("received", "applying") settles nothing.

    An outcome that comes after the action was given up as expired is the truth and replaces that.
    """
    agent = agents.find(tx, agent_id)
    if agent is not None:
        site_configs.apply_outcome(tx, agent, outcome, now_ns=now_ns)
    if outcome.state in ("received", "applying"):
        return False
    return actions.settle(
        tx,
        outcome.action_id,
        agent_id=agent_id,
        state=outcome.state,
        detail=outcome.detail,
        now_ns=now_ns,
        only_from=(*actions.OPEN, "expired"),
    )
