"""What stands in a form that was sent, read as what it means. What cannot be read is Invalid, with words for people.

Times come from fields of the kind datetime-local: wall times in the reader's zone. Not here: whether what was read
makes sense, which services know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import Request, UploadFile
from starlette.datastructures import UploadFile as Uploaded

from sitewarden_alerting.oncall.local import instant
from sitewarden_collector.console import moments
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services.access import Principal

SECOND_NS = 1_000_000_000
YEARS = (1971, 2199)
SPANS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
UPLOAD_MAX_BYTES = 5_000_000
UPLOAD_MAX_TEXT = "that file is larger than 5 MB; split it"


@dataclass(frozen=True, slots=True)
class Fields:
    """A form's fields by name. `zone` is the reader's."""

    all: Mapping[str, tuple[str, ...]]
    files: Mapping[str, UploadFile | Uploaded]
    zone: str

    def text(self, name: str, *, required: bool = False) -> str:
        """A field, without spaces around it; empty where it is missing."""
        found = (self.all.get(name) or ("",))[0].strip()
        if required and not found:
            raise Invalid(f"{name.replace('_', ' ')} is missing; fill it in and send the form again")
        return found

    def many(self, name: str) -> tuple[str, ...]:
        """All that was chosen of several."""
        return tuple(one.strip() for one in self.all.get(name, ()) if one.strip())

    def words(self, name: str) -> tuple[str, ...]:
        """A list written with commas, Chinese ones too, or one a line."""
        written = self.text(name).replace("\n", ",").replace("\uff0c", ",").replace("\u3001", ",")
        return tuple(dict.fromkeys(part.strip() for part in written.split(",") if part.strip()))

    def flag(self, name: str) -> bool:
        return self.text(name) not in ("", "0", "off")

    def number(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds."""
        written = self.text(name)
        if not written and default is not None:
            return default
        try:
            found = int(written)
        except ValueError:
            raise Invalid(f"{name.replace('_', ' ')} is no whole number: {written or 'nothing'}") from None
        if not least <= found <= most:
            raise Invalid(f"{name.replace('_', ' ')} lies between {least} and {most}, not at {found}")
        return found

    def moment(self, name: str, *, zone: str = "") -> int | None:
        """An instant, of a wall time in a zone (the reader's unless told); None where the field is empty."""
        written = self.text(name)
        if not written:
            return None
        try:
            wall = datetime.fromisoformat(written)
        except ValueError:
            raise Invalid(f"{written} is no time; write it as 2026-11-24T09:00") from None
        if not YEARS[0] <= wall.year <= YEARS[1]:
            raise Invalid(f"{written} is not between {YEARS[0]} and {YEARS[1]}; look at its year")
        if wall.tzinfo is not None:
            return int(wall.timestamp()) * SECOND_NS
        whole = instant(ZoneInfo(zone or self.zone), wall.date(), wall.hour * 60 + wall.minute)
        return whole + wall.second * SECOND_NS

    def minute(self, name: str) -> int | None:
        """A time of the day (09:30, 24:00) as minutes; None where the field is empty."""
        written = self.text(name)
        if not written:
            return None
        hour, _, minute = written.partition(":")
        digits = f"{hour}{minute[:2]}"
        right = hour and minute and digits.isascii() and digits.isdigit() and len(digits) < 5
        found = int(hour) * 60 + int(minute[:2]) if right else -1
        if not (0 <= found <= 24 * 60 and int(minute[:2]) < 60):
            raise Invalid(f"{written} is no time of the day; write it as 09:30")
        return found

    def span_s(self, name: str) -> int:
        """How long, written as 30m, 4h, 2d or 1w."""
        written = self.text(name).lower()
        number, unit = written[:-1].strip(), written[-1:]
        if unit not in SPANS_S or not (number.isascii() and number.isdigit()) or len(number) > 6 or not int(number):
            raise Invalid(f"{written or 'nothing'} is no length of time; write 30m, 4h, 2d or 1w")
        return int(number) * SPANS_S[unit]

    async def file(self, name: str) -> bytes:
        """What a file that came along holds; empty where none did."""
        found = self.files.get(name)
        if found is None or not found.filename:
            return b""
        content = await found.read(UPLOAD_MAX_BYTES + 1)
        if len(content) > UPLOAD_MAX_BYTES:
            raise Invalid(UPLOAD_MAX_TEXT)
        return content


async def fields(request: Request, principal: Principal) -> Fields:
    """The form that this request carries."""
    form = await request.form()
    written: dict[str, tuple[str, ...]] = {}
    files: dict[str, UploadFile | Uploaded] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            written[name] = (*written.get(name, ()), value)
        else:
            files[name] = value
    return Fields(written, files, moments.zone_of(request, principal))
