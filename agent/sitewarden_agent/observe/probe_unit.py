"""A unit of systemd: whether it is in a good state, and how often systemd had to restart it.

Asks `systemctl show`, which prints `KEY=value` lines and only reads. Not here: running it (`commands`).
"""

from __future__ import annotations

from collections import deque

from sitewarden_agent import programs
from sitewarden_agent.clock import Clock
from sitewarden_agent.config import UnitProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe.commands import run_command
from sitewarden_agent.observe.looks import Bad, Look

WINDOW_NS = 3_600 * 1_000_000_000
_ASKED = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStatus")
_COUNTS_MAX = 4_096


class Unit:
    """Looks at one unit; remembers an hour of its restarts."""

    def __init__(self, probe: UnitProbe, clock: Clock) -> None:
        self._probe = probe
        self._clock = clock
        self._counts: deque[tuple[int, int]] = deque(maxlen=_COUNTS_MAX)

    async def __call__(self) -> Look:
        systemctl = programs.find("systemctl")
        if systemctl is None:
            raise Bad("there is no systemctl on this host; take a process probe instead")
        asked = [f"--property={name}" for name in _ASKED]
        argv = [systemctl, "show", "--no-pager", *asked, "--", self._probe.unit]
        ran = await run_command(argv, timeout_s=self._probe.timeout_s)
        if ran.trouble or ran.exit_code != 0:
            said = ran.stderr.decode("utf-8", "replace").strip().split("\n")[0]
            raise Bad(ran.trouble or said or f"systemctl ended with exit code {ran.exit_code}")
        return self.judge(ran.stdout.decode("utf-8", "replace"), self._clock.monotonic_ns())

    def judge(self, shown: str, now_ns: int) -> Look:
        """What the output of `systemctl show` says of it. `now_ns` is monotonic."""
        told = dict(line.partition("=")[::2] for line in shown.splitlines())
        state, sub = told.get("ActiveState", ""), told.get("SubState", "")
        if told.get("LoadState") == "not-found":
            return Look(False, "there is no such unit; correct its name")
        values: dict[Series, float] = {}
        restarts = 0
        if (count := told.get("NRestarts", "")).isdigit():
            values[Series("unit_restarts_total", (("probe", self._probe.name),))] = float(count)
            restarts = self._within_the_hour(int(count), now_ns)
        if state == "failed":
            why = told.get("Result") or "no reason given"
            status = f", exit status {told['ExecMainStatus']}" if told.get("ExecMainStatus", "0") != "0" else ""
            return Look(False, f"failed ({why}{status})", values=values)
        if restarts > self._probe.restarts_max:
            return Look(False, f"{state} ({sub}), but restarted {restarts} times within an hour", values=values)
        return Look(state in self._probe.states, f"{state or 'in no state'} ({sub})", values=values)

    def _within_the_hour(self, count: int, now_ns: int) -> int:
        if self._counts and count < self._counts[-1][1]:
            self._counts.clear()  # the counter began anew
        while self._counts and now_ns - self._counts[0][0] > WINDOW_NS:
            self._counts.popleft()
        self._counts.append((now_ns, count))
        return count - self._counts[0][1]
