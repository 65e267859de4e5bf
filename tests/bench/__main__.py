"""`python -m tests.bench [NAME ...]`: run the named benchmarks, or all of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tests.bench import (
    alerts,
    desk,
    evaluation,
    floods,
    footprint,
    grouping,
    health,
    ingest,
    intake,
    latency,
    repeats,
    samples,
    scan,
    streams,
)
from tests.bench.figures import machine

BENCHMARKS: dict[str, Callable[[], object]] = {
    "grouping": lambda: grouping.main(()),
    "latency": latency.main,
    "footprint": footprint.main,
    "scan": scan.main,
    "repeats": repeats.main,
    "desk": desk.main,
    "samples": samples.main,
    "health": health.main,
    "alerts": alerts.main,
    "floods": floods.main,
    "intake": intake.main,
    "ingest": ingest.main,
    "streams": streams.main,
    "return": streams.come_back,
    "evaluation": evaluation.main,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; none: all")
    names = parser.parse_args().names or [name for name in BENCHMARKS if name != "return"]  # a part of `streams`
    print(machine())
    for name in names:
        print(f"\n{name}: {(BENCHMARKS[name].__module__)}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
