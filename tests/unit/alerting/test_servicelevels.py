"""The arithmetic of working time, against an oracle that looks at the wall clock minute by minute."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, SECOND_NS
from sitewarden_alerting.servicelevels.calendars import (
    AROUND_THE_CLOCK,
    BadCalendar,
    Calendar,
    NamedDay,
    Timeline,
    day_of,
    parse_hours,
    parse_week,
    timeline,
    write_week,
)
from sitewarden_alerting.servicelevels.intervals import Sort, due_at, stretches, working_ns

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # moves by half an hour
    "America/St_Johns",
    "Africa/Casablanca",  # turns back for Ramadan
    "Pacific/Apia",
    "Asia/Tehran",
    "America/Sao_Paulo",
    "Antarctica/Troll",  # moves by two hours
)
WEEKS = (
    "mon-fri 09:00-18:00",
    "mon-fri 08:30-12:00 13:00-17:45; sat 10:00-14:00",
    "24x7",
    "mon-sun 00:00-06:00 22:00-24:00",
    "sun 01:30-02:30",
    "wed 00:00-24:00",
)
# Around the nights in which clocks move, around leap days, and anywhere.
EDGES = tuple(
    int(datetime(*day, tzinfo=UTC).timestamp()) * SECOND_NS
    for day in (
        (2024, 2, 28),
        (2028, 2, 28),
        (2026, 3, 8),
        (2026, 3, 28),
        (2026, 4, 4),
        (2026, 10, 3),
        (2026, 10, 24),
        (2026, 10, 31),
        (2026, 12, 31),
        (2011, 12, 29),
    )
)


def ns(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND_NS


def calendar(week: str = "mon-fri 09:00-18:00", zone: str = "Europe/Berlin", **more: object) -> Calendar:
    return Calendar("office", 1, zone, parse_week(week), **more)  # type: ignore[arg-type]


def oracle(line: Timeline, from_ns: int, until_ns: int) -> int:
    """Working minutes, by looking at the wall clock at every one of them."""
    found = 0
    for at_ns in range(from_ns, until_ns, MINUTE_NS):
        one = line.at(at_ns)
        wall = datetime.fromtimestamp(at_ns // SECOND_NS, ZoneInfo(one.zone))
        minute = wall.hour * 60 + wall.minute
        found += any(hours.from_min <= minute < hours.until_min for hours in day_of(one, wall.date()).hours)
    return found


moments = st.one_of(
    st.builds(lambda edge, minutes: edge + minutes * MINUTE_NS, st.sampled_from(EDGES), st.integers(-600, 3600)),
    st.integers(20_000_000, 34_000_000).map(lambda minutes: minutes * MINUTE_NS),
)


@st.composite
def named_days(draw: st.DrawFn, near_ns: int) -> tuple[NamedDay, ...]:
    first = datetime.fromtimestamp(near_ns // SECOND_NS, UTC).date()
    days = draw(st.sets(st.integers(-2, 5), max_size=3))
    hours = st.sampled_from(("", "09:00-12:00", "00:00-02:30 22:00-24:00"))
    return tuple(NamedDay(first + timedelta(days=day), f"day {day}", parse_hours(draw(hours))) for day in sorted(days))


@st.composite
def lines(draw: st.DrawFn, near_ns: int) -> Timeline:
    """A calendar of one to three versions that change around an instant."""
    count = draw(st.integers(1, 3))
    made = []
    for version in range(1, count + 1):
        since_ns = 0 if version == 1 else near_ns + draw(st.integers(-1000, 5000)) * MINUTE_NS
        zone, week = draw(st.sampled_from(ZONES)), draw(st.sampled_from(WEEKS))
        days = draw(named_days(near_ns)), draw(named_days(near_ns))
        made.append((since_ns, Calendar("any", version, zone, parse_week(week), *days)))
    return timeline(made)


@settings(max_examples=120)
@given(st.data())
def test_the_working_time_is_what_the_wall_clock_says_minute_by_minute(data: st.DataObject) -> None:
    from_ns = data.draw(moments)
    until_ns = from_ns + data.draw(st.integers(0, 4 * 1440)) * MINUTE_NS
    line = data.draw(lines(from_ns))
    assert working_ns(line, from_ns, until_ns) == oracle(line, from_ns, until_ns) * MINUTE_NS


@given(st.data())
def test_two_parts_have_the_working_time_of_the_whole(data: st.DataObject) -> None:
    a_ns = data.draw(moments)
    b_ns, c_ns = sorted(a_ns + data.draw(st.integers(0, 40 * 86_400 * SECOND_NS)) for _ in range(2))
    line = data.draw(lines(a_ns))
    whole = working_ns(line, a_ns, c_ns)
    assert working_ns(line, a_ns, b_ns) + working_ns(line, b_ns, c_ns) == whole
    assert 0 <= working_ns(line, a_ns, b_ns) <= whole <= c_ns - a_ns


@given(st.data())
def test_what_is_due_is_due_when_its_working_time_is_over_and_not_a_moment_before(data: st.DataObject) -> None:
    start_ns = data.draw(moments)
    line = data.draw(lines(start_ns))
    goal_ns = data.draw(st.integers(1, 60 * 3600 * SECOND_NS))
    due_ns = due_at(line, start_ns, goal_ns)
    assert due_ns is not None
    assert working_ns(line, start_ns, due_ns) == goal_ns
    assert working_ns(line, start_ns, due_ns - 1) == goal_ns - 1


@given(st.data())
def test_more_to_do_is_never_due_earlier_and_a_pause_never_helps(data: st.DataObject) -> None:
    start_ns = data.draw(moments)
    line = data.draw(lines(start_ns))
    less_ns, more_ns = sorted(data.draw(st.integers(1, 40 * 3600 * SECOND_NS)) for _ in range(2))
    less, more = due_at(line, start_ns, less_ns), due_at(line, start_ns, more_ns)
    assert less is not None
    assert more is not None
    assert less <= more
    pause_ns = start_ns + data.draw(st.integers(-100, 5000)) * MINUTE_NS
    on_ns = pause_ns + data.draw(st.integers(0, 3000)) * MINUTE_NS
    paused = due_at(line, start_ns, less_ns, pauses=((pause_ns, on_ns),))
    assert paused is not None
    assert paused >= less
    lost = working_ns(line, max(start_ns, pause_ns), max(start_ns, min(on_ns, paused)))
    assert working_ns(line, start_ns, paused) == less_ns + lost


@given(st.data())
def test_the_stretches_leave_no_gap_and_two_neighbours_differ(data: st.DataObject) -> None:
    from_ns = data.draw(moments)
    until_ns = from_ns + data.draw(st.integers(1, 20 * 1440)) * MINUTE_NS
    found = list(stretches(data.draw(lines(from_ns)), from_ns, until_ns))
    assert found[0].from_ns == from_ns
    assert found[-1].until_ns == until_ns
    for one, after in itertools.pairwise(found):
        assert one.until_ns == after.from_ns
        assert (one.sort, one.name, one.calendar) != (after.sort, after.name, after.calendar)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_the_hours_that_it_really_has(day: str, hours: int) -> None:
    line = timeline([(0, calendar("mon-sun 00:00-24:00", holidays=(NamedDay(date(2000, 1, 1), "x"),)))])
    after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    assert working_ns(line, ns(day, "Europe/Berlin"), ns(after, "Europe/Berlin")) == hours * HOUR_NS


def test_an_hour_that_the_spring_leaves_out_does_not_count_and_one_that_the_autumn_repeats_counts_twice() -> None:
    line = timeline([(0, calendar("sun 02:00-03:00"))])
    assert working_ns(line, ns("2026-03-29"), ns("2026-03-30")) == 0
    assert working_ns(line, ns("2026-10-25"), ns("2026-10-26")) == 2 * HOUR_NS


def test_a_leap_day_is_a_day_and_the_29th_of_february_can_be_a_holiday() -> None:
    line = timeline([(0, calendar(zone="UTC"))])
    assert working_ns(line, ns("2028-02-28"), ns("2028-03-02")) == 27 * HOUR_NS
    leap = timeline([(0, calendar(zone="UTC", holidays=(NamedDay(date(2028, 2, 29), "leap"),)))])
    assert working_ns(leap, ns("2028-02-28"), ns("2028-03-02")) == 18 * HOUR_NS


def test_a_working_sunday_has_the_hours_of_the_first_working_day() -> None:
    line = timeline([(0, calendar(zone="Asia/Shanghai", workdays=(NamedDay(date(2026, 1, 4), "in lieu"),)))])
    found = [one for one in stretches(line, ns("2026-01-03"), ns("2026-01-04T12:00")) if one.sort is Sort.WORKING]
    assert [(one.from_ns, one.until_ns, one.name) for one in found] == [
        (ns("2026-01-04T09:00", "Asia/Shanghai"), ns("2026-01-04T18:00", "Asia/Shanghai"), "in lieu")
    ]


def test_half_a_holiday_is_worked_within_its_own_hours_alone() -> None:
    eve = NamedDay(date(2026, 12, 24), "Christmas Eve", parse_hours("09:00-12:00"))
    line = timeline([(0, calendar(holidays=(eve,)))])
    berlin = "Europe/Berlin"
    assert working_ns(line, ns("2026-12-24", berlin), ns("2026-12-25", berlin)) == 3 * HOUR_NS
    found = list(stretches(line, ns("2026-12-24T11:00", berlin), ns("2026-12-24T20:00", berlin)))
    assert [(one.sort, one.name) for one in found] == [(Sort.WORKING, ""), (Sort.HOLIDAY, "Christmas Eve")]
    assert due_at(line, ns("2026-12-24T11:00", berlin), 2 * HOUR_NS) == ns("2026-12-25T10:00", berlin)


def test_a_day_of_its_own_hours_counts_in_a_calendar_that_counts_every_minute_otherwise() -> None:
    short = NamedDay(date(2026, 12, 24), "short", parse_hours("09:00-12:00"))
    for days in ({"holidays": (short,)}, {"workdays": (short,)}):
        line = timeline([(0, calendar("24x7", zone="UTC", **days))])
        assert working_ns(line, ns("2026-12-24"), ns("2026-12-25")) == 3 * HOUR_NS


def test_a_day_of_its_own_hours_has_hours_that_make_sense() -> None:
    for text in ("12:00-09:00", "25:00-26:00", "nine"):
        with pytest.raises(BadCalendar):
            parse_hours(text)
    crossed = NamedDay(date(2026, 12, 24), "short", parse_hours("09:00-12:00 11:00-15:00"))
    with pytest.raises(BadCalendar, match="overlap"):
        calendar(holidays=(crossed,))


def test_a_new_version_takes_over_at_its_instant_whatever_was_planned_before() -> None:
    first, second, third = (Calendar("c", i, "UTC", parse_week("24x7")) for i in (1, 2, 3))
    made = timeline([(0, first), (100, second), (50, third)])
    assert [(since, one.version) for since, one in made.versions] == [(0, 1), (50, 3)]
    assert [made.at(at).version for at in (-5, 0, 49, 50, 200)] == [1, 1, 1, 3, 3]


@pytest.mark.parametrize("text", WEEKS)
def test_a_week_reads_as_it_is_written(text: str) -> None:
    assert parse_week(write_week(parse_week(text))) == parse_week(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mon 18:00-09:00", "goes over midnight"),
        ("mon 9-18", "09:00-18:00"),
        ("xyz 09:00-10:00", "is no day"),
        ("mon", "names no hours"),
        ("mon 09:00-12:00 11:00-13:00", "overlap"),
        ("", "hours on at least one"),
        ("mon 09:00-24:30", "09:00-18:00"),
    ],
)
def test_hours_that_make_no_sense_are_refused_with_what_would(text: str, says: str) -> None:
    with pytest.raises(BadCalendar, match=says):
        Calendar("c", 1, "UTC", parse_week(text))


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(BadCalendar, match="no time zone"):
        Calendar("c", 1, "Mars/Olympus", parse_week("24x7"))


def test_around_the_clock_every_nanosecond_counts() -> None:
    assert working_ns(AROUND_THE_CLOCK, 7, 12_345_678_901) == 12_345_678_894
