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
    "pending": N_("waits to be sent"),
    "sending": N_("being sent"),
    "sent": N_("sent"),
    "delivered": N_("delivered"),
    "parked": N_("parked"),
    "failed": N_("failed"),
    "cancelled": N_("no longer needed"),
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
GOAL = {
    "first_response": N_("First response"),
    "solution": N_("Solution proposed"),
    "resolution": N_("Resolution"),
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
    "goal": GOAL,
}
