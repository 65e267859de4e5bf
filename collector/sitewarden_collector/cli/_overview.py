"""Every command in a line: what `sitewarden --help` says without importing all that the commands need.

A test compares it with what the commands themselves say.
"""

from __future__ import annotations

COMMANDS = {
    "account": "who may sign in to the console",
    "apitoken": "tokens with which programs use the API",
    "audit": "who saw and did what",
    "backup": "copy the whole database to one file; the collector may run",
    "calendar": "working hours and holidays by which contracts count",
    "category": "categories and components of tickets",
    "config": "configure agents from here, within what their sites allow",
    "contact": "people at customers",
    "contract": "contracts: service levels, dates, what is included",
    "customer": "customers, their sites, and CSV in and out",
    "db": "the database's schema, and moving to PostgreSQL",
    "demo": "show the main job on this machine: fault, ticket, page, risk, notice",
    "engineer": "who can be given tickets",
    "export": "samples on their way to a remote store",
    "fault": "what counts as one fault and why; merge and split them",
    "group": "show which records of log files are the same fault",
    "health": "how the collector is, in words",
    "maintenance": "planned times in which a site's pages wait",
    "major": "major incidents: declare, tell customers, review",
    "notice": "send notices to sites, and see what became of those to people",
    "oncall": "who is on call; schedules, overrides, escalation, people",
    "privacy": "what is kept of a customer: export it, erase it",
    "problem": "the causes behind incidents",
    "restore": "put a backup back; the collector must be stopped",
    "risk": "the risk register",
    "rules": "try rules, and see those in force",
    "secret": "the key that secrets in the database rest under",
    "serve": "run the collector",
    "silence": "hold tickets and pages of a site back for a time",
    "simulate": "many agents at once, to size a machine",
    "site": "sites and their agents",
    "sla": "the contract's clocks of a ticket: explained, corrected, proved",
    "ticket": "open, list, show and work on tickets",
    "token": "one-time tokens with which hosts enrol",
    "tracker": "development's tracker",
    "webhook": "tell other programs of changes",
}
