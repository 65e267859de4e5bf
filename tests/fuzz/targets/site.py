"""What the agent reads of its host: the kernel's tables, lists of packages, versions, configuration files."""

from __future__ import annotations

import base64
import struct
import zlib

from sitewarden_agent.observe import procfs, versions
from sitewarden_agent.observe.changes import DIFF_MAX_CHARS, difference
from tests.fuzz.run import Target, must
from tests.unit.agent.test_inventory import RPM

STAT = b"7 (a) b (c) S 1 7 7 0 -1 4194304 5 0 0 0 11 31 0 0 20 0 4 0 900 1000 25 184467"
SNMP = b"Tcp: RtoAlgorithm CurrEstab RetransSegs\nTcp: 1 12 34\nUdp: InDatagrams\nUdp: 5\n"
MOUNTS = b"/dev/sdb1 /srv/my\\040data xfs rw 0 0\n"
HEADER = zlib.decompress(base64.b85decode(RPM))
BETWEEN = b"\n--\n"
FILES = (b"a = 1\nb = 2\nc = 3\n" + BETWEEN + b"a = 1\nb = 3\nc = 3\n", b"" + BETWEEN + b"x\n")


def read_tables(data: bytes) -> str:
    process = procfs.process_line(data)
    procfs.processor_ticks(b"cpu  1 2 3\n")
    numbers = procfs.named(data, b"Tcp:", b"CurrEstab", b"RetransSegs")
    must(len(numbers) == 2, "a name without its answer")
    procfs.after(data, b"total=")
    for row in procfs.rows(data):
        procfs.unescaped(row[0])
    return "process" if process is not None else "numbers" if numbers[0] is not None else "nothing"


def read_rpm(data: bytes) -> str:
    try:
        words = versions.rpm_header(data)
    except (ValueError, struct.error):
        return "refused"
    return "named" if words.get(1000) else "nameless"


def read_difference(data: bytes) -> str:
    before, _, after = data.decode("utf-8", "replace").partition(BETWEEN.decode())
    told = difference(before, after)
    must(len(told) <= DIFF_MAX_CHARS + 100, "a difference without bounds")
    must(bool(told) == (before.splitlines() != after.splitlines()), "a difference where there is none, or none told")
    return "different" if told else "same"


TARGETS = (
    Target("tables of the kernel", (STAT, SNMP, MOUNTS, b"some avg10=0.00 total=123\n"), read_tables),
    Target("header of a package", (HEADER,), read_rpm),
    Target("difference of files", FILES, read_difference),
)
