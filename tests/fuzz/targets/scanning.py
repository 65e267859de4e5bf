"""Blocks of a log that are searched first and read where something was found: the same records as reading all of it."""

from __future__ import annotations

import random
from datetime import UTC

from sitewarden_agent.observe.decoding import either
from sitewarden_agent.observe.scanning.scanner import Scanner
from sitewarden_agent.observe.scanning.skim import skim
from sitewarden_alerting.reading import forms, header
from sitewarden_alerting.reading.forms import AUTO, Form
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.severity import Severity
from tests.fuzz.run import Target
from tests.fuzz.targets import reading

NOW_NS = reading.NOW_NS
LEVELS = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)

SEEDS = (
    b"\x1b[36m2026-11-23 15:02:11\x1b[0m \x1b[1;31mERROR\x1b[0m gone\n\x1b[32mINFO\x1b[0m fine\nfoo exit signal 9\n"
    b"2026-11-23 15:02:11 LOG: server process was terminated by signal 9\nx: Address already in use\n",
    *reading.SEEDS,
    b'<11>Nov 23 15:02:11 web1 app: gone\n<14>Nov 23 15:02:11 web1 app: fine\n{"l":50,"time":1764000000000,"m":"x"}\n',
    b"11-23 15:02:11.301  1234  1250 E ActivityManager: gone\nI/Tag( 12): fine\nW/Tag( 12): hm\n"
    b"2026-11-23 15:02:11 F | x\n",
    b"12:M 23 Nov 2026 15:02:11.301 # Out of disk\n12:M 23 Nov 2026 15:02:11.301 * fine\n"
    b"npm ERR! code E404\nfail: A.B[1]\n",
    b'level=info status=503 msg="x"\nlevel=40 time=1764000000 msg=x\n'
    b'{"time":"1764000000000","message":"a\\nerror: b"}\n',
    b"/srv/app.js:12\nthrow new Error()\n^\n\nTypeError: x is no function\n"
    b"    at f (/srv/app.js:12:3)\n\nNode.js v20.1.0\n",
    b"thread 'main' panicked at src/main.rs:3:5:\nindex out of bounds\n"
    b"note: run with `RUST_BACKTRACE=1`\nplain\nplain too\n",
    b"Nov 23, 2026 3:02:11 PM com.acme.Shop buy\nSEVERE: no stock\n"
    b"Nov 23, 2026 3:02:12 PM com.acme.Shop buy\nINFO: sold\n",
    b"2026-11-23T15:02:11Z stdout F level: fine\n2026-11-23T15:02:11Z stderr F [ERROR] gone\n"
    b"THING ended\n  Warning: deep\n",
    b'{"time":"2026-11-23T15:02:11Z","msg":"x","exception":"\\"quoted\\" it"}\n{\n  "time": 1,\n'
    b'  "level":\n  50,\n "msg": ""\n}\n',
    b"-----BEGIN CERTIFICATE-----\nMIIB\nError: no\n-----END CERTIFICATE-----\nsome words here\nwarning: x\nok\n",
)


def kept(records: list[Record], least: Severity, form: Form = AUTO) -> list[Record]:
    return [
        record
        for record in records
        if header.read(record.text, default_zone=UTC, now_ns=NOW_NS, form=form).severity >= least
    ]


def read_all(data: bytes, form: Form = AUTO) -> list[Record]:
    assembler = Assembler(decode=either, joins=form.joins)
    return assembler.feed(data) + _rest(assembler)


def skimmed(data: bytes, scanner: Scanner, cuts: list[int], form: Form = AUTO) -> list[Record]:
    """The records of blocks that were searched first."""
    assembler = Assembler(decode=either, joins=form.joins)
    records: list[Record] = []
    at = 0
    for cut in [*cuts, len(data)]:
        block = data[at:cut]
        at = cut
        if block:
            records += skim(assembler, block, len(block), scanner.ends(block))
    return records + _rest(assembler)


def _rest(assembler: Assembler) -> list[Record]:
    records = []
    while (last := assembler.flush(partial=True)) is not None:
        records.append(last)
    return records


_scanners = {least: Scanner(least) for least in LEVELS}


def skim_blocks(data: bytes) -> str:
    """Whatever stands in a log, and wherever its blocks end, what is bad enough is found and whole."""
    draw = random.Random(data)
    cuts = sorted(draw.randint(0, len(data)) for _ in range(draw.randint(0, 6)))
    form = draw.choice((AUTO, AUTO, *(forms.of(name) for name in ("plain", "syslog", "json", "nginx"))))
    everything = read_all(data, form)
    found = ""
    for least in LEVELS:
        expected = kept(everything, least, form)
        got = kept(skimmed(data, _scanners[least], cuts, form), least, form)
        assert got == expected, f"{least.name}: {[each for each in expected if each not in got][:3]} not found"
        found += f"{len(expected)} "
    return found


TARGETS = (Target("skimmed blocks", SEEDS, skim_blocks, sample=100),)
