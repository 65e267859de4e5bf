"""`keep`: what a pattern may be, and that every engine finds the same by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sitewarden_agent import config
from sitewarden_agent.config import keeping
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe.scanning import engine
from sitewarden_agent.observe.scanning.scanner import Scanner
from sitewarden_alerting.reading.severity import Severity

REFUSED = {
    "(": "no regular expression",
    "a*": "empty line",
    "(?=a)b": "looking around",
    "a(?!b)": "looking around",
    r"(a)\1": r"\1",
    "(?P<name>a)": "looking around, names",
    "[甲乙]丙": "(?:甲|乙)",
    "甲+": "(?:甲)+",
    r"a\nb": "within a line",
    r"\Aab": r"\A is not allowed",
    "a{300}": "more than 200",
    "x" * 501: "make it two",
    "a++b": "differently",
}
FOUND = {
    r"job \d+ done\.$": ("job 12 done.", "job 1 done.\r"),
    "(?i)Backup (?:ended|finished)": ("BACKUP ended", "the backup finished well"),
    "^cron: ": ("cron: x",),
    r"\bquota\b.*99 ?%": ("quota of ada at 99 %", "\tquota=99%"),
    "备份(?:成功|失败)": ("今天备份失败了",),
    r"[a-f0-9]{8}-\w+": ("id deadbeef-x",),
}
NOT_FOUND = ("job done.", "job 12 done. Yes", "xcron: x", "quotas 99%", "今天备份", "dead-beef", "")


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_engines_understand_differently_is_refused_with_what_to_do(pattern: str) -> None:
    said = keeping.complaint(pattern)
    assert said is not None
    assert REFUSED[pattern] in said


@pytest.mark.parametrize("name", engine.ENGINES)
def test_every_engine_finds_the_same_in_a_record_and_in_a_block(name: str) -> None:
    if name == "hyperscan" and engine.choice() != "hyperscan":
        pytest.skip("this CPU cannot run it")
    for pattern, texts in FOUND.items():
        assert keeping.complaint(pattern) is None
        scanner = Scanner(Severity.CRITICAL, (pattern,), engine_name=name)
        for text in texts:
            assert scanner.keeps(text.rstrip("\r")), (pattern, text)
            block = f"before\n{text}\nafter\n".encode()
            assert [block.count(b"\n", 0, end - 1) for end in scanner.ends(block)] in ([1], [1, 1]), (pattern, text)
        for text in NOT_FOUND:
            assert not scanner.keeps(text), (pattern, text)
            assert scanner.ends(f"{text}\n".encode()) == []


def test_the_configuration_names_the_pattern_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[logs]]\nname = "app"\npaths = ["/var/log/app.log"]\nkeep = ["fine", "(unclosed"]\n')
    with pytest.raises(ConfigError, match=r"\(unclosed.*no regular expression"):
        config.load(path)
    path.write_text(f'[[logs]]\nname = "app"\npaths = ["/a.log"]\nkeep = {["pattern"] * 501}\n')
    with pytest.raises(ConfigError, match="keep"):
        config.load(path)


def test_a_pattern_that_hyperscan_refuses_is_searched_by_the_next_engine() -> None:
    wide = tuple(rf"a.{{{number}}}b.{{0,199}}c.{{0,199}}d{{0,199}}e" for number in range(100, 110))
    assert all(keeping.complaint(pattern) is None for pattern in wide)
    scanner = Scanner(Severity.ERROR, wide)
    assert scanner.keeps("a" + "x" * 105 + "b" + "x" * 150 + "c" + "d" * 30 + "e")


@pytest.mark.parametrize("name", engine.ENGINES)
def test_patterns_that_match_everywhere_make_a_block_be_read_and_not_searched_for_ever(name: str) -> None:
    if name == "hyperscan" and engine.choice() != "hyperscan":
        pytest.skip("this CPU cannot run it")
    scanner = Scanner(Severity.ERROR, tuple(f"[a-{last}]" for last in "bcdefghijklmnopqrstuvwxyz"), engine_name=name)
    block = b"aaaaaaaaaaaaaaa\n" * 20_000 + b"a"
    assert scanner.ends(block) == [*range(16, len(block), 16), len(block)]
