"""Formats of logs: recognised by themselves on what programs really wrote, and what a format that is set leaves out."""

from __future__ import annotations

import typing
from datetime import UTC
from pathlib import Path

import msgspec
import pytest

from sitewarden_agent import config as configuration
from sitewarden_agent.errors import ConfigError
from sitewarden_alerting.reading import forms, header
from sitewarden_alerting.reading.header import Header
from sitewarden_alerting.reading.lines import Assembler
from tests.unit.agent.tail_bench import Site

LOGS = Path(__file__).parents[3] / "data" / "logs"
NOW_NS = 1_795_551_579 * 10**9

RECORDED = [
    ("syslog", "auth/sample.log"),
    ("syslog", "haproxy/sample.log"),
    ("nginx", "nginx/sample.log"),
    ("java", "java/sample.log"),
    ("java", "programs/jvm/failed.log"),
    ("python", "python/sample.log"),
    ("python", "programs/python/failed.log"),
    ("go", "etcd/sample.log"),
    ("go", "programs/golang/failed.log"),
    ("node", "node/sample.log"),
    ("node", "programs/node/failed.log"),
    ("postgresql", "postgresql/sample.log"),
    ("mysql", "mariadb/sample.log"),
    ("kernel", "programs/kernel/failed.log"),
]

DOTNET = """fail: Shop.Orders[0]
      order 7 failed
      System.InvalidOperationException: no such order
         at Shop.Orders.Post(Int32 id) in /src/Orders.cs:line 12
info: Shop.Orders[0]
      started
crit: Microsoft.AspNetCore.Server.Kestrel[0]
      Unable to start Kestrel.
"""
"""Two lines a record, as the console logger of Microsoft.Extensions.Logging documents it."""

JOURNALD = """\
{"MESSAGE":"order failed","PRIORITY":"3","SYSLOG_IDENTIFIER":"shop","__REALTIME_TIMESTAMP":"1795551579000000"}
{"MESSAGE":"started","PRIORITY":"6","SYSLOG_IDENTIFIER":"shop","__REALTIME_TIMESTAMP":"1795551579000001","_PID":"7"}
"""


def read(data: bytes, name: str) -> list[Header]:
    form = forms.of(name)
    assembler = Assembler(joins=form.joins)
    records = assembler.feed(data)
    while (record := assembler.flush(partial=True)) is not None:
        records.append(record)
    return [header.read(record.text, default_zone=UTC, now_ns=NOW_NS, form=form) for record in records]


@pytest.mark.parametrize(("name", "recorded"), RECORDED)
def test_a_format_that_is_set_reads_what_is_recognised_by_itself(name: str, recorded: str) -> None:
    data = (LOGS / recorded).read_bytes()
    by_itself = read(data, "auto")
    assert read(data, name) == by_itself
    if not recorded.startswith("programs/"):  # of a crash little has a time
        assert sum(found.time_ns is not None for found in by_itself) >= 0.95 * len(by_itself)


def test_lines_of_json_are_records_each_and_say_the_same_by_themselves() -> None:
    data = (LOGS / "node/sample.log").read_bytes()
    lines = [line for line in data.splitlines(keepends=True) if line.startswith(b"{")]
    assert read(b"".join(lines), "json") == read(b"".join(lines), "auto")
    assert all(found.severity_stated and found.time_ns for found in read(b"".join(lines), "json"))


def test_records_of_dotnet() -> None:
    found = read(DOTNET.encode(), "dotnet")
    assert [(each.severity.name, each.component) for each in found] == [
        ("ERROR", "Shop.Orders"),
        ("INFO", "Shop.Orders"),
        ("CRITICAL", "Microsoft.AspNetCore.Server.Kestrel"),
    ]
    assert "no such order" in found[0].message


@pytest.mark.parametrize("name", ["auto", "journald"])
def test_the_journal_as_json_in_a_file(name: str) -> None:
    first, second = read(JOURNALD.encode(), name)
    assert (first.severity.name, first.component, first.message) == ("ERROR", "shop", "order failed")
    assert first.time_ns == 1_795_551_579 * 10**9
    assert second.severity.name == "INFO"


def test_plain_text_has_no_header_and_no_further_lines() -> None:
    data = b'2026-11-24 10:00:00 ERROR shop: broken\n\tand more\n{"level":"error","msg":"x"}\n'
    assert [(found.message, found.time_ns, found.component) for found in read(data, "plain")] == [
        ("2026-11-24 10:00:00 ERROR shop: broken", None, ""),
        ("and more", None, ""),
        ('{"level":"error","msg":"x"}', None, ""),
    ]


def test_a_line_of_json_in_a_text_log_stays_text() -> None:
    line = b'{"level":"info","msg":"fine"}\n'
    assert read(line, "auto")[0].message == "fine"
    assert read(line, "syslog")[0].message == line.decode().strip()


def test_what_looks_like_a_header_stays_in_the_message_where_all_is_json() -> None:
    assert read(b"2026-11-24 10:00:00 ERROR broken\n", "json")[0].message == "2026-11-24 10:00:00 ERROR broken"


def test_the_format_reaches_from_the_local_file_to_what_is_sent(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.log = msgspec.structs.replace(site.log, format="plain", min_severity="error")
    site.write("2026-11-24 10:00:00 ERROR broken\n\tand more\n" * 3 + "INFO fine\n")
    site.settle()
    assert set(site.records()) == {"2026-11-24 10:00:00 ERROR broken"}


def test_a_format_in_a_backlog_is_read_as_in_a_small_file(tmp_path: Path) -> None:
    messages: list[list[str]] = []
    for number, size in enumerate((1, 20_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        site = Site(folder, min_severity="error")
        site.log = msgspec.structs.replace(site.log, format="syslog")
        site.write("Nov 24 10:00:00 host shop[7]: fine\n" * size)
        site.write('{"level":"error","msg":"x"}\nNov 24 10:00:01 host shop[7]: ERROR broken\n')
        site.settle()
        messages.append(site.records())
    assert messages[0] == messages[1]
    assert messages[0][-1] == "broken"


def test_every_format_can_be_set_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    for name in typing.get_args(forms.Format):
        path.write_text(f'[[logs]]\nname = "a"\npaths = ["/x"]\nformat = "{name}"\n')
        assert configuration.load(path).logs[0].format == name
    path.write_text('[[logs]]\nname = "a"\npaths = ["/x"]\nformat = "cobol"\n')
    with pytest.raises(ConfigError, match="format"):
        configuration.load(path)
