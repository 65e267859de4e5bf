"""Merges a configuration from headquarters into the local one, within what the local file allows, or refuses it whole.

Promises, whatever the document holds: the result reads no file, connects to nothing, starts nothing and sends no record
that the local file and its `[remote_config] allow` do not grant together; redaction never becomes weaker; nothing of it
is taken when a single key is refused, and every refusal says why. The document has the shape of the local file. Logs
and probes are those of the same name; what it does not mention stays as it is. Only what is written out in this module
can change: a new setting stays local until somebody adds it here. Pure.
"""

from __future__ import annotations

import math
import sys
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from sitewarden_agent.config.allowed import SEVERITIES, Allowed, inside
from sitewarden_agent.config.probes import Probe
from sitewarden_agent.config.settings import Config, Health, Log, Redact

DOCUMENT_MAX_BYTES = 64 * 1024
SLOWEST_S = 3_600.0
"""No look and no sample becomes rarer than this."""
NEW_LOGS_MAX, PATHS_MAX, WORDS_MAX, WORD_MAX = 32, 64, 1_000, 200
FAILURES_MAX = 100
REFUSALS_MAX = 50
_WHY_MAX = 300

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Refusal:
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}" if self.key else self.why


class _No(ValueError):
    """Why a value is refused."""


def read(text: str) -> dict[str, Any] | tuple[Refusal, ...]:
    """The document in `text`, which is TOML."""
    try:
        if len(text.encode()) > DOCUMENT_MAX_BYTES:
            return (Refusal("", f"more than {DOCUMENT_MAX_BYTES} bytes; shorten it"),)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of what is no UTF-8
        return (Refusal("", f"this is not valid TOML: {error}"[:_WHY_MAX]),)


def merge(local: Config, document: Mapping[str, Any]) -> Config | tuple[Refusal, ...]:
    """What runs with this document, or why it does not."""
    merging = _Merging(local)
    merging.take(document)
    if merging.refused:
        return tuple(merging.refused[:REFUSALS_MAX])
    return merging.config


class _Merging:
    def __init__(self, local: Config) -> None:
        self.local = self.config = local
        self.refused: list[Refusal] = []
        self._allowed = Allowed(local.remote_config.allow)

    def take(self, document: Mapping[str, Any]) -> None:
        for name, value in document.items():
            match name:
                case "health":
                    self._section(name, value, self._health)
                case "redact":
                    self._section(name, value, self._redact)
                case "logs" | "probes":
                    self._named(name, value)
                case _:
                    self._refuse(name, "headquarters may not set this; it is set in the local file alone")

    # Sections.

    def _health(self, health: Mapping[str, Any]) -> None:
        for name, value in health.items():
            if name != "interval_s":
                self._refuse(f"health.{name}", "headquarters may not set this; only health.interval_s")
                continue
            found = self._interval("health", value, self.local.health.interval_s, where="health")
            self.config = replace(self.config, health=_with(self.config.health, name, found))

    def _redact(self, redact: Mapping[str, Any]) -> None:
        for name, value in redact.items():
            if name not in ("literals", "extra_keys", "pseudonyms"):
                self._refuse(f"redact.{name}", "headquarters may not set this; only literals, extra_keys, pseudonyms")
                continue
            more = self._value(f"redact.{name}", f"redact.{name}", _words, value, Redact, name)
            if more is not None:
                mine = getattr(self.local.redact, name)
                joined = (*mine, *(word for word in dict.fromkeys(more) if word not in mine))
                self.config = replace(self.config, redact=replace(self.config.redact, **{name: joined}))

    def _named(self, section: str, entries: Any) -> None:
        """[[logs]] or [[probes]]: each changes the local one of its name."""
        if not isinstance(entries, list):
            self._refuse(section, f"must be a list of tables, [[{section}]]")
            return
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            where = f"{section}[{index}]"
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                self._refuse(where, "must be a table with a name")
            elif name in seen:
                self._refuse(f"{where}.name", f"{name!r} stands here twice; give each its own section")
            else:
                try:
                    (self._log if section == "logs" else self._probe)(where, name, entry)
                except ValueError as error:  # what each key may be, but not together
                    self._refuse(where, str(error))
            seen.add(str(name))

    def _probe(self, where: str, name: str, entry: Mapping[str, Any]) -> None:
        probe = next((each for each in self.local.probes if each.name == name), None)
        if probe is None:
            known = ", ".join(repr(each.name) for each in self.local.probes) or "none"
            self._refuse(f"{where}.name", f"there is no probe {name!r} here, and none can be added; known: {known}")
            return
        keep = True
        for key, value in entry.items():
            match key:
                case "name":
                    continue
                case "off":
                    keep = not self._off(where, "probes.off", value)
                case "interval_s":
                    probe = _with(probe, key, self._interval("probes", value, probe.interval_s, where=where))
                case "timeout_s":
                    shorter = self._value(f"{where}.{key}", "probes.timeout", _shorter, value, probe)
                    probe = _with(probe, key, shorter)
                case "failures_needed":
                    number = self._value(f"{where}.{key}", "probes.failures_needed", _whole, value, 1, FAILURES_MAX)
                    probe = _with(probe, key, number)
                case _:
                    self._refuse(f"{where}.{key}", "headquarters may not set this of a probe")
        rest = tuple(probe if each.name == name else each for each in self.config.probes)
        self.config = replace(self.config, probes=rest if keep else tuple(each for each in rest if each.name != name))

    def _log(self, where: str, name: str, entry: Mapping[str, Any]) -> None:
        mine = next((each for each in self.local.logs if each.name == name), None)
        log = self._new_log(where, entry) if mine is None else mine
        if log is None:
            return
        widened, keep = mine is None, True
        for key, value in entry.items():
            at = f"{where}.{key}"
            match key:
                case "name":
                    continue
                case "off":
                    keep = not self._off(where, "logs.off", value)
                case "paths":
                    paths = self._value(at, "logs.paths", self._paths, value, mine)
                    log = _with(log, key, paths)
                    widened = widened or mine is None or not all(inside(path, mine.paths) for path in paths or ())
                case "exclude":
                    log = _with(log, key, self._value(at, "logs.exclude", _added, value, log, key))
                case "min_severity":
                    continue  # below, when it is known what is read
                case "keep":
                    log = _with(log, key, self._value(at, "logs.keep", _added, value, log, key))
                case "storm_per_minute":
                    most = self._allowed.most("logs.storm", log.storm_per_minute)
                    log = _with(log, key, self._value(at, "logs.storm", _calm, value, most))
                case _:
                    self._refuse(at, "headquarters may not set this of a log")
        log = self._severity(where, log, entry, widened=widened)
        if widened:
            log = self._narrowed(where, log)
        others = tuple(each for each in self.config.logs if each.name != name)
        if not keep:
            self.config = replace(self.config, logs=others)
        elif mine is None:
            self.config = replace(self.config, logs=(*others, log))
        else:
            self.config = replace(
                self.config, logs=tuple(log if each.name == name else each for each in self.config.logs)
            )

    def _new_log(self, where: str, entry: Mapping[str, Any]) -> Log | None:
        """A log of its own within `logs.paths:PATTERN`."""
        if not self._allowed.paths():
            known = ", ".join(repr(each.name) for each in self.local.logs) or "none"
            why = f"there is no log {entry['name']!r} here (known: {known}), and none may be added: "
            self._refuse(f"{where}.name", f"{why}the local file has no `logs.paths:PATTERN` in allow")
            return None
        if len(self.config.logs) >= len(self.local.logs) + NEW_LOGS_MAX:
            self._refuse(where, f"more than {NEW_LOGS_MAX} new logs")
            return None
        if "paths" not in entry:
            self._refuse(f"{where}.paths", "a log that is not in the local file needs paths")
            return None
        plain: dict[str, Any] = {"name": entry["name"], "paths": ("/",), "min_severity": self._floor()}
        return self._value(f"{where}.name", "logs.paths", _made, plain)

    def _narrowed(self, where: str, log: Log) -> Log:
        """A log that reads what its local section does not name keeps to what all local logs keep to together."""
        if log.keep and "logs.keep" not in self._allowed:
            self._refuse(f"{where}.paths", "this log has `keep`, so further paths need 'logs.keep' in allow as well")
        everywhere = (pattern for each in self.local.logs for pattern in each.exclude)
        log = replace(log, exclude=tuple(dict.fromkeys((*log.exclude, *everywhere))))
        calmest = min((each.storm_per_minute or sys.maxsize for each in self.local.logs), default=log.storm_per_minute)
        most = self._allowed.most("logs.storm", 0 if calmest == sys.maxsize else calmest)
        return log if _is_calm(log.storm_per_minute, most) else replace(log, storm_per_minute=most)

    def _floor(self) -> str:
        """What a log sends at least in severity where it reads what its local section does not name: as little as the
        local log that sends least, for that may be the one whose files these are."""
        strictest = max((log.min_severity for log in self.local.logs), key=SEVERITIES.index, default="warning")
        return self._allowed.lowest("logs.min_severity", strictest)

    def _severity(self, where: str, log: Log, entry: Mapping[str, Any], *, widened: bool) -> Log:
        lowest = self._floor() if widened else self._allowed.lowest("logs.min_severity", log.min_severity)
        at = f"{where}.min_severity"
        if "min_severity" not in entry:
            if SEVERITIES.index(log.min_severity) < SEVERITIES.index(lowest):
                self._refuse(at, f"with further paths this must be set, to {lowest} or higher")
            return log

        asked = "logs.paths" if widened and "logs.min_severity" not in self._allowed else "logs.min_severity"
        return _with(log, "min_severity", self._value(at, asked, _severity, entry["min_severity"], lowest))

    def _paths(self, value: Any, mine: Log | None) -> tuple[str, ...]:
        limits = (*(() if mine is None else mine.paths), *self._allowed.paths())
        paths = _words(value, Log, "paths", PATHS_MAX)
        if not paths:
            raise _No("paths must name something; to read nothing of this log, say off = true")
        if mine is not None and mine.journal:
            raise _No("this log is of the journal, not of files")
        for path in paths:
            if not inside(path, limits):
                within = ", ".join(limits)
                raise _No(f"{path!r} does not lie within what the local file allows ({within})")
        return paths

    # Values.

    def _interval(self, section: str, value: Any, mine_s: float, *, where: str) -> float | None:
        key = f"{section}.interval"
        return self._value(f"{where}.interval_s", key, _seconds, value, self._allowed.fastest_s(key, mine_s), mine_s)

    def _off(self, where: str, key: str, value: Any) -> bool:
        return bool(self._value(f"{where}.off", key, _flag, value))

    def _value(self, where: str, key: str, read_value: Callable[..., T], *given: Any) -> T | None:
        """The value, if the local file allows that this key is set and the value is good; else a refusal, and None."""
        if key not in self._allowed:
            self._refuse(where, f"the local file does not allow {key!r}; its administrator can add it to allow")
            return None
        try:
            return read_value(*given)
        except (ValueError, OverflowError) as error:  # msgspec's complaints, and our own, are ValueErrors
            self._refuse(where, str(error))
            return None

    def _refuse(self, key: str, why: str) -> None:
        self.refused.append(Refusal(key[:_WHY_MAX], why[:_WHY_MAX]))

    def _section(self, name: str, value: Any, take: Callable[[Mapping[str, Any]], None]) -> None:
        if isinstance(value, dict):
            take(value)
        else:
            self._refuse(name, f"must be a table, [{name}]")


def _with(section: S, key: str, value: Any) -> S:
    return section if value is None else replace(section, **{key: value})


def _as(value: Any, kind: type, field: str) -> Any:
    """The value as that field of a section takes it."""
    return msgspec.convert(value, _hints(kind)[field], strict=True)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _words(value: Any, kind: type, field: str, most: int = WORDS_MAX) -> tuple[str, ...]:
    words: tuple[str, ...] = _as(value, kind, field)
    if len(words) > most or any(len(word) > WORD_MAX for word in words):
        raise _No(f"at most {most} entries of at most {WORD_MAX} characters")
    return words


def _added(value: Any, log: Log, field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*getattr(log, field), *_words(value, Log, field, PATHS_MAX))))


def _made(plain: dict[str, Any]) -> Log:
    return msgspec.convert(plain, Log, strict=True)


def _severity(value: Any, lowest: str) -> str:
    found: str = _as(value, Log, "min_severity")
    if SEVERITIES.index(found) < SEVERITIES.index(lowest):
        raise _No(f"the lowest that the local file allows here is {lowest}")
    return found


def _seconds(value: Any, fastest_s: float, mine_s: float) -> float:
    found, slowest_s = float(_as(value, Health, "interval_s")), max(SLOWEST_S, mine_s)
    if not (math.isfinite(found) and fastest_s <= found <= slowest_s):
        raise _No(f"the local file allows from {fastest_s:g} to {slowest_s:g} seconds")
    return found


def _shorter(value: Any, probe: Probe) -> float:
    found = float(_as(value, type(probe), "timeout_s"))
    if not (math.isfinite(found) and 0.1 <= found <= probe.timeout_s):
        raise _No(f"the local file allows from 0.1 to {probe.timeout_s:g} seconds")
    return found


def _is_calm(count: int, most: int) -> bool:
    """0 is without an end."""
    return most == 0 or 1 <= count <= most


def _calm(value: Any, most: int) -> int:
    count = _whole(value, 0, 10**6)
    if not _is_calm(count, most):
        raise _No(f"the local file allows from 1 to {most} a minute")
    return count


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _No("must be true or false")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _No(f"must be a whole number from {least} to {most}")
    return value
