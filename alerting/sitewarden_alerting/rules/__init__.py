"""Rules: what in the stream of observations deserves somebody's attention.

`evaluate` applies a rulebook to observations as they come, `tick` to the passing of time; both take what they remember
of a site (`SiteState`) and hand back the next state with the signals found. Pure. Not here: reading rules from a file
(`rulefile`), and what becomes of a signal (`triage`).
"""

from sitewarden_alerting.rules.columns import Column, Plan, Plans
from sitewarden_alerting.rules.evaluation import Meter, evaluate
from sitewarden_alerting.rules.late import hushed
from sitewarden_alerting.rules.levels import levelled
from sitewarden_alerting.rules.rulebook import (
    Absence,
    AgentSilent,
    AnyRule,
    Changed,
    DataLost,
    Guide,
    LogFilter,
    NewFault,
    Noise,
    ProbeFailed,
    Rate,
    Rule,
    Rulebook,
    Storm,
    Threshold,
)
from sitewarden_alerting.rules.state import Cost, Evaluated, RuleFailure, SiteState
from sitewarden_alerting.rules.ticking import lately_silent, quietly, tick, unheard_before_ns
from sitewarden_alerting.rules.watching import watch_levels

__all__ = [
    "Absence",
    "AgentSilent",
    "AnyRule",
    "Changed",
    "Column",
    "Cost",
    "DataLost",
    "Evaluated",
    "Guide",
    "LogFilter",
    "Meter",
    "NewFault",
    "Noise",
    "Plan",
    "Plans",
    "ProbeFailed",
    "Rate",
    "Rule",
    "RuleFailure",
    "Rulebook",
    "SiteState",
    "Storm",
    "Threshold",
    "evaluate",
    "hushed",
    "lately_silent",
    "levelled",
    "quietly",
    "tick",
    "unheard_before_ns",
    "watch_levels",
]
