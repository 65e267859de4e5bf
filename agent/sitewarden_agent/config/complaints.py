"""What is wrong with a configuration file, said so that its author finds the place.

tomllib keeps no line numbers, so the line is searched in the text by table and key; where that fails the key alone is
named. Pure.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import msgspec.structs

Where = tuple[str | int, ...]  # ("logs", 0, "min_severity")


@dataclass(frozen=True, slots=True)
class Complaint:
    where: Where
    message: str

    def said(self, text: str, path: Path) -> str:
        """The complaint with file, line and key, for a file of that text."""
        line = find_line(text, self.where)
        place = f"{path}, line {line}" if line else str(path)
        return f"{place}: {key_path(self.where)}: {self.message}" if self.where else f"{place}: {self.message}"


def key_path(where: Where) -> str:
    """`logs[0].min_severity`."""
    said = ""
    for step in where:
        said += f"[{step}]" if isinstance(step, int) else f".{step}" if said else step
    return said


def unknown_key(raw: Any, kind: Any, *, where: Where = ()) -> Complaint | None:
    """The first key of `raw` that `kind` (a Struct) does not know, with the nearest that it does."""
    kind = _struct_of(kind, raw)
    if kind is None:
        return None
    if isinstance(raw, list):
        found = (unknown_key(item, kind, where=(*where, index)) for index, item in enumerate(raw))
        return next((complaint for complaint in found if complaint), None)
    if not isinstance(raw, dict):
        return None
    hints = typing.get_type_hints(kind)
    fields = {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for key, value in raw.items():
        if key == tag:
            continue
        if key not in fields:
            known = sorted([*fields, *([tag] if tag else [])])
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            return Complaint((*where, key), f"this key is not known; {hint}")
        if complaint := unknown_key(value, fields[key], where=(*where, key)):
            return complaint
    return None


def _struct_of(kind: Any, raw: Any) -> Any:
    """The Struct that `raw` should be, or be a list of; None for plain values and for a union without a valid tag."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        structs = [each for each in arguments if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        if isinstance(raw, dict):
            return next(
                (each for each in structs if raw.get(each.__struct_config__.tag_field) == each.__struct_config__.tag),
                None,
            )
        return kind if structs and isinstance(raw, list) else None
    if typing.get_origin(kind) is tuple:
        return _struct_of(arguments[0], raw)
    if typing.get_origin(kind) is dict:  # its keys are the author's own
        return None
    return (
        kind
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        else kind
        if arguments and isinstance(raw, dict)
        else None
    )


def invalid_value(error: msgspec.ValidationError) -> Complaint:
    """msgspec's complaint, in our form."""
    message, _, where = str(error).partition(" - at `")
    steps: list[str | int] = []
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", where):
        steps.append(name or (int(index) if index.isdigit() else 0))
    message = message[:1].lower() + message[1:]
    message = message.replace("object missing required field `", "the key `").replace("`, got `", "`, not `")
    if message.startswith("the key `"):
        message += " is missing here"
    message = (
        message.replace("invalid enum value", "not one of the possible values:")
        .replace("`object`", "a table")
        .replace("`array`", "a list")
    )
    return Complaint(tuple(steps), message.replace("object ", "table "))


def find_line(text: str, where: Where) -> int | None:
    """The 1-based line of `text` that holds the key at `where`, or the nearest table around it."""
    names = [step for step in where if isinstance(step, str)]
    indexes = [step for step in where if isinstance(step, int)]
    lines = text.splitlines()
    for depth in range(len(names), 0, -1):  # the table may be written as [a.b] with the key under it, or inline
        found = _table_line(lines, names[:depth], indexes)
        if found is None:
            continue
        for name in names[depth:][:1]:
            for number in range(found, len(lines)):
                if number > found and re.match(r"\s*\[", lines[number]) and "=" not in lines[number]:
                    break
                if re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[.=]""", lines[number]):
                    return number + 1
        return found + 1
    for number, line in enumerate(lines):
        if names and re.match(rf"""\s*["']?{re.escape(names[0])}["']?\s*[.=]""", line):
            return number + 1
        if re.match(r"\s*\[", line):
            break
    return None


def _table_line(lines: list[str], names: list[str], indexes: list[int]) -> int | None:
    """The 0-based line of the header of that table; of an array of tables the one with the right index."""
    header = re.compile(r"\s*\[(\[)?\s*" + r"\s*\.\s*".join(re.escape(name) for name in names) + r"\s*\]")
    skip = indexes[0] if indexes else 0
    for number, line in enumerate(lines):
        if match := header.match(line):
            if match[1] and skip:
                skip -= 1
                continue
            return number
    return None
