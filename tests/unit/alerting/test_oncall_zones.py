"""The name of a time zone comes from people and browsers: whatever it is, it is a zone or refused."""

from __future__ import annotations

import pytest

from sitewarden_alerting.oncall.local import zone_of


@pytest.mark.parametrize(
    "name", ["Europe/" + "e/" * 2000 + "e", "x" * 10_000, "../etc/passwd", "/etc/passwd", "\0", ""]
)
def test_what_is_no_zone_is_refused_however_long_and_deep(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)


def test_the_longest_zones_are_zones() -> None:
    assert zone_of("America/Argentina/ComodRivadavia").key == "America/Argentina/ComodRivadavia"
