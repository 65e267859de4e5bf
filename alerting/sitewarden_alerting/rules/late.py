"""What comes late is a ticket like any other, and no alarm once it is over.

After an outage an agent sends hours of observations at once. What they say happened when it happened, and whoever is
called is called about how things are now: a fault that began and ended long before anybody could be told opens its
ticket, with its times, and tells nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sitewarden_alerting.model import MINUTE_NS, Signal, SignalState

LATE_NS = 15 * MINUTE_NS


def hushed(signals: Sequence[Signal], *, now_ns: int) -> list[Signal]:
    """The signals of one site, in their order; those that are late, and over by the same news, tell nobody."""
    over = {one.fault: at for at, one in enumerate(signals) if one.state is SignalState.RECOVERED}
    return [
        replace(one, tell=False)
        if one.state is SignalState.FIRING and at < over.get(one.fault, 0) and now_ns - one.at_ns > LATE_NS
        else one
        for at, one in enumerate(signals)
    ]
