"""What is remembered of a shape gives the very result of reading anew."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.reading import event, familiar, header
from sitewarden_alerting.reading.familiar import Familiar
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor

NOW_NS = 1_795_000_000_000_000_000
SAMPLES = sorted((Path(__file__).parents[2] / "data" / "logs").glob("*/sample.log"))
REDACTOR = Redactor(b"k" * 32, literals=["customer42"])
_DIGIT = re.compile(r"[0-9]")
_NUMBER = re.compile(r"[0-9]+")

TRICKY = [
    "<34>Oct 11 22:14:15 mail su: 'su root' failed for ann on /dev/pts/8",
    "<35>1 2026-10-11T22:14:15.003Z mail su - ID47 - broken",
    "2026-11-24 10:00:05.123 1234 ERROR [worker-12] ORA-00942: table or view does not exist",
    "2026-11-24 10:00:05 ERROR ORD-12345: SQLSTATE[42601] syntax error near 1",
    "ERROR query failed: SQLSTATE=23505 after 12 ms",
    "Thu Oct 05 10:00:00 2023 ERROR took 1999 ms of 2024",
    "1699999999 ERROR broken 12345678",
    "20231223-22:15:29:606 ERROR step 20231223",
    '10.1.2.3 - - [05/Oct/2023:10:00:00 +0000] "GET /a/1 HTTP/1.1" 503 1024 "-" "curl/8.0"',
    '{"level":50,"time":1699999999123,"msg":"request 17 failed","port":5432}',
    '{"level":30,"time":1699999999123,"msg":"request 17 done","took":1.50}',
    '{"ts":"2026-11-24T10:00:00Z","s":3,"msg":"code 05"}',
    'ts=2026-11-24T10:00:00Z level=3 msg="took 12 s" size=100',
    "E1124 10:00:00.123456   12345 server.go:123] connection 7 to 10.0.0.1:443 lost",
    "2026-11-24 10:00:00 ERROR card 4111 1111 1111 1111 of +86 138 0013 8000 refused",
    "2026-11-24 10:00:00 ERROR customer42 called 13800138000 about 110101199003070038",
    "2026-11-24 10:00:00 ERROR id 219-09-9999 at fe80::1 and 1:2:3:4:5:6:7:8",
    "2026-11-24 10:00:00 ERROR password=12 token=0x14 pin: 1234",
    "ERROR at step 3\n\tat com.acme.Worker2.run(Worker2.java:88)\n\tat com.acme.Main$1.call(Main.java:12)",
    'Traceback (most recent call last):\n  File "/srv/app3/x.py", line 12, in f2\nKeyError: 17',
    "panic: boom 3\n\ngoroutine 17 [running]:\nmain.run.func1.2(0x12)\n\t/srv/main.go:12 +0x1d",
    "订单12345失败: 错误 17",
]


def varied(text: str, chance: random.Random) -> str:
    """`text` with other digits here and there, and some numbers of another length."""
    kind = chance.random()
    if kind < 0.8:
        share = 1.0 if kind < 0.4 else 0.2
        return _DIGIT.sub(lambda found: chance.choice("0123456789") if chance.random() < share else found[0], text)
    return _NUMBER.sub(
        lambda found: str(chance.randrange(10 ** chance.randint(1, 6))) if chance.random() < 0.3 else found[0], text
    )


def check(reading: Familiar, record: Record) -> None:
    seen = reading.look(record.text, now_ns=NOW_NS)
    plain = header.read(record.text, default_zone=UTC, now_ns=NOW_NS)
    assert seen.severity == plain.severity, record.text
    anew = event.read(record, redact=REDACTOR.redact, default_zone=UTC, now_ns=NOW_NS)
    assert reading.read(record, seen, now_ns=NOW_NS) == anew, record.text


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.parent.name)
def test_real_logs_with_other_digits_read_the_same(sample: Path) -> None:
    chance, reading = random.Random(sample.parent.name), Familiar(REDACTOR, default_zone=UTC)
    for record in Assembler().feed(sample.read_bytes())[:80]:
        for _ in range(3):
            check(reading, replace(record, text=varied(record.text, chance)))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(TRICKY), st.randoms(use_true_random=False))
def test_lines_whose_digits_tell_something_read_the_same(text: str, chance: random.Random) -> None:
    reading = Familiar(REDACTOR, default_zone=UTC)
    check(reading, Record(0, 0, text, 1, 0))
    for _ in range(12):
        check(reading, Record(0, 0, varied(text, chance), 1, 0))


@settings(max_examples=80, deadline=None)
@given(st.text("ab0159 .:-=/<>[]{}\"'T\n,+$_é", min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_any_text_with_other_digits_reads_the_same(text: str, chance: random.Random) -> None:
    reading = Familiar(REDACTOR, default_zone=UTC)
    for _ in range(4):
        check(reading, Record(0, 0, f"2026-11-24 10:00:0{chance.randrange(10)} ERROR {text}", 1, 0))
        text = varied(text, chance)


def test_repeats_of_a_shape_are_read_from_memory() -> None:
    reading = Familiar(REDACTOR, default_zone=UTC)
    for number in range(1_000, 2_000):
        text = f"2026-11-24 10:00:00,{number % 1000:03} ERROR [ledger] entry T-{number}- failed after {number} ms"
        check(reading, Record(0, 0, text, 1, 0))
    assert reading.missed == 1


def test_what_is_remembered_is_bounded() -> None:
    memories = familiar.Memories()
    reading = Familiar(REDACTOR, default_zone=UTC, memories=memories)
    for number in range(4_000):
        word = "".join(chr(97 + number // 26**i % 26) for i in range(4)) * 50
        record = Record(0, 0, f"ERROR {word} failed", 1, 0)
        reading.read(record, reading.look(record.text, now_ns=NOW_NS), now_ns=NOW_NS)
    assert memories.lines.bytes <= familiar.MAX_BYTES
    assert memories.identities.bytes <= familiar.MAX_BYTES
