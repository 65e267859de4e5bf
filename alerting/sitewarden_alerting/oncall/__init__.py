"""Who is on call: layers of people in rotation, restricted to hours and weekdays, with overrides, swaps and time off.

Pure: a schedule and a time give a person, the shifts of a period, its gaps and who carries how much. Times of handoff
are wall times in the schedule's zone (`local` has the rules for days on which clocks change). Not here: who is told
after whom (`escalation`), and how a person is reached (`routing`).
"""

from sitewarden_alerting.oncall.schedule import Layer, Override, Schedule, Shift, TimeOff, Unit
from sitewarden_alerting.oncall.shifts import gaps, on_call_at, ranked, shifts
from sitewarden_alerting.oncall.summary import Load, loads

__all__ = [
    "Layer",
    "Load",
    "Override",
    "Schedule",
    "Shift",
    "TimeOff",
    "Unit",
    "gaps",
    "loads",
    "on_call_at",
    "ranked",
    "shifts",
]
