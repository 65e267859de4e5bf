"""What the program's own words are called in front of people: states, kinds, priorities, events.

`word(group, value)` is the label in the reader's language; a value that nobody named is shown as it is, readably.
"""

from __future__ import annotations

from collections.abc import Iterable

from sitewarden_alerting.rules import Guide, Rulebook
from sitewarden_collector.console.desk_words import DESK
from sitewarden_collector.console.i18n import N_, translations

STATES = {
    "new": N_("New"),
    "assigned": N_("Assigned"),
    "in_progress": N_("In progress"),
    "waiting": N_("Waiting"),
    "resolved": N_("Resolved"),
    "closed": N_("Closed"),
    "reopened": N_("Reopened"),
}
TYPES = {
    "incident": N_("Incident"),
    "service_request": N_("Service request"),
    "complaint": N_("Complaint"),
    "change_request": N_("Change request"),
    "problem": N_("Problem"),
}
WAITING = {
    "customer": N_("Waiting for the customer"),
    "third_party": N_("Waiting for a third party"),
    "change": N_("Waiting for a change"),
}
PRIORITIES = {"1": N_("P1 Critical"), "2": N_("P2 High"), "3": N_("P3 Normal"), "4": N_("P4 Low")}
SEVERITIES = {"1": N_("Notice"), "2": N_("Minor"), "3": N_("Warning"), "4": N_("Error"), "5": N_("Critical")}
CLOCKS = {
    "response": N_("First response"),
    "first_response": N_("First response"),
    "solution": N_("Solution proposed"),
    "resolution": N_("Resolution"),
}
VISIBILITY = {"internal": N_("Internal note"), "customer": N_("To the customer")}
ROLES = {
    "admin": N_("Administrator"),
    "manager": N_("Manager"),
    "engineer": N_("Engineer"),
    "viewer": N_("Viewer"),
    "customer": N_("Customer"),
}
EVENTS = {
    "open_ticket": N_("Opened"),
    "acknowledge": N_("Acknowledged"),
    "assign_ticket": N_("Assigned"),
    "start_ticket": N_("Work started"),
    "wait_ticket": N_("Waiting"),
    "reopen_ticket": N_("Reopened"),
    "resolve_ticket": N_("Resolved"),
    "close_ticket": N_("Closed"),
    "merge_ticket": N_("Merged"),
    "unmerge_ticket": N_("Merge undone"),
    "split_ticket": N_("Split"),
    "unsplit_ticket": N_("Split undone"),
    "set_priority": N_("Priority changed"),
    "set_category": N_("Category changed"),
    "set_title": N_("Title changed"),
    "comment": N_("Comment"),
    "propose_solution": N_("Solution proposed"),
    "agree_solution": N_("Solution agreed with the customer"),
    "carry_out_solution": N_("Solution carried out"),
    "verify_solution": N_("Solution verified"),
    "confirm_ticket": N_("Confirmed by the customer"),
    "link_ticket": N_("Linked"),
    "unlink_ticket": N_("Link taken back"),
    "attach_file": N_("File attached"),
    "correct_clock": N_("Clock corrected"),
    "set_major": N_("Major incident"),
    "unset_major": N_("No longer a major incident"),
    "notify": N_("People told"),
    "page": N_("On call paged"),
    "escalate": N_("Escalated"),
    "warn_clock": N_("Clock warning"),
    "breach_clock": N_("Service level breached"),
    "plan_solution": N_("Solution planned"),
    "reject_solution": N_("Solution declined"),
    "suggest_assignee": N_("Assignee suggested"),
    "silenced": N_("Silenced"),
    "plan_visit": N_("Visit planned"),
    "report_visit": N_("Visit reported"),
    "sign_visit": N_("Visit signed off"),
    "mark_recovered": N_("Recovered"),
    "recover_ticket": N_("Recovered"),
    "recur_ticket": N_("Came back"),
    "rekey_ticket": N_("Identity completed"),
    "withdraw_evidence": N_("Evidence withdrawn"),
    "suppress": N_("Consequence held back"),
    "split_fault": N_("Fault split"),
    "set_severity": N_("Severity changed"),
    "raise_severity": N_("Severity raised"),
    "notify_customer": N_("Customer told"),
    "set_problem": N_("Problem linked"),
    "set_parent": N_("Parent ticket set"),
    "silence": N_("Silenced"),
    "add_action": N_("Action agreed"),
    "add_task": N_("Task added"),
    "begin_maintenance": N_("Maintenance began"),
    "call_in": N_("Experts called in"),
    "cancel_visit": N_("Visit cancelled"),
    "end_maintenance": N_("Maintenance ended"),
    "end_major": N_("Major incident over"),
    "finish_action": N_("Action done"),
    "finish_task": N_("Task done"),
    "finish_visit": N_("Visit finished"),
    "hold_pages": N_("Pages held back"),
    "link_problem": N_("Problem linked"),
    "move_problem": N_("Problem moved on"),
    "nobody_to_tell": N_("Nobody could be told"),
    "open_problem": N_("Problem opened"),
    "resolve_problem": N_("Problem resolved"),
    "review_major": N_("Major incident reviewed"),
    "send_to_tracker": N_("Reported to development"),
    "suggest_problem": N_("Problem suggested"),
    "tracker_state": N_("News from development"),
    "unlink_problem": N_("Problem unlinked"),
    "use_entitlement": N_("Entitlement used"),
    "warn_update": N_("Customer update overdue"),
    "note_recovery": N_("Recovered"),
    "note_return": N_("Came back"),
    "arrive_at_site": N_("Arrived at the site"),
    "leave_site": N_("Left the site"),
    "sla_warning": N_("Clock warning"),
    "sla_breach": N_("Service level breached"),
}
CLOCK_STATES = {
    "running": N_("Running"),
    "paused": N_("Paused"),
    "outside_hours": N_("Outside hours"),
    "breached": N_("Breached"),
    "met": N_("Kept"),
    "late": N_("Too late"),
    "stopped": N_("Stopped with the ticket"),
}
WHY = {
    "counts": N_("counts"),
    "outside_hours": N_("outside hours"),
    "holiday": N_("holiday"),
    "waiting": N_("waiting"),
    "proposed": N_("a solution lay proposed"),
    "done": N_("it was resolved"),
    "corrected": N_("corrected"),
}
SOLUTIONS = {
    "planned": N_("Planned"),
    "proposed": N_("Proposed"),
    "agreed": N_("Agreed"),
    "carried_out": N_("Carried out"),
    "verified": N_("Verified"),
    "rejected": N_("Declined"),
    "superseded": N_("Replaced by another"),
}
STEPS = {
    "propose": N_("Propose"),
    "agree": N_("Customer agrees"),
    "carry_out": N_("Carry out"),
    "verify": N_("Verify"),
}
HEALTH = {"ok": N_("Healthy"), "attention": N_("Needs attention"), "down": N_("Down"), "unknown": N_("Unknown")}

AGENTS = {
    "active": N_("active"),
    "quarantined": N_("quarantined"),
    "revoked": N_("revoked"),
    "retired": N_("replaced"),
}
CONFIGURATIONS = {
    "none": N_("its own file alone"),
    "unsupported": N_("not supported"),
    "queued": N_("on its way"),
    "received": N_("received"),
    "applying": N_("on trial"),
    "applied": N_("applied"),
    "failed": N_("failed, taken back"),
    "refused": N_("refused by the site"),
    "expired": N_("given up"),
    "superseded": N_("replaced"),
}
CONFIGURED_FOR = {"customer": N_("for the customer"), "site": N_("for the site"), "agent": N_("for this host alone")}
CHANGES = {
    "agent_started": N_("Agent started"),
    "reboot": N_("Restarted"),
    "clock_step": N_("Clock set"),
    "version": N_("Version"),
    "config": N_("Configuration file"),
    "packages": N_("Packages"),
    "process_restarted": N_("Program restarted"),
    "inventory": N_("Host changed"),
    "shedding": N_("Gave up data"),
    "redaction_error": N_("Redaction failed"),
    "quarantined": N_("Agent quarantined"),
    "spool": N_("Agent's store"),
}

VISITS = {
    "planned": N_("to come"),
    "arrived": N_("at the site"),
    "left": N_("over, to be signed"),
    "signed": N_("signed off"),
    "cancelled": N_("cancelled"),
}
LINKS = {
    "relates": N_("relates to"),
    "duplicates": N_("duplicates"),
    "causes": N_("causes"),
    "blocks": N_("blocks"),
}
LINKS_BACK = LINKS | {
    "duplicates": N_("is duplicated by"),
    "causes": N_("is caused by"),
    "blocks": N_("is blocked by"),
}
READINGS = {
    "CPU": N_("CPU"),
    "memory": N_("memory"),
    "load": N_("load"),
    "disk": N_("disk"),
    "folder": N_("folder"),
    "iowait": N_("waiting for disks"),
    "swap": N_("swap"),
    "container": N_("container"),
    "program": N_("program"),
}
TRACKED = {"defect": N_("Defect"), "feature": N_("Feature request")}

GROUPS = {
    "visit": VISITS,
    "link": LINKS,
    "link_back": LINKS_BACK,
    "tracked": TRACKED,
    "reading": READINGS,
    "agent": AGENTS,
    "configuration": CONFIGURATIONS,
    "configured_for": CONFIGURED_FOR,
    "change": CHANGES,
    "state": STATES,
    "type": TYPES,
    "waiting": WAITING,
    "priority": PRIORITIES,
    "severity": SEVERITIES,
    "clock": CLOCKS,
    "visibility": VISIBILITY,
    "role": ROLES,
    "event": EVENTS,
    "health": HEALTH,
    "clock_state": CLOCK_STATES,
    "why": WHY,
    "solution": SOLUTIONS,
    "step": STEPS,
} | DESK


def word(group: str, value: object, *, locale: str) -> str:
    """The label of a value of a group in the language."""
    named = GROUPS[group].get(str(value))
    if named is None:
        return str(value).replace("_", " ").capitalize()
    return translations(locale).gettext(named)


def named(group: str, values: Iterable[object], *, locale: str) -> list[tuple[str, str]]:
    """Values with their labels, as the choices of a form take them."""
    return [(str(value), word(group, value, locale=locale)) for value in values]


def rule_guide(rulebook: Rulebook, name: str, *, language: str) -> Guide | None:
    """The words of the rule of that name, in that language; None where it is not in force any more."""
    rule = rulebook.named(name)
    return None if rule is None else rule.guide(language)
