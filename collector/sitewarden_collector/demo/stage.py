"""One site and its headquarters on this machine: real processes, real TLS, a private folder, free ports.

A `Stage` writes both configurations, starts `sitewarden serve`, enrols the agent with a token as an administrator
would, and starts `sitewarden-agent run`. Each process may be killed and started again. Everything is started by its
command, never imported, so what runs is what a customer runs. The life of a stage: made, `open()`, any of the verbs,
`close()`, which stops last what was started first. A process that dies takes no other with it, but none outlives the
stage.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitewarden_collector.errors import CollectorError

STOP_TIMEOUT_S = 15.0
START_TIMEOUT_S = 45.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class StageError(CollectorError):
    """Something on the stage did not come up; the message holds the last lines that it said."""


def free_ports(count: int) -> list[int]:
    """So many TCP ports that nobody listens on now. Held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


@dataclass
class Stage:
    """`collector_toml` and `agent_toml` are appended to what the stage itself has to configure."""

    folder: Path
    collector_toml: str = ""
    agent_toml: str = ""
    agent_link_toml: str = ""
    database_url: str = ""
    site: str = "shanghai-1"
    customer: str = "acme"
    streams_port: int = 0
    enrolment_port: int = 0
    http_port: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = free_ports(3)
        self.streams_port = self.streams_port or ports[0]
        self.enrolment_port = self.enrolment_port or ports[1]
        self.http_port = self.http_port or ports[2]

    @property
    def collector_config(self) -> Path:
        return self.folder / "collector.toml"

    @property
    def agent_config(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def agent_state(self) -> Path:
        return self.folder / "agent-state"

    def open(self) -> None:
        """Collector up, agent enrolled and running. Raises StageError."""
        self.write_configs()
        self.start_collector()
        self.enrol()
        self.start_agent()

    def write_configs(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.agent_state.mkdir(mode=0o700, exist_ok=True)
        database = f'[database]\nurl = "{self.database_url}"\n' if self.database_url else ""
        self.collector_config.write_text(
            f'data_dir = "{self.folder / "collector"}"\n{_top(self.collector_toml)}{database}'
            f'[listen]\nstreams = "127.0.0.1:{self.streams_port}"\nenrolment = "127.0.0.1:{self.enrolment_port}"\n'
            f'http = "127.0.0.1:{self.http_port}"\n{_tables(self.collector_toml)}'
        )
        self.agent_config.write_text(
            f'state_dir = "{self.agent_state}"\n[link]\nbackoff_cap_s = 5.0\n{self.agent_link_toml}\n{self.agent_toml}'
        )

    def start_collector(self) -> None:
        """Start it and return when it takes connections."""
        self.start("collector", self.headquarters("serve"))
        deadline = time.monotonic() + START_TIMEOUT_S
        url = f"http://127.0.0.1:{self.http_port}/healthz"
        while time.monotonic() < deadline:
            if self.processes["collector"].poll() is not None:
                break
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except urllib.error.HTTPError:
                return  # it answers; what it says is not asked here
            except OSError:
                time.sleep(0.05)
        raise StageError(f"the collector did not start:\n{self.last_words('collector')}")

    def enrol(self) -> None:
        """Make a token at headquarters and redeem it at the site, as two people would."""
        made = self.run(
            self.headquarters("token", "create", "--site", self.site, "--customer", self.customer, "--json")
        )
        self.run(self.at_site("enroll", "--token", "-"), said=_token_in(made))  # not in the list of processes

    def start_agent(self) -> None:
        self.start("agent", self.at_site("run"))

    def open_further(self, site: str, customer: str, agent_toml: str) -> None:
        """Enrol and start the agent of one more site, `agent-SITE`."""
        state = self.folder / f"agent-{site}-state"
        state.mkdir(mode=0o700)
        config = self.folder / f"agent-{site}.toml"
        config.write_text(f'state_dir = "{state}"\n[link]\nbackoff_cap_s = 5.0\n{agent_toml}')
        made = self.run(self.headquarters("token", "create", "--site", site, "--customer", customer, "--json"))
        program = [sys.executable, "-m", "sitewarden_agent"]
        self.run([*program, "enroll", "--token", "-", "--config", str(config)], said=_token_in(made))
        self.start(f"agent-{site}", [*program, "run", "--config", str(config)])

    def start(self, name: str, argv: Sequence[str], **environment: str) -> None:
        """Start a process of the stage; what it says goes to `folder/NAME.out`."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                argv,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                start_new_session=True,  # so that Ctrl-C reaches us alone, and we stop them in order
                preexec_fn=_die_with_parent,
            )

    def run(self, argv: Sequence[str], *, said: str = "") -> str:
        """Run a command to its end, with `said` as its input, and return what it printed. Raises StageError with what
        it complained of."""
        done = subprocess.run(argv, input=said, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise StageError(f"{' '.join(argv)} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def listing(self, argv: Sequence[str]) -> list[dict[str, Any]]:
        """The JSON lines that a listing prints."""
        return [json.loads(line) for line in self.run([*argv, "--json"]).splitlines()]

    def headquarters(self, *words: str) -> list[str]:
        """The command line of `sitewarden WORDS` on this stage."""
        return [sys.executable, "-m", "sitewarden_collector", *words, "--config", str(self.collector_config)]

    def at_site(self, *words: str) -> list[str]:
        """The command line of `sitewarden-agent WORDS` on this stage."""
        return [sys.executable, "-m", "sitewarden_agent", *words, "--config", str(self.agent_config)]

    def kill(self, name: str, *, with_children: bool = True) -> None:
        """SIGKILL, as the out-of-memory killer or a power cut would."""
        process = self.processes[name]
        if with_children:
            _signal_group(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL when it takes too long."""
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    def last_words(self, name: str, lines: int = 15) -> str:
        """The end of what a process said."""
        path = self.folder / f"{name}.out"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def _token_in(printed: str) -> str:
    return str(json.loads(printed.splitlines()[0])["token"])


def _top(toml: str) -> str:
    """The keys before the first table: they have to stand before ours."""
    return "".join(_lines_until_table(toml))


def _tables(toml: str) -> str:
    return toml[len(_top(toml)) :]


def _lines_until_table(toml: str) -> Iterable[str]:
    for line in toml.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            return
        yield line


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
