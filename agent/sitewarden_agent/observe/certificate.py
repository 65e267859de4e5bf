"""The end of a certificate's validity, from its DER bytes. Nothing else of it is read, and nothing is verified here."""

from __future__ import annotations

from datetime import UTC, datetime

_SEQUENCE = 0x30
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_VERSION = 0xA0
_LATEST_NS = 2**62  # the year 2116


def expires_ns(der: bytes) -> int | None:
    """UTC nanoseconds; None when these bytes are no certificate, and for one without end."""
    try:
        outer = _inside(der, 0, _SEQUENCE)
        body, position = outer, 0
        body = _inside(body, 0, _SEQUENCE)
        if body[0] == _VERSION:
            position = _next(body, position)
        for _ in ("serial number", "signature algorithm", "issuer"):
            position = _next(body, position)
        validity = _inside(body, position, _SEQUENCE)
        not_after = _next(validity, 0)
        text = _value(validity, not_after).decode("ascii")
        form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[validity[not_after]]
        end_ns = int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
        # One without end says 99991231235959Z (RFC 5280, 4.1.2.5); later than the wire can carry is as good as that.
        return end_ns if 0 < end_ns <= _LATEST_NS else None
    except (IndexError, KeyError, ValueError):
        return None


def _span(data: bytes, position: int) -> tuple[int, int]:
    """Start and end of the value of the element at `position` (X.690, 8.1.3)."""
    length, start = data[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("no DER")
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError("cut off")
    return start, start + length


def _inside(data: bytes, position: int, tag: int) -> bytes:
    if data[position] != tag:
        raise ValueError("another element was expected")
    return _value(data, position)


def _value(data: bytes, position: int) -> bytes:
    start, end = _span(data, position)
    return data[start:end]


def _next(data: bytes, position: int) -> int:
    return _span(data, position)[1]
