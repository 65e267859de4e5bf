"""`python -m tests.torture --kills 500`: the full count, half on SQLite and half on PostgreSQL."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests import postgres
from tests.torture.run import Torture

DISK_BYTES = 400 * 1024 * 1024


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own at `folder`, where we may mount one; else None."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
        == 0
    )
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="in all, over both engines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--round", type=int, default=50, help="kills before the judge looks")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a round that failed")
    arguments = parser.parse_args()
    engines = ("sqlite", "postgres") if arguments.engine == "both" else (arguments.engine,)
    left = {engine: arguments.kills // len(engines) for engine in engines}
    seed, good = arguments.seed, True
    while any(left.values()):
        engine = max(left, key=lambda name: left[name])
        kills = min(arguments.round, left[engine])
        left[engine] -= kills
        base = Path(tempfile.mkdtemp(prefix="sitewarden-torture-"))
        server = postgres.running() if engine == "postgres" else nullcontext("")
        with small_disk(base / "disk") as disk, server as url:
            torture = Torture(base / "disk" / "stage", base / "logs", seed, kills, database_url=url, disk=disk)
            report = torture.run()
            print(report, flush=True)
            holds = report.verdict is not None and report.verdict.holds
            good = good and holds
            if arguments.keep and not holds:
                shutil.copytree(base / "disk" / "stage", base / "kept", ignore=shutil.ignore_patterns("*.bell"))
                print(f"kept: {base / 'kept'}", flush=True)
        if holds or not arguments.keep:
            shutil.rmtree(base, ignore_errors=True)
        seed += 1
    print("nothing lost, nothing twice" if good else "FAILED: see the rounds above; repeat one with --seed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
