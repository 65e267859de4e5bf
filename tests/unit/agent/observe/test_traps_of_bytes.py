"""The torture list of logs, traps 11 to 15: what stands in files, and what the best rival does."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from sitewarden_agent.model import RecordPart
from sitewarden_agent.observe import logfile
from tests.unit.agent.tail_bench import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_trap_11_line_ends_of_two_bytes_that_are_split_over_two_reads(site: Site) -> None:
    """Best: rsyslog since its repair (#241); fluent-bit kept the carriage return (PR#1161)."""
    content = b"".join(b"ERROR line %d\r\n\tat a.B.c(B.java:%d)\r\n" % (number, number) for number in range(20))
    for at in range(0, len(content), 7):
        site.write(content[at : at + 7])
        site.clock.pass_s(0.01)
        site.start() if site.tail is None else site.at_once()
    site.settle()
    assert site.records() == [f"line {number}\n\tat a.B.c(B.java:{number})" for number in range(20)]


def test_trap_11_carriage_returns_alone(site: Site) -> None:
    """Best: none; Filebeat reads such a file as one line (beats#33556)."""
    site.write(b"".join(b"ERROR line %d\r" % number for number in range(200)))
    site.settle()
    assert site.records() == [f"line {number}" for number in range(200)]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without a mark", "with a mark"])
def test_trap_12_utf_16_that_is_appended_to(site: Site, codec: str, mark: str) -> None:
    """Best: none; Filebeat failed at the second append (#205), logstash leaves zeros (#226). More: test_decoding."""
    site.write((mark + "ERROR 第一 failed\n\tat a.B.c(B.java:1)\n").encode(codec))
    site.settle()
    for number in range(2, 12):
        data = f"ERROR 第{number} failed\n\tat a.B.c(B.java:{number})\n".encode(codec)
        site.write(data[:13])
        site.at_once()
        site.write(data[13:])
        site.look(turns=2)
    site.settle()
    assert site.records()[0] == "第一 failed\n\tat a.B.c(B.java:1)"
    assert site.records()[-1] == "第11 failed\n\tat a.B.c(B.java:11)"
    assert len(site.records()) == 11


def test_trap_12_a_byte_order_mark_is_no_part_of_the_first_record(site: Site) -> None:
    """Best: none; the mark stood in Filebeat's first line (beats#1349)."""
    site.write(b"\xef\xbb\xbfERROR first\nERROR second\n")
    site.settle()
    assert site.records() == ["first", "second"]


def test_trap_13_a_hole_of_zeros_after_copytruncate_without_append(site: Site) -> None:
    """Best: remote_syslog2 skips them (PR#192), where its memory had grown; logrotate knows of it (#363)."""
    with site.path.open("wb") as writer:
        writer.write(b"ERROR before\n")
        writer.seek(60_000_000)
        writer.write(b"ERROR first\n")
        writer.flush()
        site.settle()
        os.truncate(site.path, 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        writer.write(b"ERROR second\n")
        writer.flush()
        site.settle()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024, "kilobytes"
    assert site.records() == ["before", "first", "second"]
    assert site.events()[-1].offset == 60_000_012


def test_trap_14_very_long_lines_are_cut_and_counted_and_what_follows_is_in_its_place(site: Site) -> None:
    """Best: asked for, truncate and count; fluent-bit stops watching the file (#10435) or sends the tail (#3491)."""
    content = b""
    places = []
    for number in range(4):
        places.append(len(content))
        content += b"ERROR long " + bytes([97 + number]) * 300_000 + b"\n"
        places.append(len(content))
        content += b"ERROR short %d\n" % number
    for at in range(0, len(content), 70_000):
        site.write(content[at : at + 70_000])
        site.look()
    site.settle()
    final = {event.offset: event for event in site.events() if event.part is not RecordPart.HEAD or not event.truncated}
    assert sorted(final) == places
    for number in range(4):
        cut, whole = final[places[2 * number]], final[places[2 * number + 1]]
        assert cut.truncated
        assert len(cut.message) <= 65_536
        assert set(cut.message) <= set("long ") | {chr(97 + number)}
        assert (whole.message, whole.truncated) == (f"short {number}", False)


@pytest.mark.parametrize("turn_bytes", [16, 61, 128, 1_000])
def test_trap_15_records_of_many_lines_over_the_borders_of_blocks(
    site: Site, monkeypatch: pytest.MonkeyPatch, turn_bytes: int
) -> None:
    """Best: none; fluent-bit tears them (#4317, #8439) and never flushes the last (#5504)."""
    monkeypatch.setattr(logfile, "TURN_BYTES", turn_bytes)
    traces = [
        f"java.lang.IllegalStateException: broken {number}\n\tat a.B.c(B.java:{number})\n\tat a.B.d(B.java:{number})\n"
        f"Caused by: java.io.IOException: gone {number}\n\t... 7 more"
        for number in range(12)
    ]
    site.write("".join(f"ERROR failed\n{trace}\n" for trace in traces))
    site.settle()
    assert site.records() == [f"failed\n{trace}" for trace in traces]
