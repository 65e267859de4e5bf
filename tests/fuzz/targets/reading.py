"""Log files: bytes to records, records to events, and what must not leave the site."""

from __future__ import annotations

import random
import re
from datetime import UTC

from sitewarden_alerting import fingerprint
from sitewarden_alerting.reading import event, header
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor
from tests.fuzz.run import Target

NOW_NS = 1_764_000_000 * 10**9
MAX_RECORD_BYTES = 2_000
LITERAL = "Globex-Orders"

SEEDS = (
    b"2026-11-23 15:02:11,301 ERROR [orders] cannot reach database at 10.0.0.5:5432\n",
    b"Nov 23 15:02:11 web1 sshd[2031]: Failed password for invalid user admin from 203.0.113.7 port 4242 ssh2\n",
    b'{"time":"2026-11-23T15:02:11Z","level":"error","logger":"pay","msg":"card declined","password":"x1y2"}\n',
    b'203.0.113.7 - ada [23/Nov/2026:15:02:11 +0000] "GET /orders?token=abc HTTP/1.1" 500 312 "-" "curl/8"\n',
    b"2026-11-23T15:02:11.301Z  WARN 1 --- [nio-1] c.a.Shop : slow\njava.lang.IllegalStateException: no stock\n"
    b"\tat com.acme.Shop.buy(Shop.java:42)\nCaused by: java.io.IOException: gone\n\t... 12 more\n",
    b"Traceback (most recent call last):\n  File \"/srv/app.py\", line 3, in <module>\n    main()\nKeyError: 'id'\n",
    b"panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:8 +0x1d\n",
    b'E1123 15:02:11.301422    2031 server.go:77] connection refused\nlevel=error ts=2026-11-23 msg="x" err="y"\n',
    b"Globex-Orders: Authorization: Bearer abcdefghijklmnop mail=ada@example.com phone=+86 138 0013 8000\r\n",
    "2026年11月23日 15:02:11 错误 数据库连接失败\n".encode(),
    b"\xef\xbb\xbfplain text without any header\n\n\n",
)

_FINGERPRINT = re.compile(r"f\d+:[0-9a-f]{16}")
_redactor = Redactor(b"k" * 32, [LITERAL])


def _records(data: bytes, cuts: list[int]) -> list[Record]:
    assembler = Assembler(max_record_bytes=MAX_RECORD_BYTES)
    records, start = [], 0
    for cut in [*cuts, len(data)]:
        records += assembler.feed(data[start:cut])
        start = cut
    while (last := assembler.flush(partial=True)) is not None:
        records.append(last)
    return records


def assemble(data: bytes) -> str:
    """The same records for every way of cutting; in order, apart from each other, bounded."""
    whole = _records(data, [])
    draw = random.Random(data)
    cuts = sorted(draw.randint(0, len(data)) for _ in range(draw.randint(0, 6)))
    assert _records(data, cuts) == whole, "cut into other records"
    at = 0
    for record in whole:
        assert at <= record.offset < record.end <= len(data), "records overlap or leave the file"
        # A byte that is no UTF-8 becomes three; joined lines count their line ends, blank ones up to their bound.
        assert len(record.text.encode()) <= 3 * MAX_RECORD_BYTES + 200, "a record passes its bound"
        at = record.end
    return f"{min(len(whole), 9)} records"


def resume(data: bytes) -> str:
    """Whoever stops anywhere and resumes at `resume_offset` loses nothing and reads nothing twice."""
    cut = random.Random(data).randint(0, len(data))
    first = Assembler(max_record_bytes=MAX_RECORD_BYTES)
    before = first.feed(data[:cut])
    again = Assembler(offset=first.resume_offset, max_record_bytes=MAX_RECORD_BYTES)
    after = again.feed(data[first.resume_offset :])
    while (last := again.flush(partial=True)) is not None:
        after.append(last)
    whole = _records(data, [])
    offsets = [record.offset for record in before + after]
    assert offsets == [record.offset for record in whole], "lost or read twice after a restart"
    return "at the start" if first.resume_offset == 0 else "in the middle"


def read_header(data: bytes) -> str:
    found = header.read(data.decode("utf-8", "replace"), default_zone=UTC, now_ns=NOW_NS)
    assert len(found.message) <= 4 * len(data) + 100, "the message outgrew its record"
    return f"{found.severity.name.lower()}, {'timed' if found.time_ns is not None else 'untimed'}"


def fingerprint_of(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    found = fingerprint.of(text, component=text[:20])
    assert _FINGERPRINT.fullmatch(found.id), found.id
    assert found == fingerprint.of(text, component=text[:20])
    return "masked" if "<*>" in found.template else "constant"


def redact(data: bytes) -> str:
    """Never fails, and leaves no word of the customer's; a second time may take out more, never bring one back."""
    text = data.decode("utf-8", "replace")
    once = _redactor.redact(text)
    assert LITERAL.lower() not in once.lower(), "a literal got through"
    assert LITERAL.lower() not in _redactor.redact(once).lower(), "a literal came back"
    return "clean" if once == text else "redacted"


def read_event(data: bytes) -> str:
    """The whole road of the agent less the spool."""
    severities = set()
    for record in _records(data, []):
        found = event.read(record, redact=_redactor.redact, default_zone=UTC, now_ns=NOW_NS)
        assert LITERAL.lower() not in f"{found.message}{found.template}{found.component}".lower()
        if found.time_ns is not None:
            event.iso(found.time_ns)
        severities.add(found.severity.name.lower())
    return " ".join(sorted(severities)) or "nothing"


TARGETS = (
    Target("record assembler", SEEDS, assemble),
    Target("resumed reading", SEEDS, resume),
    Target("header parser", SEEDS, read_header),
    Target("fingerprint", SEEDS, fingerprint_of),
    Target("redactor", SEEDS, redact),
    Target("record to event", SEEDS, read_event),
)
