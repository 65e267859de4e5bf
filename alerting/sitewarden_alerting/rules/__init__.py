"""Rules: what in the stream of observations deserves somebody's attention.

`evaluate` applies a rulebook to observations as they come, `tick` to the passing of time; both take what they remember
of a site (`SiteState`) and hand back the next state with the signals found. Pure. Not here: reading rules from a file
(`rulefile`), and what becomes of a signal (`triage`).
"""

from sitewarden_alerting.rules.evaluation import evaluate
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
from sitewarden_alerting.rules.state import Evaluated, RuleFailure, SiteState
from sitewarden_alerting.rules.ticking import lately_silent, quietly, tick
from sitewarden_alerting.rules.watching import watch_levels

__all__ = [
    "Absence",
    "AgentSilent",
    "AnyRule",
    "Changed",
    "DataLost",
    "Evaluated",
    "Guide",
    "LogFilter",
    "NewFault",
    "Noise",
    "ProbeFailed",
    "Rate",
    "Rule",
    "RuleFailure",
    "Rulebook",
    "SiteState",
    "Storm",
    "Threshold",
    "evaluate",
    "lately_silent",
    "quietly",
    "tick",
    "watch_levels",
]
