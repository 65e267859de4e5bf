"""Log files for the benchmark of the scanner, made from a seed: the same bytes on every machine.

Set a is what a product's logs look like on a calm day: runs of 1 to 50 events of syslog, Java with stack traces, JSON
lines and nginx, 1 % of them errors. Set b is a bad day: 20 % errors, and 5 % of the lines are 2 to 32 KiB long. What is
well is random words; what is wrong repeats itself, with other numbers, as faults do. The text is repeated from
`UNIQUE_BYTES` on: not a customer's log.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

UNIQUE_BYTES = 64 * 1024 * 1024

_TEXT = """
accept account batch begin bucket build buffer cache catalog channel check chunk client cluster collect commit
config connect consumer context copy cursor customer daemon data deliver device digest document driver enter
entry event export fetch field file filter flush folder format frame gateway group handle header host image
import index invoice item job journal keep key lease ledger length level link list load local lock map match
member merge message metric model module monitor move network node notify offer offset open order owner packet
page parse part path peer plan pool port post price print product profile project proxy publish queue quota
range read record refresh region relay render replica report request reserve resolve response result retain
return route row sample schema search section segment send sequence service session shard ship signal site
slot snapshot socket source split stage start state store stream submit subscribe supply switch sync table tag
task tenant thread ticket token topic total trace transfer type update upload user value vendor verify version
view volume wait watch worker write zone
"""
_WORDS = _TEXT.split()
_CLASSES = ("OrderService", "CartController", "StockClient", "LedgerWriter", "SessionCache", "MailQueue", "RateTable")
_PROGRAMS = ("cron", "dhclient", "sshd", "systemd", "dockerd", "kubelet", "ntpd", "postfix/smtpd")
_FAULTS = (
    "cannot reach database at 10.2.{0}.{1}:5432: Connection refused",
    "timeout after {0}00 ms while waiting for stock of item {1}",
    "payment {0}{1} was declined twice, giving up",
    "queue mail-{0} is full, {1} messages dropped",
)
_LOGGERS = ("cart", "orders", "payments", "stock", "mail", "sessions", "rates", "audit")
_ROUTES = ("orders", "orders/checkout", "cart/items", "stock/levels", "login", "payments/card", "search", "rates/today")
_STACKS = 40
_EXCEPTIONS = ("java.net.SocketTimeoutException", "java.lang.IllegalStateException", "java.io.IOException")


def write(path: Path, *, size_bytes: int, errors: float, long_lines: float, seed: int) -> None:
    """Write a set of at least `size_bytes`, whole lines."""
    draw = random.Random(seed)
    unique = _unique(draw, min(size_bytes, UNIQUE_BYTES), errors=errors, long_lines=long_lines)
    with path.open("wb") as file:
        written = 0
        while written < size_bytes:
            written += file.write(unique)


def _unique(draw: random.Random, size_bytes: int, *, errors: float, long_lines: float) -> bytes:
    made: list[str] = []
    size = 0
    at_s = 0.0
    while size < size_bytes:
        kind = draw.choice((_syslog, _java, _json, _nginx))
        for _ in range(draw.randint(1, 50)):
            at_s += draw.random() * 0.2
            text = _sentence(draw, draw.randint(4, 14))
            if draw.random() < long_lines:
                text = _sentence(draw, draw.randint(300, 5_000))
            made.append(kind(draw, _clock(at_s), text, draw.random() < errors))
            size += len(made[-1])
    return "".join(made).encode()


def _sentence(draw: random.Random, count: int) -> str:
    words = [*draw.choices(_WORDS, k=count), str(draw.randint(0, 99_999)), f"{draw.getrandbits(32):08x}"]
    draw.shuffle(words)
    return " ".join(words)


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(int(at_s), 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}:{seconds:02d}"


def _fault(draw: random.Random, kind: int | None = None) -> str:
    template = draw.choice(_FAULTS) if kind is None else _FAULTS[kind % len(_FAULTS)]
    return template.format(draw.randint(1, 250), draw.randint(1, 250))


def _syslog(draw: random.Random, clock: str, text: str, bad: bool) -> str:
    if bad:
        text = f"error: {_fault(draw)}"
    return f"Nov 23 {clock} web{draw.randint(1, 9)} {draw.choice(_PROGRAMS)}[{draw.randint(300, 32_000)}]: {text}\n"


def _java(draw: random.Random, clock: str, text: str, bad: bool) -> str:
    place = f"[http-nio-8080-exec-{draw.randint(1, 40)}] com.acme.shop.{draw.choice(_CLASSES)}"
    if not bad:
        return f"2026-11-23 {clock},{draw.randint(0, 999):03d} {draw.choice(('INFO ', 'DEBUG'))} {place} - {text}\n"
    kind = draw.randrange(_STACKS)
    stack = random.Random(kind)
    place = f"[http-nio-8080-exec-{draw.randint(1, 40)}] com.acme.shop.{stack.choice(_CLASSES)}"
    frames = "".join(
        f"\tat com.acme.shop.{stack.choice(_CLASSES)}.{stack.choice(_WORDS)}(Shop.java:{stack.randint(10, 900)})\n"
        for _ in range(stack.randint(3, 14))
    )
    head = f"2026-11-23 {clock},{draw.randint(0, 999):03d} ERROR {place} - {_fault(draw, kind)}\n"
    exception = f"{stack.choice(_EXCEPTIONS)}: {_fault(draw, kind + 1)}\n"
    return f"{head}{exception}{frames}Caused by: java.io.IOException: gone\n\t... 9 more\n"


def _json(draw: random.Random, clock: str, text: str, bad: bool) -> str:
    level, text = ("error", _fault(draw)) if bad else (draw.choice(("info", "debug")), text)
    stamp = f"2026-11-23T{clock}.{draw.randint(0, 999):03d}Z"
    return (
        f'{{"time":"{stamp}","level":"{level}","logger":"{draw.choice(_LOGGERS)}",'
        f'"request_id":"{draw.getrandbits(64):016x}","msg":"{text}"}}\n'
    )


def _nginx(draw: random.Random, clock: str, text: str, bad: bool) -> str:
    status = draw.choice((500, 502, 503)) if bad else draw.choice((200, 200, 200, 204, 301, 404))
    path = "/".join(text.split()[:4]) if len(text) < 2_000 else text.replace(" ", "/")
    path = draw.choice(_ROUTES) if bad else path
    return (
        f"10.{draw.randint(0, 255)}.{draw.randint(0, 255)}.{draw.randint(1, 254)} - - [23/Nov/2026:{clock} +0000] "
        f'"GET /{path} HTTP/1.1" {status} {draw.randint(100, 90_000)} "-" "Mozilla/5.0 (X11; Linux x86_64)"\n'
    )


SETS: dict[str, Callable[[Path, int], None]] = {
    "a": lambda path, size_bytes: write(path, size_bytes=size_bytes, errors=0.01, long_lines=0.0, seed=4),
    "b": lambda path, size_bytes: write(path, size_bytes=size_bytes, errors=0.2, long_lines=0.05, seed=5),
}


if __name__ == "__main__":
    SETS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
