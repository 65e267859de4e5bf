"""Storms: a crash loop costs the site next to nothing, and every record of it is in a count, once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sitewarden_agent.model import LogEvent
from sitewarden_agent.observe import storms
from sitewarden_alerting.reading.redact import Redactor
from tests.unit.agent.tail_bench import Killed, Site


def lines(first: int, last: int) -> str:
    return "".join(f"ERROR request {number} failed: no connection\n" for number in range(first, last))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, storm_per_minute=20)


def total(site: Site) -> int:
    return sum(event.count for event in site.events())


def names(site: Site) -> list[tuple[str, int]]:
    return [(event.file_id, event.offset) for event in site.events()]


def pass_a_sample(site: Site) -> None:
    site.clock.pass_s(storms.SAMPLE_NS / 1e9)
    site.look()


def test_beyond_the_rate_records_are_counted_and_one_of_them_stands_for_all(site: Site) -> None:
    site.write(lines(0, 10_000))
    site.settle()
    pass_a_sample(site)
    told = site.events()
    assert [event.count for event in told] == [1] * 20 + [9_980]
    assert told[-1].message.startswith("request 20 failed")
    assert told[-1].fingerprint == told[0].fingerprint
    assert len(set(names(site))) == len(told)


def test_each_ten_seconds_of_a_storm_send_one_sample(site: Site) -> None:
    for turn in range(4):
        site.write(lines(turn * 1_000, turn * 1_000 + 1_000))
        pass_a_sample(site)
    site.settle()
    pass_a_sample(site)
    assert len(site.events()) <= 20 + 5
    assert total(site) == 4_000


def test_another_fault_is_told_at_once_during_a_storm(site: Site) -> None:
    site.write(lines(0, 1_000) + "ERROR disk is broken\n" + lines(1_000, 2_000))
    site.look()
    assert "disk is broken" in [event.message for event in site.events()]


def test_after_the_storm_records_go_one_by_one_again(site: Site) -> None:
    site.write(lines(0, 100))
    site.settle()
    site.clock.pass_s(61)
    site.look()
    site.write(lines(100, 103))
    site.settle()
    assert [event.count for event in site.events()][-3:] == [1, 1, 1]
    assert total(site) == 103


def test_a_storm_whose_first_lines_come_alone_is_counted_once(site: Site) -> None:
    """A last line goes as HEAD at once; in a storm it waits until it is whole, and is counted then."""
    site.start()
    for number in range(60):
        site.write(lines(number, number + 1))
        site.at_once()
        site.clock.pass_s(0.01)
    site.settle()
    pass_a_sample(site)
    assert total(site) == 60


def test_a_counted_record_is_not_redacted(site: Site) -> None:
    redacted = []
    site.redact = lambda text: redacted.append(text) or text  # type: ignore[func-returns-value]
    site.write(lines(1_000, 6_000))
    site.settle()
    assert len(redacted) < 200


def test_the_end_of_a_file_sends_what_was_counted_in_it(site: Site) -> None:
    site.write(lines(0, 1_000))
    site.look()
    site.path.unlink()
    site.settle()
    assert total(site) == 1_000
    assert all(not mark.counted for mark in site.store.kept.values())


def test_what_was_counted_before_a_kill_goes_up_after_it(site: Site) -> None:
    site.write(lines(0, 1_000))
    site.look()
    assert total(site) == 20
    site.kill()
    site.settle()
    assert total(site) == 1_000
    assert len(set(names(site))) == len(names(site))


@pytest.mark.parametrize("kill_at", range(1, 24))
def test_no_kill_loses_or_doubles_a_count(tmp_path: Path, kill_at: int) -> None:
    site = Site(tmp_path, storm_per_minute=5)
    written = 0
    site.store.kill_at = kill_at
    for turn in range(12):
        site.write(lines(written, written + 150))
        written += 150
        if turn == 7:
            site.path.rename(tmp_path / "app.log.1")
            site.write("")
        try:
            site.look()
        except Killed:
            site.kill()
            site.store.steps, site.store.kill_at = 0, kill_at + turn
        site.clock.pass_s(3)
    site.store.kill_at = None
    site.settle()
    pass_a_sample(site)
    assert total(site) == written
    assert len(set(names(site))) == len(names(site))


def test_a_full_spool_holds_the_counts_back_and_loses_none(site: Site) -> None:
    site.write(lines(0, 500))
    site.look()
    site.store.full = True
    site.write(lines(500, 900))
    pass_a_sample(site)
    pass_a_sample(site)
    site.store.full = False
    site.settle()
    pass_a_sample(site)
    assert total(site) == 900


def test_a_storm_of_many_kinds_at_once_holds_few_of_them(tmp_path: Path) -> None:
    site = Site(tmp_path, storm_per_minute=1)
    kinds = ["".join(chr(97 + (n // 26**i) % 26) for i in range(3)) + "ing" for n in range(100)]
    site.write("".join(f"ERROR cannot {kind} any more today\n" for kind in kinds) * 3)
    site.look()
    assert max(len(mark.counted) for mark in site.store.kept.values()) <= storms.HELD_MAX
    site.settle()
    pass_a_sample(site)
    assert total(site) == 300


def test_the_sample_of_a_storm_is_redacted(tmp_path: Path) -> None:
    site = Site(tmp_path, storm_per_minute=3)
    site.redact = Redactor(b"k" * 32)
    site.write("".join(f"ERROR login of 10.1.2.{n % 250} failed, password=hunter{n}x\n" for n in range(500)))
    site.settle()
    pass_a_sample(site)
    assert total(site) == 500
    assert not any("hunter" in event.message or "10.1.2." in event.message for event in site.events())


def test_a_storm_of_records_with_ids_of_their_own_is_counted_without_reading_each(site: Site) -> None:
    chance, redacted = random.Random(4), []
    site.redact = lambda text: redacted.append(text) or text  # type: ignore[func-returns-value]
    ids = ["".join(chance.choice("0123456789abcdef") for _ in range(31)) + "7" for _ in range(10_000)]
    site.write("".join(f"ERROR request {each} of worker was refused\n" for each in ids))
    site.settle()
    pass_a_sample(site)
    assert total(site) == 10_000
    assert len(site.events()) < 40
    assert len(redacted) < 1_500


def test_in_a_flood_what_numbers_decide_about_is_not_overlooked(tmp_path: Path) -> None:
    site = Site(tmp_path, storm_per_minute=5, min_severity="error")
    chance = random.Random(5)
    text, bad = [], 0
    for number in range(6_000):
        each = "".join(chance.choice("0123456789abcdef") for _ in range(24)) + "7"
        level = chance.choice((30, 50))
        bad += level == 50
        text.append(f'{{"level":{level},"id":"{each}","msg":"request {each} {number} is done"}}\n')
    site.write("".join(text))
    site.settle()
    pass_a_sample(site)
    assert total(site) == bad


def test_without_a_rate_every_record_goes(tmp_path: Path) -> None:
    site = Site(tmp_path, storm_per_minute=0)
    site.write(lines(0, 100))
    site.settle()
    assert [event.count for event in site.events()] == [1] * 100
    assert all(type(event) is LogEvent for event in site.events())
