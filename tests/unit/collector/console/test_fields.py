"""What stands in a form is read as what it means, and what cannot be read is told."""

from __future__ import annotations

from datetime import date

import pytest

from sitewarden_alerting.oncall import Shift
from sitewarden_collector.console import shift_calendar
from sitewarden_collector.console.fields import Fields
from sitewarden_collector.errors import Invalid
from tests.cast import DAY, HOUR, NOON


def _form(zone: str = "UTC", **written: str) -> Fields:
    return Fields({name: (text,) for name, text in written.items()}, {}, zone)


def test_times_are_read_by_the_readers_wall_also_where_clocks_change() -> None:
    assert _form(at="2026-11-24T12:00").moment("at") == NOON
    assert _form("Asia/Shanghai", at="2026-11-24T20:00:30").moment("at") == NOON + 30 * 1_000_000_000
    assert _form("Asia/Shanghai", at="2026-11-24T13:00").moment("at", zone="Europe/Berlin") == NOON
    skipped = _form("Europe/Berlin", at="2027-03-28T02:30").moment("at")
    assert skipped == _form("Europe/Berlin", at="2027-03-28T03:00").moment("at")
    assert _form(at="").moment("at") is None
    with pytest.raises(Invalid, match="is no time"):
        _form(at="tomorrow").moment("at")


def test_lengths_hours_numbers_and_lists_are_read() -> None:
    assert [_form(x=text).span_s("x") for text in ("30m", "4h", "2d", "1W")] == [1800, 14400, 172800, 604800]
    assert [_form(x=text).minute("x") for text in ("09:30", "24:00", "")] == [570, 1440, None]
    assert _form(x="ada, bob\uff0c王芳\nada").words("x") == ("ada", "bob", "王芳")
    assert _form(x="7").number("x", least=1, most=9) == 7
    for wrong in ("", "0h", "h", "2 weeks", "9999999d"):
        with pytest.raises(Invalid):
            _form(x=wrong).span_s("x")
    for number in ("", "1.5", "10", "0"):
        with pytest.raises(Invalid):
            _form(x=number).number("x", least=1, most=9)
    with pytest.raises(Invalid):
        _form(x="25:00").minute("x")


def test_a_week_is_drawn_with_its_shifts_gaps_and_the_present() -> None:
    from_ns, until_ns = shift_calendar.span_of("UTC", weeks=2, skip=0, now_ns=NOON)
    assert (until_ns - from_ns, from_ns) == (14 * DAY, NOON - DAY - 12 * HOUR)  # from Monday, midnight
    shifts = [Shift("ada", from_ns, from_ns + 9 * DAY, "Turns")]
    first, second = shift_calendar.rows(
        shifts, [(from_ns + 9 * DAY, until_ns)], zone="UTC", from_ns=from_ns, weeks=2, colour_of={"ada": 3}, now_ns=NOON
    )
    assert [(bar.person, bar.left, bar.width, bar.colour) for bar in first.bars] == [("ada", 0.0, 100.0, 3)]
    assert [(bar.person, bar.left, bar.width) for bar in second.bars] == [("ada", 0.0, 28.571), ("", 28.571, 71.429)]
    assert (first.now > 0, second.now) == (True, -1.0)
    assert [day.today for day in first.days] == [False, True, False, False, False, False, False]
    assert first.days[0].day == date(2026, 11, 23)


def test_a_day_on_which_clocks_change_is_narrower_than_others() -> None:
    now_ns = NOON + 120 * DAY  # 24 March 2027
    from_ns, _ = shift_calendar.span_of("Europe/Berlin", weeks=1, skip=0, now_ns=now_ns)
    [week] = shift_calendar.rows([], [], zone="Europe/Berlin", from_ns=from_ns, weeks=1, colour_of={}, now_ns=now_ns)
    widths = [round(right.left - left.left, 1) for left, right in zip(week.days, week.days[1:], strict=False)]
    assert set(widths) == {14.4}
    assert round(100 - week.days[-1].left, 1) == 13.8  # Sunday has 23 hours


def test_each_person_has_a_colour_whatever_the_order() -> None:
    assert shift_calendar.colours(["bob", "ada", "bob"]) == {"ada": 0, "bob": 1}
    assert shift_calendar.day_label(date(2026, 11, 23), locale="en") == "Nov 23"
    assert shift_calendar.day_label(date(2026, 11, 24), locale="zh") == "24日周二"
