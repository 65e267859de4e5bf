"""Stores that take remote write, as Debian has them: Prometheus and VictoriaMetrics, each a process of one test run."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Kind = Literal["prometheus", "victoria-metrics"]
KINDS: tuple[Kind, ...] = ("prometheus", "victoria-metrics")
USER, PASSWORD = "sitewarden", "pw-of-store-75"
# bcrypt of PASSWORD with the lowest cost: Prometheus reads no other kind.
_HASH = "$2b$04$abcdefghijklmnopqrstuu0hKGCHTtqhe8iO.YNhs2T80gx.zftua"
START_S = 30.0


def missing(kind: Kind) -> bool:
    return shutil.which(kind) is None


@dataclass(slots=True)
class Store:
    """`with Store(kind) as store:` runs one with an empty folder. `port` stays the same over restarts."""

    kind: Kind
    late_window: str = ""  # of Prometheus: how much older than the newest a sample may be
    certificate: tuple[Path, Path] | None = None  # of Prometheus: it speaks TLS with this one and its key
    port: int = 0
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="swrw")))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    @property
    def write_url(self) -> str:
        return f"{self.origin}/api/v1/write"

    def __enter__(self) -> Store:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Run until `stop` or `kill`; return once it answers."""
        argv = self._prometheus() if self.kind == "prometheus" else self._victoria()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self._folder)
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                self.get("/-/ready" if self.kind == "prometheus" else "/health")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut of the process would. VictoriaMetrics loses what it held in memory for seconds by that,
        whatever it answered: it is ended in order."""
        assert self._process is not None
        if self.kind == "prometheus":
            self._process.kill()
            self._process.wait(timeout=60)
            self._process = None
        else:
            self.stop()

    def get(self, path: str, **query: str) -> bytes:
        """What a GET answers. Raises OSError."""
        request = urllib.request.Request(f"{self.origin}{path}?{urllib.parse.urlencode(query)}")
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        trusted = ssl.create_default_context(cafile=str(self.certificate[0])) if self.certificate else None
        with urllib.request.urlopen(request, timeout=20, context=trusted) as answer:
            return bytes(answer.read())

    def samples(self, selector: str, *, until_ns: int, span: str = "6h") -> list[tuple[dict[str, str], list[Any]]]:
        """Every sample that the store has of the series that `selector` names: (labels, [(seconds, number)])."""
        if self.kind == "victoria-metrics":
            self.get("/internal/force_flush")
        found = json.loads(self.get("/api/v1/query", query=f"{selector}[{span}]", time=f"{until_ns / 1e9:.3f}"))
        return [
            (one["metric"], [(at, float(number)) for at, number in one["values"]]) for one in found["data"]["result"]
        ]

    def _prometheus(self) -> list[str]:
        window = f"storage: {{tsdb: {{out_of_order_time_window: {self.late_window}}}}}" if self.late_window else "{}"
        (self._folder / "prometheus.yml").write_text(window)
        web = f"basic_auth_users: {{{USER}: '{_HASH}'}}\n"
        if self.certificate:
            web += f"tls_server_config: {{cert_file: {self.certificate[0]}, key_file: {self.certificate[1]}}}\n"
        (self._folder / "web.yml").write_text(web)
        return [
            "prometheus",
            "--config.file=prometheus.yml",
            "--web.config.file=web.yml",
            "--web.enable-remote-write-receiver",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=10y",
            "--log.level=warn",
        ]

    def _victoria(self) -> list[str]:
        return [
            "victoria-metrics",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-storageDataPath=data",
            "-retentionPeriod=10y",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            f"-httpAuth.username={USER}",
            f"-httpAuth.password={PASSWORD}",
            "-loggerLevel=WARN",
        ]
