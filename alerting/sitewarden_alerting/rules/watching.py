"""Which values agents must tell at once: `watch_levels(rulebook)`.

An agent sends its samples once a minute, and at once when a value crosses a level that it was given. A rule about a
series that agents sample as it is gives its own level, and the one at which it is over, so that neither the fault nor
its end waits for the minute. A ratio of two series gives none: agents look at single values. Not here: levels that
forecasts want (`assess.EARLY_LEVELS`), and those of the configuration.
"""

from __future__ import annotations

from sitewarden_alerting.model import WatchLevel
from sitewarden_alerting.rules.rulebook import Rulebook, Threshold


def watch_levels(rulebook: Rulebook) -> tuple[WatchLevel, ...]:
    """The levels that the rules of the book wait for, each once."""
    found: dict[WatchLevel, None] = {}
    for rule in rulebook.rules:
        if not isinstance(rule, Threshold) or rule.divide_by:
            continue
        for above in (rule.above, rule.clear if rule.above is not None else None):
            if above is not None:
                found[WatchLevel(rule.series, above=above)] = None
        for below in (rule.below, rule.clear if rule.below is not None else None):
            if below is not None:
                found[WatchLevel(rule.series, below=below)] = None
    return tuple(found)
