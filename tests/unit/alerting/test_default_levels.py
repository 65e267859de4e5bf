"""The default rules of a host's health: each level that opens a ticket, and one just short of it that does not."""

from __future__ import annotations

import pytest

from sitewarden_alerting.observations import Samples, Series
from sitewarden_alerting.rulefile import combine, parse
from sitewarden_alerting.rules import Threshold
from tests.cast import MINUTE, NOON
from tests.unit.alerting.test_rulefile import DEFAULT
from tests.unit.alerting.test_rules import found, seen

BOOK = combine([parse(DEFAULT, "default")])
LEVELS = [rule for rule in BOOK.rules if isinstance(rule, Threshold)]


def hour(series: str, value: float) -> Samples:
    """An hour of one value, a minute apart."""
    return Samples(
        "s",
        (Series(series, (("process", "shop"),), ""),),
        tuple(NOON + n * MINUTE for n in range(61)),
        ((value,) * 61,),
        False,
    )


@pytest.mark.parametrize("rule", LEVELS, ids=lambda rule: rule.name)
def test_a_level_that_is_passed_for_long_enough_opens_a_ticket_and_one_short_of_it_does_not(rule: Threshold) -> None:
    level, beyond = (rule.above, 0.01) if rule.above is not None else (rule.below, -0.01)
    assert level is not None
    assert rule.name in {signal.rule for signal in found(BOOK, seen(hour(rule.series, level + beyond)))}
    assert rule.name not in {signal.rule for signal in found(BOOK, seen(hour(rule.series, level - beyond)))}


def test_containers_handles_and_heat_are_among_them() -> None:
    assert {"container-memory", "open-files", "temperature"} <= {rule.name for rule in LEVELS}
