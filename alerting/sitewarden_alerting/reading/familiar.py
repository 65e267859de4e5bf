"""Reads records as `event` does, and what it has read before, faster: the header, the redaction that finds nothing and
the template of a shape are worked out once.

Promises: `look` and `read` give exactly what `header.read` and `event.read` give (a test compares them); memory is
bounded by MAX_BYTES. What a remembered shape cannot prove is worked out anew: the instant of a stamp always, redaction
wherever digits alone could make a finding. Not here: which texts have one shape (`shapes`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Generic, TypeVar

from sitewarden_alerting import fingerprint
from sitewarden_alerting.fingerprint import Fingerprint
from sitewarden_alerting.reading import header, shapes, times
from sitewarden_alerting.reading.event import Event
from sitewarden_alerting.reading.forms import AUTO, Form
from sitewarden_alerting.reading.header import Header
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.redact import Hinges, Redactor
from sitewarden_alerting.reading.redact_values import PSEUDONYM
from sitewarden_alerting.reading.severity import Severity

MAX_BYTES = 1024 * 1024
"""Of texts whose shape is remembered, in each of the three memories."""
_ENTRY_BYTES = 400
_LONG = re.compile(r"\S{200}|[^\n]{400}")
"""What the fingerprint cuts somewhere: a cut within a pseudonym could leave a part of it."""

_T = TypeVar("_T")
_Stamps = tuple[tuple[int, int, str], ...]


@dataclass(slots=True)
class Seen:
    """What is known of records of one shape. `fingerprint` is that of the last one read whole, None before."""

    severity: Severity
    fingerprint: str | None = None
    template: str = ""
    component: str = ""
    shown_component: str = ""
    """Redacted, of the last one read whole."""
    message_chars: int = 0
    """The message is so many characters at the end of the text; 0 where it is not."""
    stamps: _Stamps = ()
    hinges: Hinges | None = None
    """What redaction may find in a text of this shape; None before one was read whole."""


class Familiar:
    """Reads the records of one log. `redact` is a Redactor, or any function, of which nothing is then remembered."""

    def __init__(
        self,
        redact: Callable[[str], str],
        *,
        default_zone: tzinfo,
        memories: Memories | None = None,
        form: Form = AUTO,
    ) -> None:
        self._redact = redact
        self._redactor = redact if isinstance(redact, Redactor) else None
        self._zone = default_zone
        self._form = form
        memories = memories or Memories()
        self._lines, self._identities, self._texts = memories.lines, memories.identities, memories.texts
        self._fresh: tuple[str, Header] | None = None
        self.missed = 0
        """How many records had a shape that was not known."""

    def look(self, text: str, *, now_ns: int) -> Seen:
        """What is known of the record: its severity always; the fingerprint when its shape was read whole before."""
        seen, key = self._lines.of(text)
        if seen is not None:
            return seen
        self.missed += 1
        stamps: list[tuple[int, int, str]] = []
        found = header.read(text, default_zone=self._zone, now_ns=now_ns, stamps=stamps, form=self._form)
        self._fresh = (text, found)
        seen = Seen(found.severity)
        if (
            found.message
            and not found.details
            and not text.startswith("{")
            and text.endswith(found.message)
            and shapes.telling_digits_only(found.component)
            and self._time(text, tuple(stamps), now_ns) == (True, found.time_ns)
        ):
            seen.message_chars, seen.component, seen.stamps = len(found.message), found.component, tuple(stamps)
        self._lines.put(key, seen)
        return seen

    def read(self, record: Record, seen: Seen, *, now_ns: int) -> Event:
        """The event of the record that was just looked at. What redaction raises is the caller's to handle."""
        text = record.text
        message = text[-seen.message_chars :] if seen.message_chars else ""
        if self._fresh is not None and self._fresh[0] is text:
            found = self._fresh[1]
            self._fresh = None
        else:
            sure, time_ns = self._time(text, seen.stamps, now_ns) if message else (False, None)
            if sure and seen.hinges == "nothing" and seen.fingerprint is not None:
                return Event(
                    record.offset, time_ns, seen.severity, seen.component, message, seen.template, seen.fingerprint
                )
            if sure and seen.hinges == "addresses" and self._redactor is not None:
                message = self._redactor.addresses(message)
                known = self._identity(message, seen.component)
                return Event(record.offset, time_ns, seen.severity, seen.component, message, known.template, known.id)
            if sure:
                found = Header(time_ns, seen.severity, True, seen.component, message)
            else:
                found = header.read(text, default_zone=self._zone, now_ns=now_ns, form=self._form)
        return self._whole(record, found, seen)

    def _whole(self, record: Record, found: Header, seen: Seen) -> Event:
        message, hinges = self._redacted(found.message)
        component = self._redacted(found.component)[0] if found.component else ""
        identity = self._identity(message, component)
        seen.fingerprint, seen.template, seen.shown_component = identity.id, identity.template, component
        if seen.hinges is None:
            seen.hinges = hinges if seen.message_chars and component == found.component else "all"
        if found.details:
            message = f"{message}\n{self._redacted(found.details)[0]}"
        return Event(record.offset, found.time_ns, found.severity, component, message, identity.template, identity.id)

    def _redacted(self, text: str) -> tuple[str, Hinges]:
        """`text` redacted, and what redaction may find in any text of its shape."""
        if self._redactor is None:
            return self._redact(text), "all"
        hinges, key = self._texts.of(text)
        if hinges == "nothing":
            return text, hinges
        if hinges == "addresses":
            return self._redactor.addresses(text), hinges
        done = self._redact(text)
        if hinges is None:
            hinges = self._redactor.hinges(text)
            if hinges != "all" and done != (self._redactor.addresses(text) if hinges == "addresses" else text):
                hinges = "all"
            self._texts.put(key, hinges)
        return done, hinges

    def _identity(self, message: str, component: str) -> Fingerprint:
        """The fingerprint of a redacted message; of pseudonyms it matters only that they are some."""
        plain = _same_pseudonyms(message) if "<" in message else message
        if plain is not message and _LONG.search(message) is not None:
            return fingerprint.of(message, component=component)
        known, key = self._identities.of(f"{component}\0{plain}")
        if known is None:
            known = fingerprint.of(message, component=component)
            self._identities.put(key, known)
        return known

    def _time(self, text: str, stamps: _Stamps, now_ns: int) -> tuple[bool, int | None]:
        """Whether the stamps stand where they stood, and what they mean together (as `Cursor.stamp` takes them)."""
        time_ns: int | None = None
        head = text.partition("\n")[0][: header.MAX_HEADER_CHARS] if stamps else ""
        for start, end, form in stamps:
            found = times.STAMP.match(head, start)
            if found is None or found.lastgroup != form or found.end() != end:
                return False, None
            if time_ns is None or form not in ("epoch", "clock"):
                at = times.resolve(form, found[0], default_zone=self._zone, now_ns=now_ns)
                time_ns = at if at is not None else time_ns
        return True, time_ns


class Memories:
    """What is remembered of shapes. All logs of a process may share one, if they share the redactor and the form."""

    def __init__(self) -> None:
        self.lines: _Memory[Seen] = _Memory()
        self.identities: _Memory[Fingerprint] = _Memory()
        self.texts: _Memory[Hinges] = _Memory()

    def forget(self) -> None:
        """Memory is short: what was remembered is found again with the next of its shape."""
        for memory in (self.lines, self.identities, self.texts):
            memory.forget()


class _Memory(Generic[_T]):
    """The least recently used go when the keys of all take more than MAX_BYTES. Threads may share one: each step on
    the dictionary is one step for them too, and what another took away meanwhile is no error."""

    def __init__(self) -> None:
        self._kept: OrderedDict[shapes.Key, _T] = OrderedDict()
        self.bytes = 0

    def of(self, text: str) -> tuple[_T | None, shapes.Key | None]:
        """What is remembered of the shape of `text`, and its key."""
        key = shapes.without_telling(text)
        found = None if key is None else self._kept.get(key)
        if found is None:
            key = shapes.of(text)
            found = None if key is None else self._kept.get(key)
        if found is not None and key is not None:
            try:
                self._kept.move_to_end(key)
            except KeyError:
                return found, key  # gone meanwhile
        return found, key

    def forget(self) -> None:
        self._kept.clear()
        self.bytes = 0

    def put(self, key: shapes.Key | None, value: _T) -> None:
        if key is None or key in self._kept:
            return
        self._kept[key] = value
        self.bytes += _bytes(key)
        while self._kept and (self.bytes > MAX_BYTES or len(self._kept) > MAX_BYTES // _ENTRY_BYTES):
            self.bytes -= _bytes(self._kept.popitem(last=False)[0])


def _bytes(key: shapes.Key) -> int:
    return len(key[0]) + len(key[1]) + _ENTRY_BYTES


def _same_pseudonyms(message: str) -> str:
    return PSEUDONYM.sub(lambda found: f"{found[0].partition(':')[0]}:aaaaaaaaaaaaaaaa>", message)
