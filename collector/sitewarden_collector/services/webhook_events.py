"""The events that webhooks tell of: their names, and which facts of a ticket's history have more than one.

A subscription gets one message for a fact: under the first of its names that one of the patterns matches. What happens
on call is told to those alone who hear of all customers: whom we wake is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

TICKETS: Mapping[str, str] = {
    "open_ticket": "a ticket is there",
    "acknowledge": "somebody has taken it",
    "assign_ticket": "it was given to somebody, or taken from them",
    "start_ticket": "the work on it has begun",
    "wait_ticket": "it waits for the customer, a third party or a change",
    "resolve_ticket": "it is solved",
    "reopen_ticket": "it is not solved after all, or came back",
    "close_ticket": "it is closed for good",
    "merge_ticket": "it goes on in another one",
    "unmerge_ticket": "it is on its own again",
    "split_ticket": "a part of it became one of its own",
    "set_priority": "its priority is another one",
    "set_category": "its category or component is another one",
    "set_parent": "it is a part of another one, or no longer",
    "link_ticket": "it has to do with another one",
    "unlink_ticket": "it has nothing to do with another one after all",
    "link_problem": "it is an incident of a problem",
    "unlink_problem": "it is no incident of a problem after all",
    "comment": "somebody wrote; what engineers write among themselves goes without its text",
    "attach_file": "a file was added",
    "add_evidence": "it was seen again",
    "plan_solution": "somebody is to propose a solution",
    "propose_solution": "a solution was proposed to the customer",
    "agree_solution": "the customer agreed",
    "reject_solution": "it is not wanted",
    "carry_out_solution": "it was carried out",
    "verify_solution": "it was verified",
    "plan_visit": "an engineer is to come",
    "arrive_at_site": "the engineer is there",
    "leave_site": "the visit is over",
    "sign_visit": "somebody at the site signed",
    "cancel_visit": "the visit does not take place",
    "use_entitlement": "something of the contract was used up",
    "correct_clock": "somebody says how a time should have been counted",
    "suggest_assignee": "the desk says who could take it",
    "send_to_tracker": "it was reported to development",
    "tracker_state": "development says how far it is",
    "begin_maintenance": "maintenance has begun at its site",
    "end_maintenance": "that is over",
}
# Facts of a ticket that stand under a word of their own as well.
MAJORS: Mapping[str, tuple[str, str]] = {
    "set_major": ("declare", "a ticket is a major incident"),
    "call_in": ("call_in", "further experts were called in"),
    "warn_update": ("update_overdue", "the next update to the customers is overdue"),
    "end_major": ("end", "it is over"),
    "review_major": ("review", "its review was written"),
    "add_action": ("add_action", "somebody is to do something so that it does not happen again"),
    "finish_action": ("finish_action", "that is done"),
}
CLOCKS: Mapping[str, tuple[str, str]] = {
    "sla_warning": ("warning", "50, 75 or 90 % of a time that the contract gives are used up"),
    "sla_breach": ("breach", "a time that the contract gives is over"),
}
ON_CALL: Mapping[str, tuple[str, str]] = {
    "page": ("page", "somebody is paged"),
    "escalate": ("escalate", "nobody answered: the next are asked"),
    "acknowledge": ("acknowledge", "somebody has taken it: nobody is paged any more"),
    "nobody_to_tell": ("nobody", "there is nobody who could be told"),
}
OTHERS: Mapping[str, str] = {
    "oncall.page_sent": "a page went out by its channel",
    "oncall.gap": "nobody will be on call for a time in the days to come",
    "problem.open_problem": "a problem was opened",
    "problem.suggest_problem": "the rules opened it, and why",
    "problem.set_title": "its title is another one",
    "problem.set_owner": "somebody has it",
    "problem.set_cause": "its cause was written down",
    "problem.set_workaround": "there is a way to live with it",
    "problem.move_problem": "it is investigated, a known error, or closed",
    "problem.resolve_problem": "its cause is gone",
    "problem.add_incident": "a ticket is an incident of it",
    "problem.add_task": "maintenance was planned",
    "problem.finish_task": "that is done",
    "risk.raise": "something could happen at a site",
    "risk.change": "it is more or less likely, or worse",
    "risk.lower": "it is no longer to be expected",
    "contract.ends_soon": "a contract ends in 60, 30 or 7 days",
    "tracker.report": "a ticket is reported to development; sent to the tracker that is set",
    "webhook.test": "somebody tries the webhook; sent whatever it subscribed to",
}
# How the desk tells its own people, step by step: not told.
UNTOLD = frozenset(("notify", "page", "escalate", "nobody_to_tell", "hold_pages"))


def names_of(what: str) -> tuple[str, ...]:
    """The names of a fact of a ticket's history, which everybody who hears of the ticket may be told."""
    names = [] if what in UNTOLD else [f"ticket.{what}"]
    for topic, words in (("major", MAJORS), ("clock", CLOCKS)):
        if what in words:
            names.append(f"{topic}.{words[what][0]}")
    return tuple(names)


def on_call_name_of(what: str) -> str:
    """The name of a fact of a ticket's history for those who hear of on call; empty: it is none."""
    return f"oncall.{ON_CALL[what][0]}" if what in ON_CALL else ""


def every() -> dict[str, str]:
    """All events by name, each with what it says."""
    made = {f"ticket.{what}": about for what, about in TICKETS.items()}
    for topic, words in (("major", MAJORS), ("clock", CLOCKS), ("oncall", ON_CALL)):
        made |= {f"{topic}.{name}": about for name, about in words.values()}
    for what, (_, about) in (*MAJORS.items(), *CLOCKS.items()):
        made[f"ticket.{what}"] = about
    return {**made, **OTHERS}


def is_known(pattern: str) -> bool:
    """Whether anything that is told ever matches."""
    return any(fnmatchcase(name, pattern) for name in every())
