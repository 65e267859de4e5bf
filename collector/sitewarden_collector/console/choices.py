"""What the filters and forms of tickets offer."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request

from sitewarden_alerting.model import OPEN_STATES, PRIORITIES, TicketState, TicketType
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.tables import Table
from sitewarden_collector.services.access import Principal
from sitewarden_collector.store.ticket_pages import Wanted

FILTERS = ("who", "customer", "site", "type", "priority", "state", "text")
STATES = tuple(state.value for state in TicketState)
OPEN = tuple(state.value for state in TicketState if state in OPEN_STATES)
DONE = tuple(state.value for state in TicketState if state not in OPEN_STATES)
TYPES = tuple(kind.value for kind in TicketType)
# What several states are called together in a filter.
TOGETHER = {"open": (N_("All open"), OPEN), "done": (N_("All done"), DONE), "all": (N_("All states"), ())}
WHO = {"me": N_("Mine"), "nobody": N_("Unassigned")}


def wanted(table: Table, principal: Principal, *, states: Sequence[str]) -> Wanted:
    """Which tickets a table asks for; of `states` where it names none. Values that mean nothing are left out."""
    asked = table.filters
    who = {"": None, "me": principal.name, "nobody": ""}.get(asked["who"], asked["who"])
    state = asked["state"]
    if state in TOGETHER:
        states = TOGETHER[state][1]
    elif state in STATES:
        states = (state,)
    return Wanted(
        states=states,
        types=(asked["type"],) if asked["type"] in TYPES else (),
        priorities=(int(asked["priority"]),) if asked["priority"] in {str(one) for one in PRIORITIES} else (),
        site=asked["site"],
        customer=asked["customer"],
        customer_id=principal.only_customer,
        site_ids=principal.only_sites,
        assignee=who,
        text=asked["text"],
    )


def part(request: Request) -> str:
    """Which part of a page htmx asks for; empty: the whole."""
    return request.query_params.get("part", "")
