"""Encodings: recognised by the first bytes, cut into records on raw bytes, with offsets that count raw bytes."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_agent.observe.decoding import assembler_for, either, recognised
from sitewarden_alerting.reading.lines import Record
from tests.unit.agent.tail_bench import Site

CODECS = {
    "utf-8": "utf-8",
    "UTF-8 with a mark": "utf-8-sig",
    "UTF-16 LE": "utf-16-le",
    "UTF-16 BE": "utf-16-be",
    "UTF-16 with a mark": "utf-16",
    "GB18030": "gb18030",
}
ENGLISH = [f"ERROR request {number} failed" for number in range(40)]
CHINESE = [f"2026-11-24 10:00:{number:02} ERROR 订单 {number} 上传失败: 连接被拒绝 (上上海)" for number in range(40)]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def marked(content: str, codec: str) -> bytes:
    return b"\xfe\xff" + content.encode("utf-16-be") if codec == "utf-16" else content.encode(codec)


def records_of(data: bytes, sizes: list[int], encoding: str = "auto") -> list[Record]:
    assembler, start, records = assembler_for(encoding, 0), 0, []
    for size in [*sizes, len(data)]:
        records += assembler.feed(data[start : start + size])
        start += size
    while (record := assembler.flush(partial=True)) is not None:
        records.append(record)
    return records


@pytest.mark.parametrize("lines", [ENGLISH, CHINESE], ids=["English", "Chinese"])
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_encoding_is_recognised_and_every_offset_is_that_of_the_raw_bytes(codec: str, lines: list[str]) -> None:
    data = marked(text(lines), codec)
    records = records_of(data, [])
    assert [record.text for record in records] == lines
    plain = "utf-16-be" if codec == "utf-16" else codec.removesuffix("-sig")
    for record, line in zip(records[1:], lines[1:], strict=True):
        assert data[record.offset : record.end].decode(plain) == f"{line}\n"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(CODECS.values())),
    st.sampled_from([ENGLISH, CHINESE]),
    st.lists(st.integers(1, 60), max_size=60),
)
def test_any_cut_of_the_bytes_gives_the_same_records(codec: str, lines: list[str], sizes: list[int]) -> None:
    data = marked(text(lines), codec)
    assert records_of(data, sizes) == records_of(data, [])


def test_a_byte_that_means_nothing_loses_no_line_and_no_other_character() -> None:
    data = text(CHINESE[:3]).encode()
    broken = data.replace("拒绝".encode(), "拒绝".encode() + b"\xff", 1)
    records = records_of(broken, [])
    assert [record.text.replace("\ufffd", "") for record in records] == CHINESE[:3]
    assert "\ufffd" in records[0].text


def test_half_a_character_at_the_end_of_a_line_is_replaced() -> None:
    assert either("连接失败".encode()[:-1]) == "连接失\ufffd"


@pytest.mark.parametrize("word", ["Größe überschritten", "fenêtre fermée", "año", "naïve café"])
def test_a_letter_with_an_accent_in_one_byte_is_not_taken_for_chinese(word: str) -> None:
    assert all(character < "\u2e80" or character == "\ufffd" for character in either(word.encode("latin-1")))


def test_lines_of_both_encodings_in_one_file_are_told_apart() -> None:
    mixed = b"".join(line.encode(codec) + b"\n" for line in CHINESE for codec in ("utf-8", "gb18030"))
    assert [record.text for record in records_of(mixed, [])] == [line for line in CHINESE for _ in range(2)]


def test_an_encoding_that_is_set_is_not_guessed() -> None:
    assert records_of("año\n".encode("latin-1"), [], "latin-1")[0].text == "año"
    assert records_of("é\n".encode("gb18030"), [], "gb18030")[0].text == "é"
    assert records_of(CHINESE[0].encode("gb18030"), [], "utf-8")[0].text.count("\ufffd") > 5


def test_lines_that_end_with_a_carriage_return_alone() -> None:
    data = text(ENGLISH * 2).replace("\n", "\r").encode()
    assert [record.text for record in records_of(data, [100] * 30)] == ENGLISH * 2


def test_a_zero_or_two_in_plain_text_do_not_make_it_utf_16() -> None:
    data = b"ERROR ab\0c\nERROR next\n"
    assert [record.text for record in records_of(data, [])] == ["ERROR ab\0c", "ERROR next"]
    assert recognised(b"\0" * 7 + b"ERROR x\n") == "either"
    assert recognised(b"\0" * 7) == "auto"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_hole_before_the_first_line_is_no_text_in_any_encoding(codec: str) -> None:
    data = b"\0" * 3_000 + text(ENGLISH).encode(codec)
    records = records_of(data, [500] * 4)
    assert [record.text for record in records] == ENGLISH
    assert records[0].offset == 3_000


def test_a_long_line_of_wide_characters_is_cut_and_counted() -> None:
    data = ("\ufeffERROR " + "错" * 100_000 + "\n" + "ERROR next\n").encode("utf-16-le")
    first, second = records_of(data, [1_000] * 100)
    assert first.truncated == 200_014 - 65_536
    assert (second.text, second.offset) == ("ERROR next", 200_016)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_file_of_any_encoding_is_followed_over_appends_restarts_and_a_rotation(tmp_path: Path, codec: str) -> None:
    site = Site(tmp_path)
    plain = "utf-16-be" if codec == "utf-16" else codec.removesuffix("-sig")
    site.write(marked(text(CHINESE[:10]), codec))
    site.look()
    for number in range(10, 20):
        data = f"{CHINESE[number]}\n".encode(plain)
        site.write(data[:33])
        site.at_once()
        site.write(data[33:])
        site.look()
    site.kill()
    site.write(text(CHINESE[20:30]).encode(plain))
    site.path.rename(site.folder / "app.log.1")
    site.write(marked(text(CHINESE[30:]), codec))
    site.settle()
    assert sorted(site.records()) == sorted(line.partition("ERROR ")[2] for line in CHINESE)


def test_only_what_comes_later_is_read_of_a_utf_16_file_that_was_there_before(tmp_path: Path) -> None:
    site = Site(tmp_path, start="end")
    site.write(text(CHINESE[:10]).encode("utf-16-le") + CHINESE[10][:20].encode("utf-16-le"))
    site.look()
    site.write((CHINESE[10][20:] + "\n" + text(CHINESE[11:])).encode("utf-16-le"))
    site.settle()
    assert site.records() == [line.partition("ERROR ")[2] for line in CHINESE[10:]]


def test_a_last_line_of_utf_16_without_its_end_is_told_and_told_whole_later(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("ERROR out of mem".encode("utf-16-le"))
    site.settle()
    assert site.records() == ["out of mem"]
    site.write("ory\nERROR next\n".encode("utf-16-le"))
    site.settle()
    assert site.records() == ["out of memory", "next"]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(CODECS.values())), st.integers(0, 2**32))
def test_whatever_the_encoding_kills_lose_nothing_and_repeat_nothing(codec: str, seed: int) -> None:
    chance = random.Random(seed)
    data, start = marked(text(CHINESE), codec), 0
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.start()
        while start < len(data):
            size = chance.randrange(1, 300)
            site.write(data[start : start + size])
            start += size
            site.at_once()
            if chance.random() < 0.3:
                site.kill()
                site.start()
        site.settle()
        # A line may be told in two parts; its name and its end are what counts.
        assert site.records() == [line.partition("ERROR ")[2] for line in CHINESE]
        assert os.path.getsize(site.path) == len(data)
        site.stop()
