"""One release's agent with another's collector: enrolled, connected, and a fault of the product becomes a ticket.

Everything runs by its command, in the environment of its own release. Not here: which releases are still promised to
work together (agents of the last 24 months).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from sitewarden_collector.demo.stage import Stage
from tests.compat import pythons
from tests.compat.pythons import ROOT

WAIT_S = 60.0
HERE = Path(sys.executable)


def last_release() -> str | None:
    """The newest tag of a release in this checkout; None when nothing was released."""
    argv = ["git", "-C", str(ROOT), "tag", "--list", "v[0-9]*", "--sort=-v:refname", "--merged", "HEAD"]
    return next(iter(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()), None)


def checkout(release: str, folder: Path) -> Path:
    """The files of that release in a new folder."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", release], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def agent_of(release: Path, folder: Path) -> Path:
    """The interpreter of an environment with that checkout's light wheel. Raises Unreachable."""
    wheel = pythons.light_wheel(folder / "wheel", checkout=release)
    return pythons.environment(folder / "agent", HERE, wheel, tools=(), locked=release)


def collector_of(release: Path, folder: Path) -> Path:
    """The interpreter of an environment with that checkout's collector. Raises Unreachable."""
    os.environ["SITEWARDEN_NO_ASSETS"] = "1"  # nobody looks at its console
    return pythons.environment(folder / "collector", HERE, f"{release}[collector]", tools=(), locked=release)


@dataclass
class Mixed(Stage):
    """A site and its headquarters, each in its own environment."""

    agent_python: Path = HERE
    collector_python: Path = HERE

    def headquarters(self, *words: str) -> list[str]:
        return [str(self.collector_python), *super().headquarters(*words)[1:]]

    def at_site(self, *words: str) -> list[str]:
        return [str(self.agent_python), *super().at_site(*words)[1:]]


def try_together(folder: Path, *, agent: Path = HERE, collector: Path = HERE) -> list[str]:
    """The titles of the tickets that a fault at the site led to; empty when none came in time. Raises StageError."""
    product = folder / "product.log"
    toml = f'[[logs]]\nname = "shop"\npaths = ["{product}"]\n'
    stage = Mixed(folder / "stage", agent_toml=toml, agent_python=agent, collector_python=collector)
    try:
        stage.open()
        product.write_text("")
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            with product.open("a") as log:
                log.write("2026-11-24 12:00:00 ERROR payment failed: no route to the bank\n")
            if found := stage.listing(stage.headquarters("ticket", "list")):
                return [str(ticket["title"]) for ticket in found]
            time.sleep(1)
        return []
    finally:
        stage.close()
