"""Prometheus and Alertmanager from Debian as the peer: an error counted, scraped, evaluated, and sent to a webhook.

They read no logs, so the peer's line is a counter with a label that an exporter would have counted up at once. Scrape
and evaluation every second, no grouping wait: their fastest ordinary settings. Not measured: a log reader before them.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.bench.webhook import Webhook

BINARIES = ("prometheus", "prometheus-alertmanager")


def missing() -> list[str]:
    return [name for name in BINARIES if shutil.which(name) is None]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Exporter:
    """The counter: `errors_total{id="..."} 1` for each id that has failed so far."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f'errors_total{{id="{name}"}} 1\n' for name in exporter.ids).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def latencies_ms(folder: Path, probes: int, *, gap_s: float = 0.37, wait_s: float = 20.0) -> list[float]:
    """Milliseconds from an error counted to the webhook called, one for each probe that arrived in `wait_s`."""
    exporter, webhook = _Exporter(), Webhook()
    prometheus_port, alertmanager_port, cluster_port = _free_port(), _free_port(), _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(
        "groups:\n- name: errors\n  rules:\n  - alert: NewError\n    expr: errors_total > 0\n"
    )
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{folder / 'rules.yml'}]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager_port}']}}]}}]}}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{exporter.port}']}}]}}]\n"
    )
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{webhook.url}'}}]}}]\n"
    )
    processes = [
        subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for argv in (
            [
                "prometheus-alertmanager",
                "--config.file=alertmanager.yml",
                f"--storage.path={folder / 'am'}",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                f"--cluster.listen-address=127.0.0.1:{cluster_port}",
            ],
            [
                "prometheus",
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
            ],
        )
    ]
    written: dict[str, int] = {}
    try:
        time.sleep(5.0)  # both are up and have looked once
        for number in range(probes):
            name = f"probe-{number}-"
            written[name] = time.monotonic_ns()
            exporter.ids.append(name)
            time.sleep(gap_s)
        deadline = time.monotonic() + wait_s
        arrived: dict[str, int] = {}
        while len(arrived) < probes and time.monotonic() < deadline:
            for name in written.keys() - arrived.keys():
                if (at := webhook.when(lambda body, name=name: name.encode() in body)) is not None:  # type: ignore[misc]
                    arrived[name] = at
            time.sleep(0.1)
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
        exporter.close()
        webhook.close()
    return [(at - written[name]) / 1e6 for name, at in arrived.items()]
