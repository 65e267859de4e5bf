"""What probes read of others: a product's metrics, a check's output, the beginning of a program."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from sitewarden_agent import programs
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import PrometheusProbe, UnitProbe
from sitewarden_agent.observe import perfdata
from sitewarden_agent.observe.probe_prometheus import Scrape
from sitewarden_agent.observe.probe_unit import Unit
from tests.fuzz.run import Target, must

MOST = 5
_PROBE = PrometheusProbe(name="p", url="http://127.0.0.1:1/", series=("up*", "*_total"), series_max=MOST)
_UNIT = UnitProbe(name="u", unit="product.service")
_FILE = Path(tempfile.mkdtemp(prefix="sitewarden-fuzz-")) / "program"


def metrics(data: bytes) -> str:
    """Never more series than allowed, each with finite values and the probe's name."""
    values, refused = Scrape(_PROBE, SystemClock()).take(data, 0)
    must(len(values) <= MOST, "more series than allowed")
    for series, value in values.items():
        must(math.isfinite(value), "a value that is no number")
        must(("probe", "p") in series.labels, "a series of nobody")
    return f"{len(values)} {bool(refused)}"


def output(data: bytes) -> str:
    text, found = perfdata.parse(data.decode("utf-8", "replace"))
    must("\n" not in text, "more than a line")
    must(len(found) <= perfdata.DATA_MAX, "more data than allowed")
    must(all(math.isfinite(datum.value) for datum in found), "a value that is no number")
    return str(min(len(found), 3))


def unit(data: bytes) -> str:
    return str(Unit(_UNIT, SystemClock()).judge(data.decode("utf-8", "replace"), 0).ok)


def program(data: bytes) -> str:
    _FILE.write_bytes(data)
    return str(len(programs.needed([str(_FILE)])))


TARGETS = (
    Target(
        "metrics of a product",
        (
            b'# TYPE up gauge\nup{job="a",x="\\"}\\n"} 1 1764000000000\nup 2\nhits_total{path="/"} 3 # {id="a"} 1\n',
            b"up NaN\nup2 +Inf\nupper_total 1e400\nup{} 0x10\n",
        ),
        metrics,
    ),
    Target(
        "output of a check",
        (b"DISK OK | '/ a''b'=1MB;2;@3:4;0;5 b=7%;~:1 c=U\nmore | d=1,5ms\n", b"OK|=1 a=;; |b=1\n"),
        output,
    ),
    Target("state of a unit", (b"ActiveState=active\nNRestarts=3\nLoadState=loaded\n", b"NRestarts=-1\n=\n"), unit),
    Target(
        "beginning of a program",
        (b"#!/usr/bin/env -S sh -e\n", b"\x7fELF\x02\x01" + bytes(58), Path("/bin/true").read_bytes()[:1_000]),
        program,
    ),
)
