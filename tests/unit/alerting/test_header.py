"""The header of every common log is found without configuration."""

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.reading import header
from sitewarden_alerting.reading.header import Header
from sitewarden_alerting.reading.severity import Severity

NOW_NS = int(datetime(2026, 3, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


def read(line: str) -> Header:
    return header.read(line, default_zone=UTC, now_ns=NOW_NS)


def at(found: Header) -> str | None:
    if found.time_ns is None:
        return None
    return datetime.fromtimestamp(found.time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


D, I, W, E, C = Severity.DEBUG, Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL  # noqa: E741
T = "2026-03-05 10:00:00"

# line, time, severity, component, message
FORMATS: list[tuple[str, str | None, Severity, str, str]] = [
    ("<34>1 2026-03-05T10:00:00.003Z web1 su - ID47 - su failed", T, C, "su", "su failed"),
    ('<165>1 2026-03-05T10:00:00Z web1 app 12 ID47 [a@1 k="v"] begun', T, I, "app", "begun"),
    ("<11>Mar  5 10:00:00 web1 su: su failed", T, E, "su", "su failed"),
    ("Mar  5 10:00:00 web1 sshd[123]: Accepted key", T, I, "sshd", "Accepted key"),
    ("Mar  5 10:00:00 web1 sshd(pam_unix)[123]: check pass", T, I, "sshd", "check pass"),
    ("Mar  5 10:00:00 web1 NetworkManager[1]: <warn>  device gone", T, W, "NetworkManager", "device gone"),
    ("Mar  5 10:00:00 admin@node-1/x Google Chrome[12]: tab closed", T, I, "Google Chrome", "tab closed"),
    ("2026-03-05T10:00:00.123456+00:00 web1 systemd[1]: Started it", T, I, "systemd", "Started it"),
    ("2026-03-05T12:00:00+02:00 web1 systemd[1]: Started it", T, I, "systemd", "Started it"),
    ('10.0.0.1 - ann [05/Mar/2026:10:00:00 +0000] "GET /a HTTP/1.0" 200 23', T, I, "", '"GET /a HTTP/1.0" 200 23'),
    ('10.0.0.1 - - [05/Mar/2026:10:00:00 +0000] "GET / HTTP/1.0" 503 23', T, E, "", '"GET / HTTP/1.0" 503 23'),
    (
        "[Thu Mar 05 10:00:00.123456 2026] [core:error] [pid 12:tid 3] [client 10.0.0.1:56] denied",
        T,
        E,
        "core",
        "denied",
    ),
    ("[Thu Mar 05 10:00:00 2026] [notice] workers ready", T, I, "", "workers ready"),
    ("2026/03/05 10:00:00 [error] 12#12: *5 open() failed", T, E, "", "open() failed"),
    ("I0305 10:00:00.123456    1234 server.cc:123] Starting", T, I, "server.cc", "Starting"),
    ("E20260305 10:00:00.123456 1234 server.cc:123] Failing", T, E, "server.cc", "Failing"),
    ("2026-03-05 10:00:00,123 [main] WARN  com.acme.Shop - slow", T, W, "com.acme.Shop", "slow"),
    ("2026-03-05 10:00:00.123  INFO 12 --- [           main] c.a.Shop                 : up", T, I, "c.a.Shop", "up"),
    ("2026-03-05 10:00:00,123 - shop.web - ERROR - broken", T, E, "shop.web", "broken"),
    ("2026-03-05 10:00:00,123 ERROR shop.web broken", T, E, "shop.web", "broken"),
    ("WARNING:shop.web:broken", None, W, "shop.web", "broken"),
    ("2026-03-05 10:00:00.123 UTC [12] ann@shop ERROR:  no relation", T, E, "", "no relation"),
    ("2026-03-05 10:00:00.123 UTC [12] LOG:  database system is ready", T, I, "", "database system is ready"),
    ("2026-03-05 10:00:00.123 UTC [12] ann@shop STATEMENT:  select 1", T, I, "", "STATEMENT:  select 1"),
    ("2026-03-05T10:00:00.123456Z 0 [Warning] [MY-010068] [Server] CA is self signed.", T, W, "", "CA is self signed."),
    ("2026-03-05 10:00:00 140234 [Note] InnoDB: pool loaded", T, I, "InnoDB", "pool loaded"),
    ("[12345.123456] usb 1-1: device gone", None, I, "", "usb 1-1: device gone"),
    ("03-05 10:00:00.811  1702  2395 E WindowManager: no window", T, E, "WindowManager", "no window"),
    ("W/Tag  (  123): hello", None, W, "Tag", "hello"),
    ("2026-03-05 10:00:00, Info                  CBS    Service starts.", T, I, "CBS", "Service starts."),
    ("2026-03-05 10:00:00,648 - WARN  [main:Quorum@101] - Leaving", T, W, "", "Leaving"),
    ("2026-03-05 10:00:00,978 INFO [main] org.apache.App: Created", T, I, "org.apache.App", "Created"),
    ("26/03/05 10:00:00 INFO executor.Backend: Registered", T, I, "executor.Backend", "Registered"),
    ("260305 100000 34 INFO dfs.Names: added", T, I, "dfs.Names", "added"),
    ("20260305-10:00:00:606|Step_LSC|3000|changed 35", T, I, "Step_LSC", "changed 35"),
    ("nova.log 2026-03-05 10:00:00.008 257 INFO nova.api [req-38-1 - - -] done", T, I, "nova.api", "done"),
    ("12:M 05 Mar 2026 10:00:00.123 # no memory", T, W, "", "no memory"),
    ("2026-03-05 10:00:00.123 [error] <0.222.0> broker down", T, E, "", "broker down"),
    ("1772704800: New connection.", T, I, "", "New connection."),
    ("[ERROR] COMPILATION ERROR", None, E, "", "COMPILATION ERROR"),
    ("[2026-03-05T10:00:00Z WARN  shop::web] slow", T, W, "shop::web", "slow"),
    ("2026-03-05T10:00:00.123Z\tERROR\tshop\tmain.go:12\tbroken", T, E, "shop", "broken"),
    ("2026/03/05 10:00:00 listening", T, I, "", "listening"),
    ("[10:00:00] [Server thread/WARN]: slow", "2026-03-12 10:00:00", W, "", "slow"),
    ("web_1  | 2026-03-05 10:00:00 ERROR broken", T, E, "", "broken"),
    ("2026-03-05T10:00:00.669794202Z stderr F 2026-03-05 10:00:00 ERROR broken", T, E, "", "broken"),
    ("Mar 05, 2026 10:00:00 AM com.acme.Shop pay\nSEVERE: not paid", T, E, "com.acme.Shop", "not paid"),
    ("npm ERR! code ENOENT", None, E, "", "code ENOENT"),
    ('{"level":"error","ts":1772704800.5,"logger":"api","msg":"down"}', T, E, "api", "down"),
    ('{"severity":"WARNING","@timestamp":"2026-03-05T10:00:00Z","message":"slow"}', T, W, "", "slow"),
    ('{"level":50,"time":1772704800123,"name":"shop","msg":"down"}', T, E, "shop", "down"),
    ('time="2026-03-05T10:00:00Z" level=warning msg="slow query" component=db', T, W, "db", "slow query"),
    ("plain words only", None, I, "", "plain words only"),
    ("java.lang.IllegalStateException: not paid", None, E, "", "java.lang.IllegalStateException: not paid"),
    ("error: cannot open file", None, E, "", "error: cannot open file"),
]


@pytest.mark.parametrize(
    ("line", "time", "severity", "component", "message"), FORMATS, ids=[f[0][:40] for f in FORMATS]
)
def test_the_header_is_found(line: str, time: str | None, severity: Severity, component: str, message: str) -> None:
    found = read(line)
    assert (at(found), found.severity, found.component, found.message) == (time, severity, component, message)


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-05 10:00:00 Got an ERROR from upstream",
        "Backup started at 2026-03-05 10:00:00 on node",
        "10 INFO lines were read",
        "the quick brown fox: a story",
    ],
)
def test_the_words_of_a_message_stay_in_the_message(line: str) -> None:
    assert read(line).message == line.removeprefix("2026-03-05 10:00:00 ")


def test_the_further_members_of_a_structured_record_are_details() -> None:
    found = read('{"level":"error","msg":"not paid","order":7,"err":"refused"}')
    assert (found.message, found.details) == ("not paid error=refused", "order=7")


def test_the_stack_of_a_structured_record_follows_its_message() -> None:
    found = read(
        '{"level":"error","msg":"not paid","err":{"type":"E","message":"m","stack":"E: m\\n    at f (a.js:1:2)"}}'
    )
    assert found.message == "not paid\nE: m\n    at f (a.js:1:2)"


def test_a_severity_that_the_program_wrote_is_told_from_one_that_was_inferred() -> None:
    assert read("[ERROR] refused").severity_stated
    assert not read("error: refused").severity_stated


def test_a_stamp_without_zone_is_in_the_default_zone() -> None:
    found = header.read("2026-03-05 18:00:00 x", default_zone=ZoneInfo("Asia/Shanghai"), now_ns=NOW_NS)
    assert at(found) == T


@pytest.mark.parametrize(
    ("now", "line", "expected"),
    [
        (datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "Dec 31 23:59:00 web1 a: x", "2025-12-31 23:59:00"),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "Jan  1 00:01:00 web1 a: x", "2026-01-01 00:01:00"),
        (datetime(2026, 3, 12, tzinfo=UTC), "Nov  2 10:00:00 web1 a: x", "2025-11-02 10:00:00"),
        (datetime(2025, 3, 12, tzinfo=UTC), "Feb 29 10:00:00 web1 a: x", "2024-02-29 10:00:00"),
        (datetime(2026, 3, 12, 0, 1, tzinfo=UTC), "23:59:00.5 [main] INFO a - x", "2026-03-11 23:59:00"),
    ],
)
def test_what_a_stamp_leaves_out_is_settled_by_the_moment_of_reading(now: datetime, line: str, expected: str) -> None:
    found = header.read(line, default_zone=UTC, now_ns=int(now.timestamp()) * 1_000_000_000)
    assert at(found) == expected


def test_a_day_that_does_not_exist_gives_no_time() -> None:
    assert read("2026-02-30 10:00:00 INFO a - x").time_ns is None


def test_fractions_of_a_second_are_kept() -> None:
    found = read("2026-03-05T10:00:00.123456789Z x")
    assert found.time_ns is not None
    assert found.time_ns % 1_000_000_000 == 123_456_789


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    for line in (text, f"2026-03-05 10:00:00 {text}", f"[ERROR] {text}", f"{{{text}}}", f"Mar  5 10:00:00 {text}"):
        found = header.read(line, default_zone=timezone(timedelta(hours=8)), now_ns=NOW_NS)
        assert found.message or not line.strip()


def test_a_level_behind_the_name_of_a_part_is_read_with_what_brackets_say_between() -> None:
    plain = read("23-Nov-2026 16:39:38.113 zoneload: error: zone a is not loaded")
    assert (plain.severity, plain.component, plain.message) == (Severity.ERROR, "zoneload", "zone a is not loaded")
    line = "Nov 23 16:57:23 imap(ann)<77><Uz+yfPRg/AAB>: Warning: mailbox is away"
    bracketed = read(line)
    assert (bracketed.severity, bracketed.component) == (Severity.WARNING, "imap")
    assert bracketed.message == "mailbox is away"


def test_a_line_of_long_numbers_takes_no_longer_than_another() -> None:
    line = "2026-10-23 15:02:21" + ("\t" + "3" * 85) * 4 + "\tERROR" + "3" * 60
    started = time.process_time()
    read(line)
    assert time.process_time() - started < 0.5


def test_colours_are_no_part_of_a_line() -> None:
    plain = "2026-11-24 10:00:00 ERROR [shop] broken"
    coloured = "\x1b[2m2026-11-24 10:00:00\x1b[0m \x1b[1;31mERROR\x1b[0m [shop] \x1b[4mbroken\x1b[24m"
    assert header.read(coloured, default_zone=UTC, now_ns=0) == header.read(plain, default_zone=UTC, now_ns=0)
