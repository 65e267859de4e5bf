"""Numbers that the product tells of itself, in the format of Prometheus: the series that the local file names.

Promises: an answer longer than allowed is not looked at; at most `series_max` series are taken, and one that was taken
keeps its place for an hour, so that labels that are always new cannot make ever new series; label values are redacted.
Series of an answer that failed are left out, never repeated. Not here: the format (`exposition`).
"""

from __future__ import annotations

from collections.abc import Callable

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import PrometheusProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe import exposition
from sitewarden_agent.observe.looks import Bad, Look
from sitewarden_agent.observe.probe_http import Asking, get

KEEPS_PLACE_NS = 3_600 * 1_000_000_000
JUDGED_MAX = 4
"""New series of one answer that are looked at closely, for each that may be taken."""
_ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"
_UNITS = ("seconds", "bytes", "ratio", "celsius", "volts", "amperes", "joules", "grams", "meters")


class Scrape:
    """Takes the series of one probe."""

    def __init__(self, probe: PrometheusProbe, clock: Clock, redact: Callable[[str], str] = str) -> None:
        self._probe = probe
        self._clock = clock
        self._redact = redact
        self._wanted = exposition.wanted(probe.series)
        self._known: dict[bytes, Series] = {}
        self._seen_ns: dict[Series, int] = {}
        self._let_go_ns = -1

    async def __call__(self) -> Look:
        probe = self._probe
        how = Asking(verify=probe.verify, ca_file=probe.ca_file, body_max_bytes=probe.max_bytes, accept=_ACCEPT)
        page = await get(probe.url, how)
        if page.status != 200:
            raise Bad(f"status {page.status} instead of 200")
        if not page.whole:
            raise Bad(f"the answer is longer than {probe.max_bytes} bytes; raise max_bytes, or have it say less")
        values, refused = self.take(page.body, self._clock.monotonic_ns())
        if not values:
            return Look(
                False, "none of the series is in the answer; correct their names", 0, page.certificate_expires_ns
            )
        said = f"{len(values)} series" + (
            f", {refused} more left out: series_max is {probe.series_max}" if refused else ""
        )
        return Look(True, said, 0, page.certificate_expires_ns, values=values)

    def take(self, text: bytes, now_ns: int) -> tuple[dict[Series, float], int]:
        """The values that are taken of an answer, and how many samples were left out. `now_ns` is monotonic."""
        values: dict[Series, float] = {}
        refused, judged = 0, 0
        for written, value in exposition.samples(text, self._wanted):
            one = self._known.get(written)
            if one is None and judged < JUDGED_MAX * self._probe.series_max:
                judged += 1
                one = self._admitted(written, now_ns)
            if one is None:
                refused += 1
                continue
            self._seen_ns[one] = now_ns
            values[one] = values.get(one, 0.0) + value
        return values, refused

    def _admitted(self, written: bytes, now_ns: int) -> Series | None:
        one = self._series(written)
        if one not in self._seen_ns and len(self._seen_ns) >= self._probe.series_max:
            if now_ns != self._let_go_ns:
                self._let_go(now_ns)
            if len(self._seen_ns) >= self._probe.series_max:
                return None
        if len(self._known) >= 4 * self._probe.series_max:  # several that differ in dropped labels are one
            self._known.clear()
        self._known[written] = one
        return one

    def _let_go(self, now_ns: int) -> None:
        """Forget what was not seen for long."""
        self._let_go_ns = now_ns
        self._seen_ns = {one: seen_ns for one, seen_ns in self._seen_ns.items() if now_ns - seen_ns < KEEPS_PLACE_NS}
        self._known = {written: one for written, one in self._known.items() if one in self._seen_ns}

    def _series(self, written: bytes) -> Series:
        name, pairs = exposition.series(written)
        labels = [
            ("exported_probe" if key == "probe" else key, self._redact(value))
            for key, value in pairs
            if key not in self._probe.drop_labels
        ]
        base = name.removesuffix("_total").removesuffix("_sum")
        unit = next((unit for unit in _UNITS if base.endswith(f"_{unit}")), "")
        return Series(name, tuple(sorted([*labels, ("probe", self._probe.name)])), unit)
