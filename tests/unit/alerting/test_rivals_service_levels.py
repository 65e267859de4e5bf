"""The bugs that other desks have, or had, with service levels, pauses, calendars and daylight saving; one test each.

Each test names the thread that tells of the bug, and shows that the clocks here do not have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, SECOND_NS
from sitewarden_alerting.servicelevels import explain
from sitewarden_alerting.servicelevels.calendars import Calendar, NamedDay, Timeline, parse_week, timeline
from sitewarden_alerting.servicelevels.clock import Clock, ClockState, Why, clocks
from sitewarden_alerting.servicelevels.intervals import due_at, working_ns
from sitewarden_alerting.servicelevels.periods import Correction, Moment
from sitewarden_alerting.servicelevels.targets import DEFAULT, PAUSES, Agreement, Goal, Target

BERLIN = "Europe/Berlin"
FIRST, SOLUTION, RESOLUTION = Target
OFFICE = "mon-fri 10:00-18:00"


def ns(text: str, zone: str = BERLIN, *, fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * SECOND_NS


def line(week: str = OFFICE, zone: str = BERLIN, *days: tuple[str, str], version: int = 1) -> Timeline:
    holidays = tuple(NamedDay(date.fromisoformat(day), name) for day, name in days)
    return timeline([(0, Calendar("office", version, zone, parse_week(week), holidays))])


def agreed(goal_h: float, counted: Timeline | None = None, *targets: Target) -> Agreement:
    goal = Goal(round(goal_h * HOUR_NS), counted or line())
    return Agreement("CON-1", dict.fromkeys((1, 2, 3, 4), dict.fromkeys(targets or (RESOLUTION,), goal)), PAUSES)


def at(when: str, what: str, state: str = "in_progress", **more: object) -> Moment:
    return Moment(ns(when), what, by="ada", state=state, **more)  # type: ignore[arg-type]


def waits(when: str, reason: str = "customer") -> Moment:
    return at(when, "wait_ticket", "waiting", waiting=reason)


def goes_on(when: str) -> Moment:
    return at(when, "start_ticket")


def looked_at(
    now: str, agreement: Agreement, *history: Moment, start: str = "2026-11-23T10:00", priority: int = 3
) -> Mapping[Target, Clock]:
    made = clocks(history, agreement, start_ns=ns(start), priority=priority, now_ns=ns(now))
    return {one.target: one for one in made}


def resolution(now: str, agreement: Agreement, *history: Moment, start: str = "2026-11-23T10:00") -> Clock:
    return looked_at(now, agreement, *history, start=start)[RESOLUTION]


# -- pauses ----------------------------------------------------------------------------------------------------------


def test_glpi_24481_a_ticket_that_waits_is_not_violated_while_it_waits() -> None:
    clock = resolution("2026-11-27T17:00", agreed(4), waits("2026-11-23T12:00"))
    assert clock.state is ClockState.PAUSED
    assert (clock.breached, clock.due_ns, clock.alarm_ns) == (False, None, None)
    assert clock.remaining_s == 2 * 3600


def test_glpi_23359_the_time_in_which_it_was_resolved_is_no_pending_time_and_does_not_move_what_is_due() -> None:
    resolved = at("2026-11-23T13:00", "resolve_ticket", "resolved")
    reopened = at("2026-11-24T13:00", "reopen_ticket", "reopened")
    clock = resolution("2026-11-24T14:00", agreed(8), resolved, reopened)
    assert clock.elapsed_s == 4 * 3600
    assert [span.why for span in clock.spans] == [Why.COUNTS, Why.DONE, Why.COUNTS]
    assert clock.due_ns == ns("2026-11-24T18:00")


def test_glpi_6902_a_pause_survives_a_change_of_the_service_level() -> None:
    history = [waits("2026-11-23T11:00"), goes_on("2026-11-23T15:00")]
    for goal_h, due in ((4, "2026-11-23T18:00"), (6, "2026-11-24T12:00")):
        clock = resolution("2026-11-23T16:00", agreed(goal_h), *history)
        assert (clock.elapsed_s, clock.due_ns) == (2 * 3600, ns(due))


def test_glpi_15605_the_waiting_time_is_not_lost_when_the_priority_and_with_it_the_level_changes() -> None:
    quick, slow = Goal(4 * HOUR_NS, line()), Goal(16 * HOUR_NS, line())
    agreement = Agreement("CON-1", {2: {RESOLUTION: quick}, 3: {RESOLUTION: slow}}, PAUSES)
    history = [waits("2026-11-23T11:00"), goes_on("2026-11-23T15:00"), at("2026-11-23T15:30", "set_priority")]
    clock = looked_at("2026-11-23T16:00", agreement, *history, priority=2)[RESOLUTION]
    assert (clock.elapsed_s, clock.due_ns) == (2 * 3600, ns("2026-11-23T18:00"))


def test_glpi_14492_the_time_in_which_it_waits_is_counted_by_the_calendar_too() -> None:
    """Waiting from Friday 17:00 to Monday 11:00 stops the clock for two working hours, not for 66."""
    history = [waits("2026-11-27T17:00"), goes_on("2026-11-30T11:00")]
    clock = resolution("2026-11-30T12:00", agreed(8), *history, start="2026-11-27T10:00")
    assert clock.elapsed_s == 8 * 3600
    assert clock.due_ns == ns("2026-11-30T12:00")


def test_glpi_1912_the_time_it_waited_is_no_part_of_the_time_that_it_took() -> None:
    history = [
        waits("2026-11-23T11:00"),
        goes_on("2026-11-23T15:00"),
        at("2026-11-23T16:00", "resolve_ticket", "resolved"),
    ]
    clock = resolution("2026-11-27T12:00", agreed(8), *history)
    assert (clock.state, clock.elapsed_s) == (ClockState.MET, 2 * 3600)


def test_what_is_due_after_a_pause_lies_within_the_hours() -> None:
    history = [waits("2026-11-23T16:00"), goes_on("2026-11-23T22:00")]
    clock = resolution("2026-11-23T22:30", agreed(8), *history)
    assert clock.state is ClockState.OUTSIDE_HOURS
    assert clock.due_ns == ns("2026-11-24T12:00")


def test_dynamics_a_timer_pauses_on_a_holiday() -> None:
    """Dynamics 365 documents `timer doesn't pause on a holiday` as by design."""
    counted = line(OFFICE, BERLIN, ("2026-12-25", "Christmas Day"))
    clock = resolution("2026-12-25T12:00", agreed(10, counted), start="2026-12-24T10:00")
    assert clock.state is ClockState.OUTSIDE_HOURS
    assert clock.elapsed_s == 8 * 3600
    assert clock.due_ns == ns("2026-12-28T12:00")
    assert any("holiday Christmas Day" in said for said in explain.lines(clock))


def test_osticket_4969_neither_nights_nor_weekends_nor_holidays_of_the_client_count() -> None:
    counted = line(OFFICE, BERLIN, ("2026-11-30", "St Andrew"))
    clock = resolution("2026-12-01T11:00", agreed(40, counted), start="2026-11-27T17:00")
    assert clock.elapsed_s == 2 * 3600


def test_osticket_discussion_6438_a_ticket_paused_at_night_and_woken_in_the_morning_lost_no_working_time() -> None:
    history = [waits("2026-11-23T18:30"), goes_on("2026-11-24T09:00")]
    with_pause = resolution("2026-11-24T11:00", agreed(20), *history)
    assert with_pause.elapsed_s == resolution("2026-11-24T11:00", agreed(20)).elapsed_s == 9 * 3600


# -- calendars -------------------------------------------------------------------------------------------------------


def test_glpi_10594_days_of_work_over_a_weekend_and_a_pause_over_one_are_counted_alike() -> None:
    """There the pause was counted around the clock and what is due by the calendar: too much was added (PR #14937)."""
    clock = resolution("2026-11-27T13:00", agreed(16), start="2026-11-27T12:00")
    assert clock.due_ns == ns("2026-12-01T12:00")
    history = [waits("2026-11-27T14:00"), goes_on("2026-11-30T11:00")]
    paused = resolution("2026-11-30T12:00", agreed(16), *history, start="2026-11-27T12:00")
    assert paused.due_ns == ns("2026-12-01T17:00")


def test_glpi_pr_22678_an_escalation_comes_within_the_hours_and_not_at_midnight() -> None:
    """Eight hours from 10:00 are over at 18:00, and a share of them that falls into the morning at 10:00 or later."""
    clock = resolution("2026-11-23T10:00", agreed(16))
    assert clock.alarm_ns == ns("2026-11-23T18:00")
    later = resolution("2026-11-23T19:00", agreed(16))
    assert later.alarm_ns == ns("2026-11-24T14:00")
    assert later.due_ns == ns("2026-11-24T18:00")


def test_zammad_4432_nothing_escalates_at_midnight_or_on_a_weekend() -> None:
    for hour in range(48):
        start = f"2026-11-{27 + hour // 24}T{hour % 24:02d}:30"
        clock = resolution(start, agreed(3), start=start)
        assert clock.alarm_ns is not None
        assert working_ns(line(), clock.alarm_ns - 1, clock.alarm_ns) == 1


def test_zammad_3140_nothing_escalates_while_the_customer_is_to_answer() -> None:
    """There the time to update ran although the agent had answered last."""
    history = [answered("2026-11-23T11:00"), waits("2026-11-23T11:00")]
    for clock in looked_at("2026-12-23T12:00", agreed(2, None, *Target), *history).values():
        assert not clock.breached
        assert clock.alarm_ns is None


def test_zammad_2082_the_first_answer_moves_what_is_due_next_at_once() -> None:
    """There only the second reply did."""
    goals = {FIRST: Goal(2 * HOUR_NS, line()), RESOLUTION: Goal(6 * HOUR_NS, line())}
    agreement = Agreement("CON-1", {3: goals}, PAUSES)
    before = looked_at("2026-11-23T10:30", agreement)
    assert before[FIRST].open
    after = looked_at("2026-11-23T10:31", agreement, answered("2026-11-23T10:31"))
    assert [clock.due_ns for clock in after.values() if clock.open] == [ns("2026-11-23T16:00")]


def test_zammad_390_holidays_that_move_what_is_due_are_called_by_their_names() -> None:
    """Four days of twelve hours came out as six, by two holidays that a feed had brought and nobody saw."""
    week = "mon-sun 09:00-21:00"
    late = "2016-11-09T23:00"
    assert resolution(late, agreed(48, line(week)), start=late).due_ns == ns("2016-11-13T21:00")
    counted = line(week, BERLIN, ("2016-11-11", "St. Martin"), ("2016-11-13", "Volkstrauertag"))
    clock = resolution("2016-11-15T21:00", agreed(48, counted), start=late)
    assert clock.due_ns == ns("2016-11-15T21:00")
    assert {span.detail for span in clock.spans if span.why is Why.HOLIDAY} == {"St. Martin", "Volkstrauertag"}


def test_osticket_1168_a_ticket_that_comes_on_a_weekend_is_not_overdue_on_it() -> None:
    clock = resolution("2026-11-30T09:00", agreed(8), start="2026-11-28T09:00")
    assert not clock.breached
    assert clock.due_ns == ns("2026-11-30T18:00")


def test_osticket_2131_a_ticket_is_broken_within_the_hours_alone() -> None:
    """The clock stops at 18:00 and goes on in the morning."""
    night = resolution("2026-11-24T09:59", agreed(1), start="2026-11-23T17:30")
    assert (night.state, night.elapsed_s, night.breached) == (ClockState.OUTSIDE_HOURS, 1800, False)
    assert night.due_ns == ns("2026-11-24T10:30")


# -- daylight saving -------------------------------------------------------------------------------------------------


def test_fivetran_dbt_zendesk_25_business_minutes_know_daylight_saving() -> None:
    """Nine to five stays nine to five on the wall on both sides of the change."""
    counted = line("mon-sun 09:00-17:00")
    for day in ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"):
        assert working_ns(counted, ns(f"{day}T00:00"), ns(f"{day}T09:30")) == 30 * MINUTE_NS
        assert working_ns(counted, ns(f"{day}T00:00"), ns(f"{day}T23:59")) == 8 * HOUR_NS


def test_glpi_15429_a_calendar_in_another_zone_breaks_nothing_at_the_very_creation() -> None:
    """There tickets under a calendar of their own were escalated when they were made."""
    for zone in ("Asia/Kolkata", "America/New_York", "Pacific/Auckland"):
        for hour in range(24):
            start = f"2026-11-23T{hour:02d}:00"
            clock = resolution(start, agreed(4, line(zone=zone)), start=start)
            assert not clock.breached
            assert clock.told == ()
            assert clock.due_ns == due_at(line(zone=zone), ns(start), 4 * HOUR_NS)


def test_what_is_due_after_the_change_of_the_clocks_is_not_an_hour_off() -> None:
    assert due_at(line(), ns("2026-10-23T17:00"), 2 * HOUR_NS) == ns("2026-10-26T11:00")
    assert due_at(line(), ns("2026-03-27T17:00"), 2 * HOUR_NS) == ns("2026-03-30T11:00")


def test_oncall_3261_hours_are_not_shifted_after_the_change_of_the_clocks() -> None:
    counted = line("mon-fri 09:00-17:00", "America/New_York")
    for day in ("2026-10-30", "2026-11-02"):
        morning_ns = ns(f"{day}T09:00", "America/New_York")
        assert working_ns(counted, morning_ns - MINUTE_NS, morning_ns) == 0
        assert working_ns(counted, morning_ns, morning_ns + MINUTE_NS) == MINUTE_NS


def test_oncall_2817_local_time_is_never_read_as_utc() -> None:
    assert due_at(line(zone="Asia/Kolkata"), ns("2026-11-23T00:00", "UTC"), HOUR_NS) == ns("2026-11-23T05:30", "UTC")


def test_alertmanager_5447_a_day_over_the_change_of_the_clocks_is_the_whole_day_of_the_wall() -> None:
    """The last of October is one date: 25 hours where the clock is set back, and no hour of the next day."""
    counted = line("sat-sun 00:00-24:00")
    assert working_ns(counted, ns("2026-10-25T00:00"), ns("2026-10-27T00:00")) == 25 * HOUR_NS
    assert working_ns(counted, ns("2026-03-29T00:00"), ns("2026-03-31T00:00")) == 23 * HOUR_NS


def test_goalert_pr_1252_the_rule_for_a_repeated_hour_is_written_down_and_holds() -> None:
    """The wall clock decides: from 02:00 to 03:00 is two hours long in the night in which it comes twice."""
    counted = line("sun 02:00-03:00")
    assert working_ns(counted, ns("2026-10-25T02:00"), ns("2026-10-25T02:30")) == 30 * MINUTE_NS
    assert working_ns(counted, ns("2026-10-25T02:00"), ns("2026-10-25T02:30", fold=1)) == 90 * MINUTE_NS


# -- which clock, and when it ends -----------------------------------------------------------------------------------


def answered(when: str) -> Moment:
    return at(when, "comment", visible=True)


def test_zammad_5177_an_update_does_not_overrule_the_first_response() -> None:
    """Internal notes, acknowledgements and what the rules say leave the first response where it was."""
    agreement = agreed(2, None, FIRST)
    history = [
        at("2026-11-23T10:10", "acknowledge", "assigned"),
        at("2026-11-23T10:20", "comment"),
        replace(answered("2026-11-23T10:30"), person=False, by="rules"),
    ]
    clock = looked_at("2026-11-23T11:00", agreement, *history)[FIRST]
    assert (clock.state, clock.due_ns) == (ClockState.RUNNING, ns("2026-11-23T12:00"))


def test_zammad_188_answering_again_does_not_start_the_first_response_anew() -> None:
    history = [answered("2026-11-23T11:00"), waits("2026-11-23T11:05"), goes_on("2026-11-25T10:00")]
    clock = looked_at("2026-11-26T12:00", agreed(2, None, FIRST), *history, answered("2026-11-26T11:00"))[FIRST]
    assert (clock.state, clock.ended_ns, clock.elapsed_s) == (ClockState.MET, ns("2026-11-23T11:00"), 3600)


def test_zammad_4353_a_ticket_whose_level_is_switched_off_has_no_clock_and_no_breach() -> None:
    none = Agreement("CON-1", {}, PAUSES)
    assert looked_at("2026-11-30T12:00", none) == {}


def test_zammad_904_a_merged_ticket_does_not_escalate() -> None:
    merged = at("2026-11-23T11:00", "merge_ticket", "closed")
    for clock in looked_at("2026-12-30T12:00", agreed(4, None, *Target), merged).values():
        assert clock.alarm_ns is None
        assert not clock.breached
        assert not clock.open


def test_zammad_3928_every_clock_is_shown_and_not_only_the_next() -> None:
    found = looked_at("2026-11-23T10:30", agreed(4, None, *Target), answered("2026-11-23T10:20"))
    assert {target: clock.state for target, clock in found.items()} == {
        FIRST: ClockState.MET,
        SOLUTION: ClockState.RUNNING,
        RESOLUTION: ClockState.RUNNING,
    }


# -- what holds beyond them ------------------------------------------------------------------------------------------


def test_without_a_contract_the_first_response_is_due_after_2_h_and_the_solution_after_48_h() -> None:
    found = looked_at("2026-11-23T10:30", DEFAULT)
    assert {target: clock.due_ns for target, clock in found.items()} == {
        FIRST: ns("2026-11-23T12:00"),
        SOLUTION: ns("2026-11-25T10:00"),
    }


def test_an_answer_after_its_time_is_late_and_one_at_the_very_instant_is_not() -> None:
    agreement = agreed(2, None, FIRST)
    assert looked_at("2026-11-24T12:00", agreement, answered("2026-11-23T12:00"))[FIRST].state is ClockState.MET
    late = looked_at("2026-11-24T12:00", agreement, answered("2026-11-23T12:01"))[FIRST]
    assert (late.state, late.breached_ns) == (ClockState.LATE, ns("2026-11-23T12:00"))


def test_waiting_for_the_customer_excuses_no_missing_answer() -> None:
    clock = looked_at("2026-11-23T14:00", agreed(2, None, FIRST), waits("2026-11-23T10:30"))[FIRST]
    assert clock.state is ClockState.BREACHED


def test_what_was_told_belatedly_corrects_the_past() -> None:
    history = [goes_on("2026-11-23T10:30"), waits("2026-11-23T11:00")]
    clock = resolution("2026-11-23T16:00", agreed(8), *history)
    assert clock.elapsed_s == 3600


def test_a_correction_pauses_what_counted_and_the_last_one_written_wins() -> None:
    def corrected(from_: str, until: str, *, counts: bool) -> Moment:
        said = Correction(ns(from_), ns(until), counts, RESOLUTION, "the site was locked")
        return at("2026-11-23T17:00", "correct_clock", correction=said)

    pause = corrected("2026-11-23T12:00", "2026-11-23T16:00", counts=False)
    clock = resolution("2026-11-23T17:00", agreed(8), goes_on("2026-11-23T10:00"), pause)
    assert clock.elapsed_s == 3 * 3600
    again = corrected("2026-11-23T14:00", "2026-11-23T15:00", counts=True)
    clock = resolution("2026-11-23T17:00", agreed(8), goes_on("2026-11-23T10:00"), pause, again)
    assert clock.elapsed_s == 4 * 3600
    assert "corrected: the site was locked, by ada" in "\n".join(explain.lines(clock))


def test_every_minute_is_explained_as_the_issue_shows_it() -> None:
    counted = timeline(
        [(0, Calendar("office", 1, BERLIN, parse_week(OFFICE))), (ns("2026-11-01T00:00"), line(version=3).latest)]
    )
    history = [waits("2026-11-23T16:10"), goes_on("2026-11-24T10:20")]
    clock = resolution("2026-11-24T11:00", agreed(16, counted), *history)
    assert list(explain.lines(clock)) == [
        "counted 2026-11-23 10:00 to 16:10, calendar office version 3",
        "paused 2026-11-23 16:10 to 2026-11-24 10:20, waiting for the customer, by ada, calendar office version 3",
        "counted 2026-11-24 10:20 to 11:00, calendar office version 3",
        "running: 6h 50m of 16h used, due 2026-11-25 12:10 +0100",
    ]


def test_a_new_version_of_the_calendar_leaves_what_lies_before_it_as_it_was() -> None:
    longer = Calendar("office", 2, BERLIN, parse_week("mon-fri 08:00-20:00"))
    counted = timeline([*line().versions, (ns("2026-11-24T00:00"), longer)])
    clock = resolution("2026-11-24T20:00", agreed(40, counted))
    assert clock.elapsed_s == (8 + 12) * 3600
    assert [span.version for span in clock.spans if span.counts] == [1, 2]


def test_a_declined_solution_sets_the_clock_going_again() -> None:
    history = [at("2026-11-23T11:00", "propose_solution"), at("2026-11-23T13:00", "reject_solution")]
    clock = looked_at("2026-11-23T14:00", agreed(8, None, SOLUTION), *history)[SOLUTION]
    assert (clock.state, clock.elapsed_s) == (ClockState.RUNNING, 2 * 3600)
    assert clock.spans[1].why is Why.PROPOSED
