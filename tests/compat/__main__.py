"""`python -m tests.compat [--release REF]`: the agent under the lowest and the highest Python, and across releases."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.compat import pythons, releases


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description="what must go together")
    parser.add_argument("--release", metavar="REF", help="a commit in place of the last release's tag")
    parser.add_argument("--only-releases", action="store_true", help="leave the Pythons out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = list(_releases(folder, arguments.release))
        if not arguments.only_releases:
            good += _pythons(folder)
    return 0 if all(good) else 1


def _pythons(folder: Path) -> Iterator[bool]:
    highest = pythons.SUPPORTED[-1]
    if highest not in pythons.interpreters() and not pythons.fetch(highest):
        print(f"Python {highest} cannot be had here; the highest that there is counts", flush=True)
    found = pythons.interpreters()
    wheel = pythons.light_wheel(folder / "wheel")
    for version in dict.fromkeys((min(found, key=pythons.SUPPORTED.index), max(found, key=pythons.SUPPORTED.index))):
        python = pythons.environment(folder / version, found[version], wheel)
        ran = pythons.try_agent(python, pythons.everything(), folder=folder)
        print(f"Python {version}: {ran.stdout.strip().splitlines()[-1]}", flush=True)
        if ran.returncode:
            print(ran.stdout, ran.stderr, sep="\n", flush=True)
        yield ran.returncode == 0


def _releases(folder: Path, release: str | None) -> Iterator[bool]:
    before = release or releases.last_release()
    if before is None:
        print("Releases: nothing has been released yet (no tag v*)", flush=True)
        return
    files = releases.checkout(before, folder / "release")
    agent, collector = releases.agent_of(files, folder), releases.collector_of(files, folder)
    for what, found in (
        (f"the agent of {before} with this collector", releases.try_together(folder / "up", agent=agent)),
        (f"this agent with the collector of {before}", releases.try_together(folder / "down", collector=collector)),
    ):
        print(f"Releases: {what}: {found or 'no ticket came'}", flush=True)
        yield bool(found)


sys.exit(main())
