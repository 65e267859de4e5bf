"""Records a second of processor time: read anew, read from what is remembered of their shape, and counted in a storm.

Four kinds of lines, each many times with other numbers; the recorded logs, whose records hardly repeat; and whole turns
of the tail over a crash loop, from the file to the spool, with and without counting. All within one process, ratios
from one run. The cost of redaction alone stands beside it.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Log, Redact
from sitewarden_agent.observe import redaction
from sitewarden_agent.observe.tail import Tail
from sitewarden_agent.spool import Spool
from sitewarden_alerting.fingerprint import masks
from sitewarden_alerting.reading import event
from sitewarden_alerting.reading.familiar import Familiar
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor

NOW_NS = 1_795_000_000_000_000_000
REPEATS = 5_000
STORM_LINES = 50_000
LINES: dict[str, Callable[[int], str]] = {
    "plain": lambda n: (
        f"2026-11-24 10:00:{n % 60:02},{n % 1000:03} ERROR [ledger] posting of entry T-{n}- failed: connection to "
        f"db-1:5432 timed out after {n % 977} ms"
    ),
    "with an address": lambda n: (
        f"2026/11/24 10:00:{n % 60:02} [error] 1234#5: *{n} connect() failed (111: Connection refused) while "
        f"connecting to upstream, client: 10.1.{n % 250}.{n % 240}, server: shop"
    ),
    "JSON": lambda n: (
        f'{{"level":"error","ts":"2026-11-24T10:00:{n % 60:02}Z","logger":"shop",'
        f'"msg":"order {n} failed","took":{n % 977}}}'
    ),
    "with a trace": lambda n: (
        f"2026-11-24 10:00:{n % 60:02},{n % 1000:03} ERROR [ledger] entry {n} failed\njava.lang.IllegalStateException: "
        f"entry {n} refused\n\tat com.acme.ledger.Ledger.post(Ledger.java:{n % 3 + 80})\n"
        "\tat com.acme.api.PostController.handle(PostController.java:88)"
    ),
}
LOGS = Path(__file__).parents[1] / "data" / "logs"


def main() -> None:
    redactor = redaction.redactor(Redact(), key=b"k" * 32)
    for name, line in LINES.items():
        records = [Record(0, 0, line(number), 1, 0) for number in range(1_000, 1_000 + REPEATS)]
        print(f"  {name}: {_compared(records, redactor)}")
    recorded = [record for path in sorted(LOGS.glob("*/sample.log")) for record in Assembler().feed(path.read_bytes())]
    print(f"  recorded logs, once: {_compared(recorded, redactor)}")
    for rate in (0, 20):
        print(f"  crash loop, {'counted' if rate else 'each sent'}: {_storm(redactor, rate)}")
    print(f"  crash loop with an id in each line, counted: {_storm(redactor, 20, unique=True)}")


def _per_second(records: Sequence[Record], do: Callable[[Record], object]) -> float:
    began_s = time.process_time()
    for record in records:
        do(record)
    return len(records) / (time.process_time() - began_s)


def _compared(records: Sequence[Record], redactor: Redactor) -> str:
    familiar = Familiar(redactor, default_zone=UTC)

    def remembered(record: Record) -> object:
        return familiar.read(record, familiar.look(record.text, now_ns=NOW_NS), now_ns=NOW_NS)

    def anew(record: Record) -> object:
        return event.read(record, redact=redactor.redact, default_zone=UTC, now_ns=NOW_NS)

    masks.forget()
    before = _per_second(records, anew)
    after = _per_second(records, remembered)
    looks = _per_second(records, lambda record: familiar.look(record.text, now_ns=NOW_NS))
    redacts = _per_second(records, lambda record: redactor.redact(record.text))
    return (
        f"{before:,.0f}/s anew, {after:,.0f}/s remembered ({after / before:.1f}x, {familiar.missed} shapes), "
        f"{looks:,.0f}/s looked at, {redacts:,.0f}/s redacted"
    )


def _storm(redactor: Redactor, storm_per_minute: int, *, unique: bool = False) -> str:
    chance, line = random.Random(6), LINES["plain"]
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        path, clock = Path(base) / "loop.log", SystemClock()
        path.write_text(
            "".join(
                f"{line(number)}{f' id {chance.randbytes(12).hex()}' if unique else ''}\n"
                for number in range(1_000, 1_000 + STORM_LINES)
            )
        )
        spool = Spool.open(Path(base) / "spool.db", clock=clock)
        log = Log(name="loop", paths=(str(path),), start="start", storm_per_minute=storm_per_minute)
        tail = Tail([log], spool, clock=clock, redact=redactor)
        began_s = time.process_time()
        tail.restore()
        while tail.turn() == 0:
            pass
        tail.close()
        spent_s = time.process_time() - began_s
        spooled = sum(file.stat().st_size for file in Path(base).glob("spool.db*"))
        spool.close()
    return (
        f"{STORM_LINES / spent_s:,.0f} lines/s of processor time, {spooled / 1e6:.1f} MB of spool; "
        f"10,000 lines/s take {1_000_000 * spent_s / STORM_LINES:.0f} % of a core"
    )


if __name__ == "__main__":
    main()
