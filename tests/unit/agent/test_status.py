"""`status`: what was sent, held, dropped and why, in the customer's language, and the very records."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitewarden_agent.app import SPOOL
from sitewarden_agent.cli import main
from sitewarden_agent.cli._words import LANGUAGES, WORDS, Speaker, language
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import (
    Change,
    Gap,
    GapReason,
    LogEvent,
    Observation,
    ProbeResult,
    RecordPart,
    SampleBlock,
    Series,
    What,
)
from sitewarden_agent.observe.limits import Step
from sitewarden_agent.spool import Spool, SpoolLimits, tally
from sitewarden_protos import blocks

MIB = 1024 * 1024
DAY_NS = 86_400 * 10**9


class Clock(SystemClock):
    def __init__(self) -> None:
        super().__init__()
        self.ahead_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(f'state_dir = "{tmp_path}/state"\n')
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def spool(site: Path, clock: Clock) -> Iterator[Spool]:
    opened = Spool.open(site / "state" / SPOOL, clock=clock, limits=SpoolLimits(max_bytes=4 * MIB))
    yield opened
    opened.close()


def log(message: str, *, count: int = 1) -> LogEvent:
    return LogEvent("app", "/a.log", "1", 0, RecordPart.WHOLE, 4, "db", message, "t", "f", count=count)


def samples(value: float = 1.5) -> SampleBlock:
    return SampleBlock((Series("load1"),), blocks.encode([1], [[value]]), 1)


def append(spool: Spool, *whats: What, clock: Clock) -> None:
    spool.append([Observation(what, clock.wall_ns(), "b" * 32, clock.monotonic_ns()) for what in whats])


def counted(spool: Spool) -> dict[tuple[str, str], tuple[int, int]]:
    return {(each.what, each.kind): (each.today, each.total) for each in spool.tallies()}


def said(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["status", "--config", str(site / "agent.toml"), *words]) == 0
    return capsys.readouterr().out


# The words.


def test_every_word_is_there_in_every_language() -> None:
    for key, texts in WORDS.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts.values()]
        assert fields[0] == fields[1], key
        assert all(texts.values()), key


def test_every_chinese_text_is_chinese() -> None:
    assert all(any("一" <= letter <= "鿿" for letter in texts["zh"]) for texts in WORDS.values())


@pytest.mark.parametrize("group", ["step", "gap"])
def test_what_the_agent_can_say_has_a_name(group: str) -> None:
    known = {"step": [step.word for step in Step if step], "gap": [reason.value for reason in GapReason]}[group]
    assert {f"{group}_{word}" for word in known} <= set(WORDS)


@pytest.mark.parametrize(
    ("chosen", "environment", "expected"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        ("zh", {"LANG": "en_US.UTF-8"}, "zh"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_language_is_that_of_the_environment(
    chosen: str | None, environment: dict[str, str], expected: str
) -> None:
    assert language(chosen, environment) == expected


def test_a_span_is_said_in_the_largest_unit_that_fits() -> None:
    say = Speaker("en")
    assert [say.span(seconds) for seconds in (-5, 59, 119, 120, 7_200, 172_800)] == [
        "0 s",
        "59 s",
        "119 s",
        "2 min",
        "2 h",
        "2 d",
    ]


# What is counted.


def test_what_enters_and_what_headquarters_has_is_counted_by_kind(spool: Spool, clock: Clock) -> None:
    append(spool, log("one"), log("two"), samples(), Change("reboot"), clock=clock)
    assert counted(spool)["kept", "logs"] == (2, 2)
    while (batch := spool.seal(MIB, 1_000)) is not None:
        assert ("sent", "logs") not in counted(spool)
        last = batch.seq
    spool.acknowledge(last)
    spool.acknowledge(last)
    found = counted(spool)
    assert {kind: found["sent", kind] for kind in ("logs", "samples", "changes")} == {
        "logs": (2, 2),
        "samples": (1, 1),
        "changes": (1, 1),
    }


def test_what_is_sent_again_is_not_counted_again(spool: Spool, clock: Clock) -> None:
    append(spool, log("one"), clock=clock)
    assert spool.seal(MIB, 1_000) is not None
    spool.acknowledge(1)
    spool.seek(0)  # headquarters was restored from a backup
    spool.acknowledge(1)
    assert counted(spool)["sent", "logs"] == (1, 1)


def test_a_batch_in_two_halves_is_still_counted(spool: Spool, clock: Clock) -> None:
    append(spool, log("one"), log("two"), log("three"), clock=clock)
    assert spool.seal(MIB, 1_000) is not None
    assert spool.split(1)
    spool.acknowledge(3)
    assert sum(total for (what, _), (_, total) in counted(spool).items() if what == "sent") == 3


def test_redactions_repeats_gaps_and_refusals_are_counted(spool: Spool, clock: Clock) -> None:
    append(spool, log(f"password=<secret:{'a' * 16}> of <mail:{'b' * 16}> and <mail:{'c' * 16}>"), clock=clock)
    append(spool, log("again", count=500), Gap(GapReason.FILE_LOST, count=7), clock=clock)
    assert spool.seal(MIB, 1_000) is not None
    assert spool.park(1, "INVALID")
    found = counted(spool)
    assert found["redacted", "secret"] == (1, 1)
    assert found["redacted", "mail"] == (2, 2)
    assert found["repeated", "logs"] == (499, 499)
    assert found["gap", "file_lost"] == (7, 7)
    assert found["refused", "batches"] == (1, 1)
    assert found["gap", "refused"][1] == 3


def test_what_had_no_room_is_counted(spool: Spool, clock: Clock) -> None:
    big = SampleBlock((Series("x"),), bytes(200_000), 1)
    for _ in range(40):
        append(spool, big, clock=clock)
    found = counted(spool)
    assert found["shed", "samples"][1] > 0
    assert found["shed", "samples"] == found["gap", "shed"]


def test_today_ends_at_midnight_and_old_days_become_one(spool: Spool, clock: Clock) -> None:
    append(spool, log("one"), clock=clock)
    clock.ahead_ns = DAY_NS
    append(spool, log("two"), clock=clock)
    assert counted(spool)["kept", "logs"] == (1, 2)
    clock.ahead_ns = (tally.DAYS + 3) * DAY_NS
    append(spool, log("three"), clock=clock)
    assert counted(spool)["kept", "logs"] == (1, 3)


def test_a_spool_from_before_there_were_tallies_goes_on(site: Path, spool: Spool, clock: Clock) -> None:
    append(spool, log("one"), clock=clock)
    spool._connection.executescript("DROP TABLE tallies; DROP TABLE batch_kinds")
    spool.close()
    again = Spool.open(site / "state" / SPOOL, clock=clock)
    append(again, log("two"), clock=clock)
    assert again.state().held == 2
    assert counted(again)["kept", "logs"] == (1, 1)
    again.close()


# What is said.


def filled(spool: Spool, clock: Clock) -> None:
    append(spool, log(f"key=<secret:{'a' * 16}> failed"), samples(), clock=clock)
    append(
        spool, ProbeResult("db", "tcp", "h:1", False, 1500, "refused"), Change("reboot", "host", "a", "b"), clock=clock
    )
    assert spool.seal(MIB, 1_000) is not None
    spool.acknowledge(1)
    append(spool, log("the pump is hot", count=3), clock=clock)


def test_status_says_what_was_sent_held_dropped_and_why(
    site: Path, spool: Spool, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(spool, clock)
    append(spool, Gap(GapReason.FILE_LOST, count=2), clock=clock)
    english = said(site, capsys, "--lang", "en")
    for part in (
        "log records: 1 / 1",
        "waits here: 4 obs",
        "a log file went before it was read: 2 / 2",
        "secrets: 1 / 1",
    ):
        assert part in english, part
    assert "last took something 0 s ago" in english
    chinese = said(site, capsys, "--lang", "zh")
    for part in ("日志记录: 1 / 1", "等待发送：4 条", "日志文件在读取前消失", "密钥与口令: 1 / 1"):
        assert part in chinese, part
    found = json.loads(said(site, capsys, "--json"))
    assert {"what": "sent", "kind": "logs", "today": 1, "total": 1} in found["tallies"]


def test_a_limit_that_is_near_is_said_with_what_to_do(
    site: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"step": "paused", "because": "memory", "memory_mb": 200, "memory_mb_max": 192, "cpu_percent": 1}
    spool.note(
        "observe",
        {"state": "observing", "limits": {**limits, "cpu_percent_max": 25.0, "disk_mb": 10, "disk_mb_max": 512}},
    )
    assert "at its limit of memory: reading waits" in said(site, capsys, "--lang", "en")
    assert "达到内存上限" in said(site, capsys, "--lang", "zh")


# The very records.


def test_the_outbox_shows_every_record_once_page_by_page(
    site: Path, spool: Spool, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(spool, clock)
    append(spool, *(log(f"line {number}") for number in range(7)), clock=clock)
    whole = [json.loads(line) for line in said(site, capsys, "--outbox", "--json").splitlines()]
    assert len(whole) == spool.state().held + 2
    assert [each["state"] for each in whole] == sorted((each["state"] for each in whole), reverse=True)
    found, place = [], ""
    while page := said(site, capsys, "--outbox", "--json", "--limit", "3", *(["--after", place] if place else [])):
        append(spool, log("meanwhile"), clock=clock)  # what comes while somebody reads moves nothing
        found += [json.loads(line) for line in page.splitlines()]
        place = found[-1]["cursor"]
    assert [each["record"] for each in found] == [each["record"] for each in whole]


def test_the_outbox_shows_what_the_wire_carries(
    site: Path, spool: Spool, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(spool, clock)
    records = [json.loads(line) for line in said(site, capsys, "--outbox", "--json").splitlines()]
    assert any("the pump is hot" in json.dumps(each["record"]) for each in records)
    (block,) = (each for each in records if "samples" in each)
    assert block["samples"][0]["series"] == "load1"
    assert block["samples"][0]["values"] == [1.5]
    assert {each["state"] for each in records} == {"waiting", "delivered"}


def test_the_outbox_can_be_read(site: Path, spool: Spool, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert "outbox is empty" in said(site, capsys, "--outbox", "--lang", "en")
    filled(spool, clock)
    text = said(site, capsys, "--outbox", "--lang", "zh")
    for part in ("待发送: log app error x3 db the pump is hot", "load1 = 1.5", "change reboot host: a -> b"):
        assert part in text, part
    assert "--after" not in text
    assert "--after w" in said(site, capsys, "--outbox", "--limit", "1", "--lang", "en")


def test_a_place_that_is_none_is_refused(site: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--outbox", "--after", "x1", "--config", str(site / "agent.toml")]) == 2
    assert "is no place in the outbox" in capsys.readouterr().err


def test_components_and_the_lines_of_a_changed_file_can_be_read(
    site: Path, spool: Spool, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [
        {"name": "shop", "version": "4.2.0", "trouble": ""},
        {"name": "db", "version": "", "trouble": "the package db is not installed"},
    ]
    spool.note("observe", {"state": "observing", "components": known})
    append(spool, Change("config", "/etc/shop.conf", "hash 1", "hash 2", "-a = 1\n+a = 2"), clock=clock)
    assert main(["status", "--config", str(site / "agent.toml"), "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert "component shop: version 4.2.0" in shown
    assert "component db: version unknown (the package db is not installed)" in shown
    assert main(["status", "--config", str(site / "agent.toml"), "--outbox", "--lang", "en"]) == 0
    assert "    +a = 2" in capsys.readouterr().out
