"""Who is on call: turns on the wall, the two days on which clocks change, layers, overrides, swaps, time off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.oncall import (
    Layer,
    Override,
    Schedule,
    TimeOff,
    Unit,
    gaps,
    loads,
    on_call_at,
    ranked,
    shifts,
)
from sitewarden_alerting.oncall.local import instant, zone_of

HOUR = 3600 * 10**9
DAY = 24 * HOUR
BERLIN = "Europe/Berlin"
ABC = ("ada", "bob", "carol")


def at(text: str, zone: str = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def weekly(**changes: object) -> Schedule:
    layer = replace(Layer("primary", ABC, "2026-11-02T09:00"), **changes)  # type: ignore[arg-type]
    return Schedule("support", BERLIN, (layer,))


def test_each_has_a_week_and_hands_on_at_the_same_hour() -> None:
    assert on_call_at(weekly(), at("2026-11-02T09:00")) == "ada"
    assert on_call_at(weekly(), at("2026-11-09T08:59")) == "ada"
    assert on_call_at(weekly(), at("2026-11-09T09:00")) == "bob"
    assert on_call_at(weekly(), at("2026-11-23T09:00")) == "ada"


def test_before_its_start_a_layer_has_nobody() -> None:
    assert on_call_at(weekly(), at("2026-11-02T08:59")) == ""


def test_all_shifts_keep_their_hour_over_a_change_of_clocks() -> None:
    """grafana oncall #3261: all shifts were an hour off after the change."""
    found = shifts(weekly(), at("2027-03-15T09:00"), at("2027-04-12T09:00"))
    assert [shift.from_ns for shift in found[1:]] == [
        at("2027-03-22T09:00"),
        at("2027-03-29T09:00"),
        at("2027-04-05T09:00"),
    ]
    lengths = [(shift.until_ns - shift.from_ns) // HOUR for shift in found]
    assert lengths == [168, 167, 168, 168]


def test_a_layer_is_read_on_the_wall_of_its_schedule_and_nowhere_else() -> None:
    """grafana oncall #2817: a local time was taken for UTC."""
    shanghai = replace(weekly(), zone="Asia/Shanghai")
    assert shifts(shanghai, at("2026-11-02T09:00", "Asia/Shanghai"), at("2026-11-03T09:00", "Asia/Shanghai"))[
        0
    ].from_ns == (at("2026-11-02T01:00", "UTC"))


def test_a_handoff_that_does_not_exist_happens_when_the_gap_ends() -> None:
    """goalert PR #1252. On 28 March 2027 it is 03:00 in Berlin right after 01:59."""
    nightly = weekly(start="2027-03-26T02:30", unit=Unit.DAYS)
    found = shifts(nightly, at("2027-03-27T02:30"), at("2027-03-29T02:30"))
    assert [(s.person, s.from_ns) for s in found] == [
        ("bob", at("2027-03-27T02:30")),
        ("carol", at("2027-03-28T03:00")),
    ]
    assert found[0].until_ns == found[1].from_ns


def test_a_handoff_that_exists_twice_happens_at_the_first_of_them_and_once() -> None:
    """goalert PR #1252. On 25 October 2026 it is 02:30 in Berlin twice."""
    nightly = weekly(start="2026-10-23T02:30", unit=Unit.DAYS)
    found = shifts(nightly, at("2026-10-24T02:30"), at("2026-10-26T02:30"))
    assert [s.person for s in found] == ["bob", "carol"]
    assert found[1].from_ns == at("2026-10-25T02:30")
    assert found[1].until_ns - found[1].from_ns == 25 * HOUR


def test_turns_of_hours_pay_no_heed_to_the_wall() -> None:
    found = shifts(
        weekly(start="2026-10-24T20:00", unit=Unit.HOURS, every=6), at("2026-10-24T20:00"), at("2026-10-26T07:00")
    )
    assert {s.until_ns - s.from_ns for s in found[:-1]} == {6 * HOUR}


def test_a_month_without_that_day_hands_on_at_its_last_one() -> None:
    found = shifts(weekly(start="2027-01-31T09:00", unit=Unit.MONTHS), at("2027-01-31T09:00"), at("2027-04-01T00:00"))
    assert [s.from_ns for s in found] == [at("2027-01-31T09:00"), at("2027-02-28T09:00"), at("2027-03-31T09:00")]


def test_a_daily_rotation_on_weekdays_passes_nobody_over() -> None:
    """goalert #55: with turns that fell on weekends some people were never on call."""
    seven = tuple(f"p{i}" for i in range(7))
    layer = Layer("weekdays", seven, "2026-11-02T00:00", unit=Unit.DAYS, weekdays=(0, 1, 2, 3, 4))
    schedule = Schedule("support", BERLIN, (layer,))
    carried = loads(shifts(schedule, at("2026-11-02T00:00"), at("2026-11-02T00:00") + 35 * 7 * DAY), BERLIN)
    assert {one.person for one in carried} == set(seven)
    assert max(one.hours for one in carried) - min(one.hours for one in carried) <= 24


def test_restricted_hours_leave_gaps_that_are_told_and_a_lower_layer_fills_them() -> None:
    office = weekly(weekdays=(0, 1, 2, 3, 4), from_minute=9 * 60, until_minute=17 * 60)
    assert gaps(office, at("2026-11-02T09:00"), at("2026-11-03T09:00")) == (
        (at("2026-11-02T17:00"), at("2026-11-03T09:00")),
    )
    both = replace(office, layers=(Layer("backup", ("dora",), "2026-01-01T00:00"), *office.layers))
    assert gaps(both, at("2026-11-02T09:00"), at("2026-12-02T09:00")) == ()
    assert on_call_at(both, at("2026-11-02T12:00")) == "ada"
    assert on_call_at(both, at("2026-11-02T20:00")) == "dora"


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    nights = weekly(weekdays=(4,), from_minute=20 * 60, until_minute=8 * 60)
    assert [(s.from_ns, s.until_ns) for s in shifts(nights, at("2026-11-02T09:00"), at("2026-11-09T09:00"))] == [
        (at("2026-11-06T20:00"), at("2026-11-07T08:00"))
    ]


def test_an_override_wins_and_the_later_of_two_wins() -> None:
    first = Override("dora", at("2026-11-03T00:00"), at("2026-11-04T00:00"))
    second = Override("emil", at("2026-11-03T12:00"), at("2026-11-03T13:00"))
    schedule = replace(weekly(), overrides=(first, second))
    people = [s.person for s in shifts(schedule, at("2026-11-02T09:00"), at("2026-11-05T09:00"))]
    assert people == ["ada", "dora", "emil", "dora", "ada"]


def test_a_swap_moves_only_the_two_who_swap() -> None:
    halves = (
        Override("bob", at("2026-11-02T09:00"), at("2026-11-09T09:00"), instead_of="ada", swap="s"),
        Override("ada", at("2026-11-09T09:00"), at("2026-11-16T09:00"), instead_of="bob", swap="s"),
    )
    found = shifts(replace(weekly(), overrides=halves), at("2026-11-02T09:00"), at("2026-11-23T09:00"))
    assert [(s.person, s.source) for s in found] == [("bob", "swap"), ("ada", "swap"), ("carol", "primary")]


def test_whoever_is_away_is_stood_in_for_by_the_next() -> None:
    away = TimeOff("ada", at("2026-11-04T00:00"), at("2026-11-05T00:00"))
    found = shifts(replace(weekly(), time_off=(away,)), at("2026-11-02T09:00"), at("2026-11-09T09:00"))
    assert [s.person for s in found] == ["ada", "bob", "ada"]
    assert ranked(replace(weekly(), time_off=(away,)), at("2026-11-04T12:00")) == ("bob", "carol")


def test_the_line_begins_with_who_is_on_call_and_goes_on_along_the_rotation() -> None:
    assert ranked(weekly(), at("2026-11-10T12:00")) == ("bob", "carol", "ada")


def test_what_is_no_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of("Berlin/Europe")


ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/St_Johns", "UTC"]
)


@given(
    zone=ZONES,
    unit=st.sampled_from(list(Unit)),
    every=st.integers(1, 5),
    start_day=st.integers(0, 500),
    minute=st.integers(0, 24 * 60 - 1),
    after_days=st.integers(0, 600),
    days=st.integers(1, 40),
)
def test_turns_neither_overlap_nor_leave_a_gap(
    zone: str, unit: Unit, every: int, start_day: int, minute: int, after_days: int, days: int
) -> None:
    first = datetime.fromordinal(datetime(2026, 1, 1).toordinal() + start_day)  # noqa: DTZ001
    start = f"{first:%Y-%m-%d}T{minute // 60:02}:{minute % 60:02}"
    schedule = Schedule("s", zone, (Layer("l", ABC, start, every=every, unit=unit),))
    begin = instant(zone_of(zone), first.date(), minute) + after_days * DAY
    found = shifts(schedule, begin, begin + days * DAY)
    assert found[0].from_ns == begin
    assert found[-1].until_ns == begin + days * DAY
    assert all(one.until_ns == other.from_ns for one, other in pairwise(found))
    middle = begin + days * DAY // 2
    assert on_call_at(schedule, middle) == next(s.person for s in found if s.from_ns <= middle < s.until_ns)
