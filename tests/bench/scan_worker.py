"""One measured process of the benchmark of the scanner: `scan_worker lines|whole FILE OUT PATTERNS`.

`lines` is the scanner alone: blocks searched in place, the lines of matches written to OUT, as the peers do it. `whole`
is the agent's real road: tail, records, redaction, fingerprints, storms, a spool in the folder OUT.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from sitewarden_agent.observe.scanning import engine
from sitewarden_agent.observe.scanning.buffers import BLOCK_BYTES, block_buffer, read_into

PATTERNS = (
    *(
        " ERROR ",
        " FATAL ",
        " WARN(?:ING)? ",
        r"\berror: ",
        r"\bfatal: ",
        r"\bpanic: ",
        '"level":"(?:error|fatal|panic)"',
    ),
    *(r'" 50[0-4] \d+ ', "Out of memory", "oom-killer", "segfault at [0-9a-f]+", "^Caused by: "),
    *(r"^[\w.]+(?:Exception|Error): ", r"Traceback \(most recent", "Connection refused", r"timeout after \d+ ms"),
    *("No space left on device", r"ORA-\d{5}", "deadlock detected", "too many open files"),
)
"""What somebody who watches such logs looks for."""


def patterns(count: int) -> tuple[str, ...]:
    """The twenty, and generated ones that occur nowhere."""
    words = ("ledger", "quota", "replica", "tenant", "voucher", "gateway", "shard", "courier")
    more = (
        rf"{words[number % 8]}{number}_\w+ {words[number // 8 % 8]} after \d+ ?ms"
        if number % 2
        else rf"APP-{number:03d}\d{{3}}"
        for number in range(count)
    )
    return (*PATTERNS, *more)[:count]


def lines(path: Path, out: Path, wanted: tuple[str, ...]) -> tuple[int, float]:
    """Write the lines in which a pattern matches. Returns how many there are, and the CPU time until it began."""
    searched = engine.compiled([pattern.encode() for pattern in wanted])
    ready_s = time.process_time()
    found = place = 0
    descriptor = os.open(path, os.O_RDONLY)
    with block_buffer() as buffer, out.open("wb") as file:
        while size := read_into(descriptor, buffer, BLOCK_BYTES, offset=place):
            whole = buffer.rfind(b"\n", 0, size) + 1
            with memoryview(buffer) as view, view[:whole] as block:
                done = 0
                for end in searched.ends(block):
                    if end <= done:
                        continue
                    start = buffer.rfind(b"\n", done, end - 1) + 1 or done
                    done = buffer.find(b"\n", end - 1, whole) + 1
                    file.write(block[start:done])
                    found += 1
            place += whole
    os.close(descriptor)
    return found, ready_s


def whole(path: Path, state_dir: Path, keep: tuple[str, ...]) -> tuple[int, float]:
    """Read the file as `observe` does. Returns how many observations the spool has, and the CPU time until it began."""
    from sitewarden_agent.app import opened_spool
    from sitewarden_agent.clock import SystemClock
    from sitewarden_agent.config import Config, Log
    from sitewarden_agent.observe import redaction
    from sitewarden_agent.observe.tail import Tail

    log = Log(name="bench", paths=(str(path),), start="start", min_severity="error", keep=keep)
    config = Config(state_dir=state_dir, logs=(log,))
    clock = SystemClock()
    size = path.stat().st_size
    with opened_spool(config, clock) as spool:
        redactor = redaction.redactor(config.redact, key=b"k" * 32)
        tail = Tail(config.logs, spool, clock=clock, redact=redactor.redact)
        tail.restore()
        ready_s = time.process_time()
        while not (files := tail.files()) or int(files[0]["offset"]) < size:
            tail.turn()
        tail.close()
        return tail.saved, ready_s


def main() -> None:
    mode, path, out, count = sys.argv[1:]
    wanted = patterns(int(count))
    print(*(lines(Path(path), Path(out), wanted) if mode == "lines" else whole(Path(path), Path(out), wanted)))


if __name__ == "__main__":
    main()
