"""Makes new input out of old: random, but the same for the same generator of random numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 20_000

# What parsers stumble over, whatever they parse.
WORDS: tuple[bytes, ...] = (
    *(b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\x1b[31m", b"\t"),
    *(b" " * 50, b"[" * 200, b"{" * 200, b"\\u0000", b"'''", b'"""', b"--", b"-1", b"1e999", b"NaN", b"Infinity"),
    *(bytes([byte]) for byte in b"{}[]()<>\"'\\=:,#%/-0"),
    *(b"9223372036854775807", b"18446744073709551616", b"9" * 30, b"2026-11-24T03:10:00Z", b"1969-12-31 23:59:59"),
    *(
        b"9999-12-31T23:59:60.999999999+14:00",
        b"29/Feb/2023:25:61:61 +9999",
        b"ERROR",
        b"password=",
        b"mail=a@b.example",
    ),
    *(b"Traceback (most recent call last):\n", b'  File "a.py", line 1, in f\n', b"Caused by: java.lang.Error: x\n"),
    *(b"\tat com.acme.Shop.buy(Shop.java:1)\n", b"goroutine 1 [running]:\n", b"Authorization: Bearer ", b"10.0.0.5"),
    *(
        b"eyJhbGciOiJIUzI1NiJ9.e30.x",
        b"::1",
        b"https://user:pass@host/path?token=x",
        b"-----BEGIN RSA PRIVATE KEY-----",
    ),
    *("数据库".encode(), "🔥".encode()),
)


def mutated(seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """One to eight changes to one of `seeds`; at most MAX_BYTES long."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 8) if draw.random() < 0.9 else 40):
        change = draw.choice(_CHANGES)
        change(data, draw, seeds)
        if len(data) > MAX_BYTES:
            del data[MAX_BYTES:]
    return bytes(data)


def _place(data: bytearray, draw: random.Random) -> int:
    return draw.randint(0, len(data))


def _span(data: bytearray, draw: random.Random) -> slice:
    start = _place(data, draw)
    return slice(start, min(len(data), start + draw.choice((1, 2, 8, 64, 1000))))


def _flip(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _set(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))


def _insert_word(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, draw)
    data[at:at] = draw.choice(WORDS)


def _insert_noise(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, draw)
    data[at:at] = draw.randbytes(draw.randint(1, 32))


def _drop(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    del data[_span(data, draw)]


def _repeat(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    span = _span(data, draw)
    data[span.start : span.start] = bytes(data[span]) * draw.choice((1, 2, 10, 500))


def _splice(data: bytearray, draw: random.Random, seeds: Sequence[bytes]) -> None:
    other = bytearray(draw.choice(seeds))
    data[_span(data, draw)] = other[_span(other, draw)]


def _cut(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, draw) :]


def _swap(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    one = _span(data, draw)
    moved = bytes(data[one])
    del data[one]
    at = _place(data, draw)
    data[at:at] = moved


_CHANGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _set, _insert_word, _insert_word, _insert_noise, _drop, _repeat, _splice, _cut, _swap,
)  # fmt: skip
