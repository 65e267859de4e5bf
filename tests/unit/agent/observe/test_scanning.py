"""Blocks that are searched first give the records that reading every byte gives, whichever engine this CPU can run."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from sitewarden_agent.observe.scanning import engine
from sitewarden_agent.observe.scanning.scanner import Scanner
from sitewarden_alerting.reading import continuation, header, telling
from sitewarden_alerting.reading.severity import Severity
from tests.fuzz.targets import scanning as target

LOGS = Path(__file__).parents[3] / "data" / "logs"
SAMPLES = sorted(LOGS.glob("*/sample.log"))
ENGINES = ("hyperscan", "re2", "re")
STAMPS = (
    "2026-11-23 15:02:11,301",
    "2026-11-23T15:02:11Z",
    "Nov 23 15:02:11 web1 app[12]:",
    "23/Nov/2026:15:02:11 +0000",
    "[Mon Nov 23 15:02:11 2026]",
    "<27>Nov 23 15:02:11 web1 app:",
    "11/23/2026 3:02:11 PM",
    "1764000000.123",
    "12:M 23 Nov 2026 15:02:11.301",
    "2026-11-23T15:02:11Z stdout F",
    "081109 203615 148",
    "11-23 15:02:11.301  1234  1250",
    "",
)
BETWEEN = (
    " ",
    "",
    "  ",
    "\t",
    " | ",
    " - ",
    " [main] ",
    " [12] (x1) ",
    " core: ",
    " {",
    ": ",
    " 0x1fr ",
    " 中文 ",
    "[",
    "<",
)
BAD = (
    *(
        "ERROR",
        "Error",
        "error",
        "WARN",
        "warning",
        "CRIT",
        "Fatal",
        "EMERG",
        "alert",
        "eror",
        "SEVERE",
        "failure",
        "wrn",
    ),
    *(
        "E",
        "W",
        "F",
        "C",
        "E/Tag",
        "W |",
        "E  ",
        "F - ",
        "E Tag :",
        "W1123 15:02:11.301422",
        "E REPL  [x]",
        "#",
        "npm ERR!",
    ),
    *(
        "error:",
        "x Error: gone",
        "failed to open",
        "job: failed",
        "segfault at 0",
        "Out of memory: killed",
        "oom-killer",
    ),
    *("a.b.CException: x", "Traceback (most recent call last):", "Uncaught x", "unhandled rejection", "Call Trace:"),
    *(
        '"GET / HTTP/1.1" 500 12 ',
        "status=503",
        'status code: "502"',
        "assertion x failed",
        "DeprecationWarning",
        "npm WARN",
    ),
    *(
        'level=error msg="x"',
        "level=50 time=1 msg=x",
        "severity=E msg=x",
        "lvl=4 t=1",
        "l=W msg=x s=",
        "error = (x",
        "err=[1]",
    ),
)
AFTER = (" x", "", ": x", "] x", "> x", ", x", " | x", "  x", "- x", "\tx", "|", "=1", "　x", "code", "_x", "s")
CHINESE = ("数据库", "连接", "丂丄", "镕", "喆", "错，", "：", "\u3000", "é", "中E", "亐")
TELLING = tuple(text for texts in telling.TEXTS.values() for text in texts)
MEMBERS = (
    *(
        '"level":"error"',
        '"severity": "WARN"',
        '"lvl":40',
        '"level":"50"',
        '"PRIORITY":"3"',
        '"l":"E"',
        '"s":"F"',
        '"@l":4',
    ),
    *(
        '"level":"\\u0065rror"',
        '"log":{"level":"crit"}',
        '"level":["60"]',
        '"level":\t3',
        '"level":"\\tfatal "',
        '"level":"\\"E\\""',
    ),
    *(
        '"level":30',
        '"level":"info"',
        '"err":"x"',
        '"exception":"(x"',
        '"stack":"a\\nb: error: c"',
        '"status":"deferred"',
        '"status":500',
        '"x":"y"',
    ),
)
MESSAGES = (
    "fine",
    "a\\nerror: b",
    "FooError: x",
    "it failed\\u003a x",
    "\\u4e2dpanic: x",
    'HTTP/1.1\\" 502 x',
    'status\\": 500',
)


@pytest.mark.parametrize("name", ENGINES)
def test_every_recorded_log_gives_the_same_records_searched_as_read(name: str) -> None:
    scanner = Scanner(Severity.WARNING, engine_name=name)
    draw = random.Random(name)
    for path in SAMPLES if name == "hyperscan" else SAMPLES[::6]:
        data = path.read_bytes()
        expected = target.kept(target.read_all(data), Severity.WARNING)
        for blocks in (0, 3, 40):
            cuts = sorted(draw.randint(0, len(data)) for _ in range(blocks))
            assert target.kept(target.skimmed(data, scanner, cuts), Severity.WARNING) == expected, path


@pytest.mark.parametrize("least", target.LEVELS)
def test_no_header_that_says_something_bad_goes_unseen(least: Severity) -> None:
    scanner = Scanner(least, engine_name="hyperscan" if engine.choice() == "hyperscan" else "re2")
    draw = random.Random(int(least))
    seen = 0
    for _ in range(6_000):
        line = _line(draw)
        if header.read(line, default_zone=UTC, now_ns=target.NOW_NS).severity >= least:
            seen += 1
            assert scanner.ends(line.encode()), line
    assert seen > 500


def _line(draw: random.Random) -> str:
    if draw.random() < 0.3:
        members = [f'"msg":"{draw.choice(MESSAGES)}"', '"time":"2026-11-23T15:02:11Z"', *draw.choices(MEMBERS, k=2)]
        draw.shuffle(members)
        return "{" + ", ".join(members[draw.randint(0, 1) :]) + "}"
    parts = [draw.choice(STAMPS), draw.choice(BETWEEN)]
    if draw.random() < 0.3:
        parts += [draw.choice(("abc def", "10.0.0.1", "id42", "x" * draw.randint(300, 380))), draw.choice(BETWEEN)]
    bad = draw.choice(TELLING) if draw.random() < 0.1 else draw.choice(BAD)
    if draw.random() < 0.1:
        bad = f"\x1b[{draw.choice(('', '1;31', '0'))}m{bad}\x1b[0m"
    return "".join((*parts, bad, draw.choice(AFTER)))


def test_a_line_that_begins_a_record_begins_one_whatever_is_open() -> None:
    lines = [line for path in SAMPLES for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    lines += [line for seed in target.SEEDS for line in seed.decode("utf-8", "replace").splitlines() if line.strip()]
    draw = random.Random(7)
    begun = 0
    for _ in range(4_000):
        at = draw.randrange(len(lines) - 12)
        opened = continuation.opened(draw.choice(lines))
        for line in (*lines[at : at + draw.randint(0, 10)], draw.choice(lines)):
            continuation.continues(opened, line)
        line, opened.blank = draw.choice(lines), draw.random() < 0.3
        if continuation.begins(line, opened.previous, blank=opened.blank):
            begun += 1
            assert not continuation.continues(opened, line), (opened, line)
    assert begun > 2_000


def test_searching_reads_few_records_that_nobody_wants() -> None:
    """Of all recorded logs together, so that a pattern that became too wide is noticed."""
    scanner = Scanner(Severity.WARNING)
    wanted = read = everything = 0
    for path in SAMPLES:
        data = path.read_bytes()
        everything += len(target.read_all(data))
        found = target.skimmed(data, scanner, [])
        read += len(found)
        wanted += len(target.kept(found, Severity.WARNING))
    assert read - wanted < 0.1 * (everything - wanted)


# Engines.


def _cpuinfo(path: Path, *, without: str) -> Path:
    flags = ("fpu", "sse", "sse2", "ssse3", "cx16", "sse4_1", "sse4_2", "popcnt", "avx", "avx2")
    path.write_text("processor\t: 0\nflags\t\t: " + " ".join(flag for flag in flags if flag != without) + "\n")
    return path


@pytest.mark.skipif(sys.platform != "linux" or "x86" not in os.uname().machine, reason="flags of x86-64")
def test_hyperscan_is_not_chosen_for_a_cpu_without_its_instructions(tmp_path: Path) -> None:
    assert engine.choice(_cpuinfo(tmp_path / "whole", without="")) == "hyperscan"
    for flag in ("sse4_2", "ssse3", "popcnt"):
        assert engine.choice(_cpuinfo(tmp_path / flag, without=flag)) == "re2"
    assert engine.choice(tmp_path / "missing") == "re2"


_UNDER_QEMU = """
import sys
from pathlib import Path
from sitewarden_agent.observe.scanning import engine
name = engine.choice(Path(sys.argv[1])) if len(sys.argv) > 1 else "hyperscan"
print(name, engine.compiled([b"(?i:error)"], name=name).ends(b"fine\\nan Error\\n"), flush=True)
"""


@pytest.mark.skipif("x86" not in os.uname().machine, reason="emulates an old x86-64 CPU")
def test_a_cpu_without_sse4_2_is_searched_by_re2_where_hyperscan_would_end_the_process(tmp_path: Path) -> None:
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("needs: qemu-user")
    old = [qemu, "-cpu", "Conroe", sys.executable, "-c", _UNDER_QEMU]
    flags = _cpuinfo(tmp_path / "cpuinfo", without="sse4_2")
    chosen = subprocess.run([*old, str(flags)], capture_output=True, text=True, check=False)
    assert chosen.stdout.split()[0] == "re2", chosen.stderr
    assert chosen.returncode == 0
    assert subprocess.run(old, capture_output=True, text=True, check=False).returncode != 0


def test_a_match_over_the_border_of_two_blocks_is_found() -> None:
    scanner = Scanner(Severity.WARNING)
    data = b"".join(b"2026-11-23 15:02:11,301 INFO all is well %d\n" % number for number in range(50))
    data += b"2026-11-23 15:02:11,301 ERROR gone\n\tat a.B.c(B.java:1)\n" + data
    expected = target.kept(target.read_all(data), Severity.WARNING)
    assert len(expected) == 1
    at = data.index(b"ERROR")
    for cut in range(at - 30, at + 60):
        assert target.kept(target.skimmed(data, scanner, [cut]), Severity.WARNING) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_between_and_beside_the_words_hides_nothing(encoding: str) -> None:
    draw = random.Random(encoding)
    scanner = Scanner(Severity.ERROR)
    found = 0
    for _ in range(30):
        lines = []
        for _ in range(40):
            line = _line(draw)
            at = draw.randint(0, len(line))
            lines.append(line[:at] + draw.choice(CHINESE) + line[at:])
        data = draw.choice(("\n", "\r\n")).join(lines).encode(encoding)
        expected = target.kept(target.read_all(data), Severity.ERROR)
        cuts = sorted(draw.randint(0, len(data)) for _ in range(3))
        assert target.kept(target.skimmed(data, scanner, cuts), Severity.ERROR) == expected
        found += len(expected)
    assert found > 300
