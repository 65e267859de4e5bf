"""Log files in every encoding, archives of rotation, and entries of the systemd journal."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import random

import zstandard

from sitewarden_agent.observe.decoding import Assembling, Undecided, assembler_for, recognised
from sitewarden_agent.observe.journal import Joining, entry_of, fields_of
from sitewarden_agent.observe.packed import Packed
from sitewarden_alerting.reading.lines import Record
from tests.fuzz.run import Target

MAX_RECORD_BYTES = 2_000
_TEXT = "2026-11-24 10:00:00 ERROR 订单 7 上传失败: refused\n\tat a.B.c(B.java:7)\nINFO next\n"

LOGS = (
    *(
        (mark + _TEXT).encode(codec)
        for codec in ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
        for mark in ("", "\ufeff")
    ),
    b"\0" * 300 + _TEXT.encode("utf-16-le"),
    _TEXT.replace("\n", "\r").encode(),
    b"a\rb\rc\r" * 200,
)
ARCHIVES = (
    gzip.compress(_TEXT.encode() * 20),
    gzip.compress(b"") + gzip.compress(_TEXT.encode()),
    lzma.compress(_TEXT.encode() * 20),
    zstandard.compress(_TEXT.encode() * 20),
    b"BZh9",
)
ENTRIES = (
    b'{"__CURSOR":"s=0b41;i=1f;b=aa;m=3e8;t=66;x=dd","__REALTIME_TIMESTAMP":"1795551579000000","PRIORITY":"3",'
    b'"MESSAGE":"broken","SYSLOG_IDENTIFIER":"shop","_PID":"7","_TRANSPORT":"stdout","_SYSTEMD_UNIT":"shop.service"}\n'
    b'{"__CURSOR":"s=0b41;i=20","__REALTIME_TIMESTAMP":"1795551579000001","MESSAGE":[9,97,116,32,255],"_PID":["7","8"],'
    b'"_TRANSPORT":"stdout"}\n{"MESSAGE":null}\n',
)


def _fed(assembler: Assembling, data: bytes, cuts: list[int]) -> list[Record]:
    records, start = [], 0
    for cut in [*cuts, len(data)]:
        records += assembler.feed(data[start:cut])
        start = cut
    while (last := assembler.flush(partial=True)) is not None:
        records.append(last)
    return records


def decode(data: bytes) -> str:
    """Records of the encoding that is recognised lie in the file, apart, and are the same for every way of cutting."""
    encoding = recognised(data)
    named = "either" if encoding == "auto" else encoding
    draw = random.Random(data)
    cuts = sorted(draw.randint(0, len(data)) for _ in range(draw.randint(0, 6)))
    whole = _fed(assembler_for(named, 0, max_record_bytes=MAX_RECORD_BYTES), data, [])
    assert _fed(assembler_for(named, 0, max_record_bytes=MAX_RECORD_BYTES), data, cuts) == whole, "cut into others"
    at = 0
    for record in whole:
        assert at <= record.offset < record.end <= len(data), "records overlap or leave the file"
        at = record.end
    undecided = Undecided(0, MAX_RECORD_BYTES)
    for record in _fed(undecided, data, cuts):
        assert 0 <= record.offset < record.end <= len(data), "a record leaves the file"
    assert undecided.resume_offset <= len(data)
    return encoding


def unpack(data: bytes) -> str:
    """Whatever an archive holds: text within the bound that was asked for, or an OSError."""
    descriptor = os.memfd_create("archive")
    try:
        os.write(descriptor, data)
        with contextlib.closing(Packed(descriptor)) as packed:
            read = 0
            while part := packed.read(1_000):
                assert len(part) <= 1_000
                read += len(part)
                if read > 1_000_000:
                    return "long"
        return "whole" if read else "empty"
    except OSError as error:
        return type(error).__name__
    finally:
        os.close(descriptor)


def join(data: bytes) -> str:
    """Entries of any shape become records in the order of their names, or nothing."""
    joining, entries = Joining(), 0
    for line in data.split(b"\n"):
        raw = fields_of(line)
        if raw is not None and (entry := entry_of(raw)) is not None:
            joining.add(entry)
            entries += 1
    records = [record for _, record in joining.close()]
    assert len(records) <= entries
    assert [record.offset for record in records] == sorted(record.offset for record in records)
    assert all(0 <= record.offset < 2**63 for record in records)
    return f"{min(len(records), 5)} records"


TARGETS = (
    Target("log in any encoding", LOGS, decode, sample=400),
    Target("archive of a rotation", ARCHIVES, unpack, sample=300),
    Target("entry of the journal", ENTRIES, join, sample=300),
)
