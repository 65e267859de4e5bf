"""More words of the program as people read them: risks, silences, on call, contracts, administration."""

from __future__ import annotations

from sitewarden_collector.console.i18n import N_

LIKELIHOOD = {
    "1": N_("very unlikely"),
    "2": N_("unlikely"),
    "3": N_("possible"),
    "4": N_("likely"),
    "5": N_("nearly certain"),
}
DEGREE = {"1": N_("slight"), "2": N_("small"), "3": N_("noticeable"), "4": N_("serious"), "5": N_("severe")}
RISK = {
    "folder_full": N_("Folder fills up"),
    "filesystem_full": N_("Disk fills up"),
    "certificate": N_("Certificate expires"),
}
TARGET = {
    "on_call": N_("Who is on call"),
    "next": N_("The next of the rotation"),
    "person": N_("One person"),
    "manager": N_("The managers"),
}
UNIT = {"hours": N_("hours"), "days": N_("days"), "weeks": N_("weeks"), "months": N_("months")}
WEEKDAY = {
    "0": N_("Monday"),
    "1": N_("Tuesday"),
    "2": N_("Wednesday"),
    "3": N_("Thursday"),
    "4": N_("Friday"),
    "5": N_("Saturday"),
    "6": N_("Sunday"),
}
NOTICE = {
    "pending": N_("waiting"),
    "sending": N_("under way"),
    "sent": N_("sent"),
    "delivered": N_("delivered"),
    "parked": N_("parked"),
    "failed": N_("failed"),
    "cancelled": N_("no longer needed"),
    "bundled": N_("told with others"),
}
TOKEN = {"good": N_("good"), "revoked": N_("revoked"), "expired": N_("expired")}
PERMISSION = {
    "tickets:read": N_("See tickets"),
    "tickets:report": N_("Report, comment, confirm"),
    "tickets:work": N_("Work on tickets and problems"),
    "sites:read": N_("See sites and risks"),
    "customers:read": N_("See customers and contracts"),
    "customers:write": N_("Change customers and contracts"),
    "oncall:read": N_("See who is on call"),
    "oncall:write": N_("Change schedules and escalation"),
    "silences:write": N_("Silence, and plan maintenance"),
    "webhooks:in": N_("Send alerts from other monitoring"),
    "settings:write": N_("Change webhooks, calendars and policies"),
    "accounts:write": N_("Manage accounts"),
    "audit:read": N_("Read the audit log"),
    "privacy:write": N_("Export and erase personal data"),
}
TIER = {"gold": N_("Gold"), "silver": N_("Silver"), "bronze": N_("Bronze")}
SHEET = {
    "customers": N_("Customers"),
    "sites": N_("Sites"),
    "contacts": N_("Contacts"),
    "contracts": N_("Contracts"),
}
NEWS = {
    "outages": N_("outages"),
    "solutions": N_("solutions"),
    "maintenance": N_("maintenance"),
    "reports": N_("reports"),
    "contract": N_("the contract"),
}
CONTRACT = {
    "planned": N_("planned"),
    "in_force": N_("in force"),
    "ends_soon": N_("ends soon"),
    "over": N_("over"),
}
ENTITLEMENT = {
    "remote": N_("Remote support"),
    "on_site": N_("Visits on site"),
    "upgrade": N_("Upgrades"),
    "inspection": N_("Inspections"),
}
PROBLEM = {
    "new": N_("New"),
    "investigating": N_("Investigating"),
    "known_error": N_("Known error"),
    "resolved": N_("Resolved"),
    "closed": N_("Closed"),
}
PROBLEM_MOVE = {
    "investigating": N_("Investigate"),
    "known_error": N_("Is a known error"),
    "closed": N_("Close"),
}
PROBLEM_EVENT = {
    "open_problem": N_("Opened"),
    "add_incident": N_("Incident added"),
    "set_title": N_("Title changed"),
    "set_owner": N_("Owner changed"),
    "set_cause": N_("Cause written down"),
    "set_workaround": N_("Workaround written down"),
    "move_problem": N_("State changed"),
    "resolve_problem": N_("Resolved"),
    "add_task": N_("Task set"),
    "finish_task": N_("Task done"),
}
TASK = {
    "solution": N_("Step of a solution"),
    "visit": N_("Site visit"),
    "maintenance": N_("Task of a problem"),
    "review": N_("Action of a review"),
}
ASSIGNING = {
    "off": N_("by people alone"),
    "suggest": N_("suggested, a person decides"),
    "assign": N_("by itself"),
}

DESK = {
    "likelihood": LIKELIHOOD,
    "degree": DEGREE,
    "risk": RISK,
    "target": TARGET,
    "unit": UNIT,
    "weekday": WEEKDAY,
    "notice": NOTICE,
    "token": TOKEN,
    "permission": PERMISSION,
    "tier": TIER,
    "sheet": SHEET,
    "news": NEWS,
    "contract": CONTRACT,
    "entitlement": ENTITLEMENT,
    "problem": PROBLEM,
    "problem_move": PROBLEM_MOVE,
    "problem_event": PROBLEM_EVENT,
    "task": TASK,
    "assigning": ASSIGNING,
}
