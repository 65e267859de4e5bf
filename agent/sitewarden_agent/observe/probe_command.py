"""One run of a check after the convention of the monitoring plugins: its exit code, first line and performance data.

Each datum becomes a series by its unit, such as `plugin_seconds`, with the probe's name and the datum's as labels, and
its thresholds series beside it. Not here: running it (`commands`), reading its output (`perfdata`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sitewarden_agent.config import CommandProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe import perfdata
from sitewarden_agent.observe.commands import run_command
from sitewarden_agent.observe.looks import Level, Look

OUTPUT_MAX_BYTES = 16 * 1024
_LEVELS: dict[int, Level] = {0: "", 1: "warning", 2: "critical"}
_WORDS = {"": "good", "warning": "warning", "critical": "critical", "unknown": "unknown"}


async def check(probe: CommandProbe, redact: Callable[[str], str] = str) -> Look:
    """Never raises but for cancellation."""
    ran = await run_command(probe.command, timeout_s=probe.timeout_s, output_max_bytes=OUTPUT_MAX_BYTES)
    if ran.trouble:
        return Look(False, ran.trouble, ran.duration_ns, level="unknown")
    code = -1 if ran.exit_code is None else ran.exit_code
    level = _LEVELS.get(code, "unknown")
    text, data = perfdata.parse(ran.stdout.decode("utf-8", "replace"))
    if not text:
        complaints = ran.stderr.decode("utf-8", "replace").strip().split("\n")
        complained = complaints[-1 if complaints[0].startswith("Traceback") else 0]
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = complained or f"no output, {ended}"
    if not text.upper().startswith(_WORDS[level].upper()) and level and level.upper() not in text.upper():
        text = f"{_WORDS[level]}: {text}"
    ok = not level or (level == "warning" and not probe.warning_is_bad)
    values = {series: value for datum in data for series, value in _series(probe.name, datum, redact)}
    return Look(ok, text, ran.duration_ns, level="" if ok else level, values=values)


def _series(name: str, datum: perfdata.Datum, redact: Callable[[str], str]) -> Iterator[tuple[Series, float]]:
    labels = (("label", redact(datum.label)), ("probe", name))
    suffix = datum.unit or "value"
    unit = datum.unit if datum.unit in ("seconds", "bytes", "ratio") else ""
    yield Series(f"plugin_{suffix}", labels, unit), datum.value
    for kind, threshold in (("warning", datum.warning), ("critical", datum.critical)):
        if threshold is not None:
            yield Series(f"plugin_{kind}_{suffix}", labels, unit), threshold
