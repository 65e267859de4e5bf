"""Bytes become the same records however they are cut, and only evident continuations are joined."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor


def cut(data: bytes, at: list[int] | None = None, *, max_record_bytes: int = 65_536) -> list[Record]:
    """All records of a file that is fed in pieces, the last ones by flushing."""
    assembler = Assembler(max_record_bytes=max_record_bytes)
    records: list[Record] = []
    edges = [0, *sorted(at or []), len(data)]
    for start, stop in pairwise(edges):
        records += assembler.feed(data[start:stop])
    while (record := assembler.flush(partial=True)) is not None:
        records.append(record)
    return records


def texts(data: str) -> list[str]:
    return [record.text for record in cut(data.encode())]


JAVA = """2026-03-01 10:00:01 ERROR c.a.Orders - order 7 failed
java.lang.IllegalStateException: not paid
\tat com.acme.Orders.pay(Orders.java:12)
\tat com.acme.Main.main(Main.java:3)
Caused by: java.io.IOException: refused
\tat com.acme.Net.open(Net.java:9)
\t... 23 more
"""
PYTHON = """ERROR:shop:order 7 failed
Traceback (most recent call last):
  File "/srv/shop/orders.py", line 3, in pay
    connect()
ConnectionError: refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/shop/orders.py", line 5, in save
    raise Unpaid
shop.errors.Unpaid: order 7
"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.order(0x5, {0xc000012345, 0x2})
\t/srv/shop/main.go:8 +0x1d
main.main()
\t/srv/shop/main.go:3 +0x1d
exit status 2
"""
NODE = """/srv/shop/shop.js:8
function total(b){ return b.items.length }
                            ^

TypeError: Cannot read properties of undefined (reading 'items')
    at total (/srv/shop/shop.js:8:29)
    at Timeout._onTimeout (/srv/shop/shop.js:22:36)

Node.js v20.20.2
"""
RUST = """thread 'main' panicked at src/main.rs:2:5:
index out of bounds: the len is 3 but the index is 5
stack backtrace:
   0: rust_begin_unwind
   1: shop::order
             at ./src/main.rs:2:5
note: run with `RUST_BACKTRACE=full` for a verbose backtrace
"""
PHP = """PHP Fatal error:  Uncaught RuntimeException: refused in /srv/shop/order.php:3
Stack trace:
#0 /srv/shop/order.php(7): pay()
#1 {main}
  thrown in /srv/shop/order.php on line 3
"""
RUBY = """/srv/shop/order.rb:2:in `pay': refused (RuntimeError)
\tfrom /srv/shop/order.rb:5:in `block in run'
\tfrom /srv/shop/order.rb:9:in `<main>'
"""
DOTNET = """Unhandled exception. System.InvalidOperationException: not paid
 ---> System.IO.IOException: refused
   at Shop.Net.Open() in /srv/shop/Net.cs:line 9
   --- End of inner exception stack trace ---
   at Shop.Orders.Pay(Int32 id) in /srv/shop/Orders.cs:line 3
"""
JUL = """Mar 12, 2026 3:45:51 PM com.acme.Orders pay
SEVERE: order 7 is not paid
com.acme.Unpaid$PaymentException: refused
\tat com.acme.Orders.pay(Orders.java:12)
"""
JSON = """{
  "level": "error",
  "items": [
    1
  ]
}
"""
TRACES = {
    "java": JAVA,
    "python": PYTHON,
    "go": GO,
    "node": NODE,
    "rust": RUST,
    "php": PHP,
    "ruby": RUBY,
    "dotnet": DOTNET,
    "java.util.logging": JUL,
    "pretty-printed json": JSON,
}


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
def test_a_trace_is_one_record(trace: str) -> None:
    assert texts(f"before\n{trace}after\n") == ["before", trace.rstrip("\n"), "after"]


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
def test_a_trace_is_one_record_with_line_ends_of_windows(trace: str) -> None:
    records = cut(trace.replace("\n", "\r\n").encode())
    assert [record.text for record in records] == [trace.rstrip("\n")]


@pytest.mark.parametrize(
    "line",
    [
        "word by word",
        "42 items copied",
        "node-17 is back",
        "[main] started",
        "- listed",
        "ValueError: not a trace without its trace",
        "Traceback (most recent call last):",
        "error: cannot open file",
        "2026-03-01 10:00:00 INFO started",
    ],
)
def test_a_line_that_is_not_evidently_a_continuation_starts_a_record(line: str) -> None:
    assert texts(f"first\n{line}\nlast\n") == ["first", line, "last"]


def test_an_indented_line_that_has_a_header_of_its_own_is_a_record() -> None:
    assert texts("first\n  2026-03-01 10:00:00 INFO second\n") == ["first", "  2026-03-01 10:00:00 INFO second"]


def test_lines_that_are_all_indented_alike_are_records() -> None:
    assert texts("  one\n  two\n    of two\n  three\n") == ["  one", "  two\n    of two", "  three"]


def test_a_traceback_after_a_message_that_is_no_failure_is_a_record_of_its_own() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x'
    assert texts(f"2026-03-01 10:00:00 INFO all is well\n{trace}\n") == ["2026-03-01 10:00:00 INFO all is well", trace]


def test_a_key_is_one_record_so_that_it_is_redacted_whole() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nQk1h\n-----END PRIVATE KEY-----"
    assert texts(f"{key}\n2026-03-01 10:00:01 INFO next\n") == [key, "2026-03-01 10:00:01 INFO next"]
    assert "Qk1h" not in Redactor(b"k" * 32).redact(texts(f"{key}\n")[0])


def test_offsets_are_those_of_the_file() -> None:
    data = b"one\r\ntwo\n\n  of two\nthree"
    records = cut(data)
    assert [(record.offset, record.end, record.lines) for record in records] == [(0, 5, 1), (5, 19, 3), (19, 24, 1)]
    assert [data[record.offset : record.offset + 3] for record in records] == [b"one", b"two", b"thr"]


def test_a_file_read_from_its_middle_has_the_offsets_of_the_file() -> None:
    assembler = Assembler(offset=100)
    assert [record.offset for record in assembler.feed(b"one\ntwo\nthree\n")] == [100, 104]
    assert assembler.resume_offset == 108


def test_a_byte_order_mark_is_no_text() -> None:
    assert [(record.offset, record.text) for record in cut(b"\xef\xbb\xbfone\n")] == [(0, "one")]


def test_a_hole_of_nuls_is_skipped_and_counted_in_the_offset() -> None:
    data = b"one\n" + b"\0" * 100_000 + b"two\n"
    assert [(record.offset, record.text) for record in cut(data, [10, 50_000])] == [(0, "one"), (100_004, "two")]


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert [record.text for record in cut(b"a\xff\xfeb\n")] == ["a\ufffd\ufffdb"]


def test_a_line_longer_than_the_bound_is_cut_and_counted() -> None:
    records = cut(b"x" * 1000 + b"\nshort\n", [3, 500, 999], max_record_bytes=100)
    assert [(record.offset, len(record.text), record.truncated) for record in records] == [(0, 100, 900), (1001, 5, 0)]


def test_a_record_longer_than_the_bound_is_cut_and_counted() -> None:
    data = b"head\n" + b"\tat a.b.C.d(E.java:1)\n" * 50
    (record,) = cut(data, max_record_bytes=100)
    assert len(record.text.encode()) <= 101
    assert record.end == len(data)
    assert record.lines == 51
    assert record.truncated > 0


def test_an_endless_line_takes_no_more_memory_than_the_bound() -> None:
    assembler = Assembler(max_record_bytes=1000)
    for _ in range(1000):
        assert assembler.feed(b"y" * 1000) == []
    assert len(assembler._line) == 1000
    record = assembler.flush(partial=True)
    assert record is not None
    assert record.truncated == 999_000


def test_pending_is_the_open_record_of_complete_lines() -> None:
    assembler = Assembler()
    assert assembler.pending is None
    assembler.feed(b"one\n  of o")
    assert assembler.pending is not None
    assert assembler.pending.text == "one"
    assert assembler.feed(b"ne\n") == []
    assert assembler.pending.text == "one\n  of one"


def test_flush_leaves_an_unterminated_line_for_later() -> None:
    assembler = Assembler()
    assembler.feed(b"one\ntw")
    record = assembler.flush()
    assert record is not None
    assert record.text == "one"
    assert assembler.flush() is None
    assert assembler.resume_offset == 4
    assert assembler.feed(b"o\nthree\n")[0].text == "two"


def test_reading_resumes_at_the_start_of_what_was_not_returned() -> None:
    data = JAVA.encode() + b"next\n" + PYTHON.encode()
    whole = cut(data)
    for stop in range(0, len(data), 7):
        before = Assembler()
        returned = before.feed(data[:stop])
        after = Assembler(offset=before.resume_offset)
        returned += after.feed(data[before.resume_offset :])
        while (record := after.flush(partial=True)) is not None:
            returned.append(record)
        assert returned == whole


LINE = st.one_of(
    st.sampled_from([line for trace in TRACES.values() for line in trace.encode().split(b"\n")]),
    st.sampled_from([b"", b" ", b"plain words", b"  indented", b"\r", b"}", b"\0\0\0", b"2026-03-01 10:00:00 WARN x"]),
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")),
)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(LINE, max_size=25),
    end=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
    bound=st.sampled_from([16, 50, 65_536]),
    data=st.data(),
)
def test_records_are_the_same_however_the_bytes_are_cut(
    lines: list[bytes], end: bytes, last: bool, bound: int, data: st.DataObject
) -> None:
    content = end.join(lines) + (end if last else b"")
    edges = data.draw(st.lists(st.integers(0, len(content)), max_size=8))
    whole = cut(content, max_record_bytes=bound)
    assert cut(content, edges, max_record_bytes=bound) == whole
    assert cut(content, list(range(len(content))), max_record_bytes=bound) == whole
    ends = [record.end for record in whole]
    starts = [record.offset for record in whole]
    assert starts == sorted(starts)
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
