"""Prometheus and Alertmanager from Debian as the peer of `alerts`: samples come by remote write, rules are looked at
every second, no notification waits for others. Nothing is scraped, so that only evaluation and telling are measured.

The message is the public remote-write 1.0 format, written by hand; snappy's own format allows a block of literals only.
"""

from __future__ import annotations

import http.client
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.request import urlopen

from tests.bench.prometheus_peer import _free_port
from tests.bench.webhook import Webhook

SERIES = "bench_level_ratio"
LEVEL = 0.95

Labels = tuple[tuple[str, str], ...]


class Peer:
    """Both processes, from `open` to `close`; `write` is one push."""

    def __init__(self, folder: Path, webhook: Webhook) -> None:
        self._folder = folder
        self._webhook = webhook
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port = _free_port()

    def open(self) -> None:
        folder, alertmanager, cluster = self._folder, _free_port(), _free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(
            f"groups:\n- name: levels\n  rules:\n  - alert: Level\n    expr: {SERIES} > {LEVEL}\n"
        )
        (folder / "prometheus.yml").write_text(
            f"global: {{evaluation_interval: 1s}}\nrule_files: [{folder / 'rules.yml'}]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n"
        )
        (folder / "alertmanager.yml").write_text(
            "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{self._webhook.url}'}}]}}]\n"
        )
        for argv in (
            [
                "prometheus-alertmanager",
                "--config.file=alertmanager.yml",
                f"--storage.path={folder / 'am'}",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                f"--cluster.listen-address=127.0.0.1:{cluster}",
            ],
            [
                "prometheus",
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--web.enable-remote-write-receiver",
            ],
        ):
            quiet = subprocess.DEVNULL
            self._processes.append(subprocess.Popen(argv, cwd=folder, stdout=quiet, stderr=quiet))
        self._wait_until_ready()
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)

    def write(self, samples: Mapping[Labels, float]) -> int:
        """Push one sample of each series, of now; the monotonic ns at which it was sent."""
        body = snappy(write_request(samples, at_ms=time.time_ns() // 1_000_000))
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        sent_ns = time.monotonic_ns()
        self._connection.request("POST", "/api/v1/write", body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"remote write answered {answer.status}: {said[:200]!r}")
        return sent_ns

    def cpu_s(self) -> float:
        from tests.bench.fleet import cpu_s

        return sum(cpu_s(process.pid) for process in self._processes)

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(10)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=2):
                    time.sleep(2.0)  # it has looked at its rules
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("Prometheus did not come up")


def write_request(samples: Mapping[Labels, float], *, at_ms: int) -> bytes:
    """A remote-write request: WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: double, 2: ms}}}."""
    return b"".join(_field(1, _time_series(labels, value, at_ms=at_ms)) for labels, value in samples.items())


def snappy(data: bytes) -> bytes:
    """A snappy block of literals only, which every reader of the format takes."""
    parts = [_varint(len(data))]
    for at in range(0, len(data), 65_536):
        part = data[at : at + 65_536]
        parts.append(struct.pack("<BH", 61 << 2, len(part) - 1) + part)
    return b"".join(parts)


def _time_series(labels: Labels, value: float, *, at_ms: int) -> bytes:
    named = b"".join(_field(1, _field(1, name.encode()) + _field(2, said.encode())) for name, said in sorted(labels))
    return named + _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at_ms))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def labels_of(site: str, ids: Sequence[str]) -> list[Labels]:
    """The series of a site as `alerts` names them."""
    return [(("__name__", SERIES), ("site", site), ("id", one)) for one in ids]
