"""Alerts of other monitoring: their real payloads, and everything that is wrong with payloads."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.foreign import Alert, Known, News, Unreadable, alertmanager, follow, grafana, moments, zabbix
from sitewarden_alerting.foreign.alerts import ALERTS_MAX, LABELS_MAX, TEXT_CHARS, TITLE_CHARS, fault, signal
from sitewarden_alerting.identity import KEY_MAX
from sitewarden_alerting.model import SignalState
from tests.cast import HOUR, MINUTE, NOON, SECOND

DATA = Path(__file__).parents[2] / "data" / "alerts"
READERS = (alertmanager.read, grafana.read, zabbix.read)


def payload(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def test_alertmanager_tells_what_fires_and_what_is_over() -> None:
    down, disk = alertmanager.read(payload("alertmanager_firing")).alerts
    assert (down.firing, down.severity, down.host) == (True, 5, "web-1:9100")
    assert down.title == "InstanceDown: InstanceDown on web-1:9100"
    assert down.started_ns == NOON - 5 * MINUTE + 12_345_678_901
    assert down.labels["site"] == "acme-berlin"
    assert "https://runbooks.example.com/InstanceDown" in down.text
    assert (disk.firing, disk.severity, disk.ended_ns) == (False, 3, NOON - 3 * MINUTE)


def test_an_alert_keeps_its_identity_and_episode_when_it_is_over() -> None:
    fired, over = (alertmanager.read(payload(f"alertmanager_{one}")).alerts[0] for one in ("firing", "resolved"))
    assert (fired.identity, fired.episode) == (over.identity, over.episode)
    assert follow(over, Known(fired.episode, True)) is News.ENDS


def test_grafana_names_the_rule_whose_data_are_missing() -> None:
    memory, orders = grafana.read(payload("grafana_firing")).alerts
    assert memory.title == "High memory use: Memory of db-1 runs out"
    assert memory.started_ns == NOON - 8 * MINUTE - 30 * SECOND
    assert "value=92.4" in memory.text
    assert "https://grafana.example.com/d/shop" in memory.text
    assert (orders.title, orders.severity) == ("Orders per minute", 4)


def test_grafanas_old_alerting_is_told_what_to_use() -> None:
    with pytest.raises(Unreadable, match="unified alerting"):
        grafana.read({"dashboardId": 1, "ruleName": "x", "state": "alerting", "evalMatches": []})


def test_zabbix_tells_a_problem_and_its_recovery_under_one_event() -> None:
    (problem,) = zabbix.read(payload("zabbix_problem")).alerts
    (recovery,) = zabbix.read(payload("zabbix_recovery")).alerts
    assert (problem.firing, recovery.firing) == (True, False)
    assert (problem.identity, problem.episode) == (recovery.identity, recovery.episode) == ("23105|db-1", 70413)
    assert (problem.severity, problem.title) == (4, "MySQL: Service is down on db-1")
    assert problem.labels["site"] == "acme-berlin"
    assert problem.labels["class"] == "database"


@pytest.mark.parametrize(
    ("number", "severity"), [("0", 2), ("1", 2), ("2", 3), ("3", 4), ("4", 4), ("5", 5), ("{EVENT.NSEVERITY}", 4)]
)
def test_zabbix_severities(number: str, severity: int) -> None:
    (alert,) = zabbix.read(payload("zabbix_problem") | {"event_nseverity": number}).alerts
    assert alert.severity == severity


def test_macros_that_zabbix_could_not_fill_are_nothing() -> None:
    given = payload("zabbix_problem") | {"host_name": "{HOST.NAME}", "event_opdata": "*UNKNOWN*"}
    (alert,) = zabbix.read(given).alerts
    assert alert.host == ""
    assert "UNKNOWN" not in alert.text
    with pytest.raises(Unreadable, match=r"\{EVENT.ID\}"):
        zabbix.read(payload("zabbix_problem") | {"event_id": "{EVENT.ID}"})


@pytest.mark.parametrize("source", ["1", "2"])
def test_what_never_recovers_is_refused(source: str) -> None:
    with pytest.raises(Unreadable, match="never recovers"):
        zabbix.read(payload("zabbix_problem") | {"event_source": source})


def test_an_update_of_zabbix_is_no_news() -> None:
    (alert,) = zabbix.read(payload("zabbix_problem") | {"event_update_status": "1"}).alerts
    assert follow(alert, Known(70413, True)) is News.GOES_ON


def _alert(firing: bool, episode: int) -> Alert:
    return Alert("alertmanager", "x", episode, firing, 4, "x", "")


@pytest.mark.parametrize(
    ("firing", "episode", "known", "news"),
    [
        (True, 1, None, News.BEGINS),
        (False, 1, None, News.NOTHING),
        (True, 1, Known(1, True), News.GOES_ON),
        (False, 1, Known(1, True), News.ENDS),
        (False, 1, Known(1, False), News.NOTHING),
        (True, 1, Known(1, False), News.NOTHING),
        (True, 2, Known(1, False), News.BEGINS),
        (True, 2, Known(1, True), News.BEGINS),
        (True, 1, Known(2, True), News.NOTHING),
        (False, 1, Known(2, True), News.NOTHING),
        (False, 2, Known(1, True), News.ENDS),
    ],
)
def test_repeats_late_ones_and_what_was_overtaken_are_no_news(
    firing: bool, episode: int, known: Known | None, news: News
) -> None:
    assert follow(_alert(firing, episode), known) is news


def test_an_alert_counts_from_its_beginning_but_not_from_long_ago() -> None:
    for ago, counted in ((5 * MINUTE, 5 * MINUTE), (9 * HOUR, HOUR), (-HOUR, 0)):
        alert = Alert("grafana", "x", 1, True, 4, "x", "", started_ns=NOON - ago)
        made = signal(alert, News.BEGINS, site_id="s", customer_id="c", now_ns=NOON)
        assert made is not None
        assert made.at_ns == NOON - counted
        assert made.state is SignalState.FIRING


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "x",
        {},
        {"alerts": None},
        {"alerts": {}},
        {"version": "3", "alerts": []},
        {"event_value": "2"},
        {"event_value": "1", "event_id": "9" * 40},
        {"event_value": "1", "event_id": "٣"},
    ],
)
def test_what_is_no_payload_is_refused_in_words(wrong: object) -> None:
    for read in (alertmanager.read, zabbix.read):
        with pytest.raises(Unreadable, match=r"this is|version|event_"):
            read(wrong)


def test_one_bad_alert_spoils_no_other() -> None:
    good = payload("alertmanager_firing")["alerts"][0]
    read = alertmanager.read({"version": "4", "alerts": [1, {"labels": {}}, good | {"status": "?"}, good]})
    assert len(read.alerts) == 1
    assert [one[:9] for one in read.complaints] == ["alerts[0]", "alerts[1]", "alerts[2]"]


def test_everything_is_bounded_and_what_was_cut_off_is_told() -> None:
    labels = {f"l{i}": "v" * 9000 for i in range(500)} | {"alertname": "x" * 9000}
    labels = {"alertname": "x" * 9000, **labels}
    one = {"status": "firing", "labels": labels, "annotations": {"summary": "y" * 99_999}, "fingerprint": "z" * 9000}
    small = {"status": "firing", "labels": {"alertname": "x"}}
    many = [one, *[small] * (ALERTS_MAX + 4)]
    read = alertmanager.read({"version": "4", "alerts": many, "truncatedAlerts": 7})
    assert read.left_out == 12
    alert = read.alerts[0]
    assert len(alert.labels) <= LABELS_MAX
    assert len(alert.title) <= TITLE_CHARS
    assert len(alert.text) <= TEXT_CHARS
    assert len(fault(alert)) <= KEY_MAX


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00.5Z", NOON + SECOND // 2),
        ("2026-11-24T13:00:00.000000001+01:00", NOON + 1),
        ("2026-11-24T06:30:00-05:30", NOON),
        ("0001-01-01T00:00:00Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-11-24 12:00:00", None),
        ("9999-12-31T23:59:59Z", None),
        (17, None),
        (None, None),
    ],
)
def test_times(text: object, ns: int | None) -> None:
    assert moments.nanoseconds(text) == ns


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_PARTS = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL")
_ALERT = st.fixed_dictionaries({}, optional=dict.fromkeys(_PARTS, _JSON))


@given(st.dictionaries(st.sampled_from(["alerts", "version", "truncatedAlerts", "event_value"]), _JSON) | _JSON)
def test_no_payload_breaks_a_reader(anything: object) -> None:
    for read in READERS:
        with suppress(Unreadable):
            read(anything)


@given(st.lists(_ALERT, max_size=4))
def test_no_alert_breaks_its_reader(alerts: list[object]) -> None:
    alertmanager.read({"version": "4", "alerts": alerts})


@given(st.fixed_dictionaries(dict.fromkeys(payload("zabbix_problem"), _JSON)))
def test_no_parameter_breaks_its_reader(parameters: dict[str, object]) -> None:
    with suppress(Unreadable):
        zabbix.read(parameters | {"event_value": "1", "event_id": "7", "event_source": "0"})
