"""Storms: beyond a rate, records of one fingerprint are counted instead of told one by one.

Promises: the first `per_minute` of a fingerprint in a minute go as they are; of the others one sample in SAMPLE_NS
goes, with the number of all. A record that is only counted costs no redaction. Its count is held with the mark of its
file, so that both go into one transaction: a kill neither loses nor doubles a count. Time is an argument. Not here:
what makes two records the same (`records`), when the counts are saved (`gathered`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

from sitewarden_agent.model import LogEvent

MINUTE_NS = 60_000_000_000
SAMPLE_NS = 10_000_000_000
"""So often the count of a storm goes up, with a sample."""
_FINGERPRINTS_MAX = 4_096
HELD_MAX = 32
"""Storms at once in one file; when there are more, the count that is held longest goes up early."""
_SAMPLE_CHARS = 2_048


class Counted(LogEvent, frozen=True, tag="counted"):
    """A record that is only counted. `sample`: its message is its own; otherwise it is the template."""

    sample: bool = False


class Storms:
    """Which fingerprints of one log are in a storm now."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minutes: OrderedDict[str, tuple[int, int]] = OrderedDict()  # fingerprint -> when it began, how many told
        self._sampled: OrderedDict[tuple[str, str], int] = OrderedDict()

    def holds(self, fingerprint: str, now_ns: int) -> bool:
        """Whether a further record of it is only counted."""
        if not self._per_minute:
            return False
        began_ns, told = self._minutes.get(fingerprint, (now_ns, 0))
        return told >= self._per_minute and 0 <= now_ns - began_ns < MINUTE_NS

    def told(self, fingerprint: str, now_ns: int) -> None:
        """One of them went as it is."""
        if not self._per_minute:
            return
        began_ns, told = self._minutes.get(fingerprint, (now_ns, 0))
        if not 0 <= now_ns - began_ns < MINUTE_NS:
            began_ns, told = now_ns, 0
        self._minutes[fingerprint] = (began_ns, told + 1)
        self._minutes.move_to_end(fingerprint)
        if len(self._minutes) > _FINGERPRINTS_MAX:
            self._minutes.popitem(last=False)

    def wants_sample(self, fingerprint: str, file_id: str, now_ns: int) -> bool:
        """Whether this one should be read whole, to stand for the others. Asked once for each."""
        key = (fingerprint, file_id)
        if 0 <= now_ns - self._sampled.get(key, -SAMPLE_NS) < SAMPLE_NS:
            return False
        self._sampled[key] = now_ns
        self._sampled.move_to_end(key)
        if len(self._sampled) > _FINGERPRINTS_MAX:
            self._sampled.popitem(last=False)
        return True


class Held:
    """The counts that no transaction has told yet, by file and fingerprint."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], dict[str, tuple[int, LogEvent]]] = {}
        self._early: list[LogEvent] = []

    def add(self, one: Counted, now_ns: int) -> None:
        """Count it. What stands for the others is the first sample, or the first of all as long as there is none."""
        held = self._files.setdefault((one.source, one.file_id), {})
        since_ns, before = held.get(one.fingerprint, (now_ns, None))
        if before is None:
            if len(held) >= HELD_MAX:
                self._early.append(held.pop(next(iter(held)))[1])
            held[one.fingerprint] = (since_ns, _plain(one, one.count))
        elif one.sample and before.message == before.template:
            held[one.fingerprint] = (since_ns, _plain(one, before.count + one.count))
        else:
            held[one.fingerprint] = (since_ns, msgspec.structs.replace(before, count=before.count + one.count))

    def due(self, now_ns: int, *, ending: Iterable[tuple[str, str]] = ()) -> list[LogEvent]:
        """Take the counts that are old enough, and all of the files that are `ending`."""
        taken, self._early = self._early, []
        over = set(ending)
        for file in list(self._files):
            held = self._files[file]
            for fingerprint, (since_ns, event) in list(held.items()):
                if file in over or not 0 <= now_ns - since_ns < SAMPLE_NS:
                    taken.append(event)
                    del held[fingerprint]
            if not held:
                del self._files[file]
        return taken

    @property
    def due_ns(self) -> int | None:
        """When the next count is old enough (monotonic), if there is one."""
        since = [since_ns for held in self._files.values() for since_ns, _ in held.values()]
        return min(since) + SAMPLE_NS if since else None

    def of(self, source: str, file_id: str) -> tuple[LogEvent, ...]:
        """What a mark of that file has to keep."""
        return tuple(event for _, event in self._files.get((source, file_id), {}).values())

    def clear(self) -> None:
        self._files.clear()
        self._early.clear()


def sample_of(event: LogEvent) -> Counted:
    """A record that was read whole and is only counted, with the others of its storm."""
    return Counted(**_fields(event), sample=True)


def _plain(one: Counted, count: int) -> LogEvent:
    fields = _fields(one)
    cut = len(one.message) > _SAMPLE_CHARS
    fields.update(count=count, message=one.message[:_SAMPLE_CHARS], truncated=one.truncated or cut)
    return LogEvent(**fields)


def _fields(event: LogEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in LogEvent.__struct_fields__}
