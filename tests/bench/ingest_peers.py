"""Prometheus and VictoriaMetrics from Debian as the peers of ingestion, fed by remote write.

Every host has a connection of its own, as with ours, and `SENDERS` of them send at a time: the server's threads meet as
they do when many hosts report, and it shares the machine with whoever sends.
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_collector.channels import remote_wire
from sitewarden_collector.demo.stage import free_ports
from tests.bench import ingest_data
from tests.bench.ingest_data import Push

Kind = Literal["prometheus", "victoria-metrics"]
KINDS: tuple[Kind, ...] = ("prometheus", "victoria-metrics")
GOALS = {"prometheus": "0.33", "victoria-metrics": "0.50"}
START_S = 30.0
SENDERS = 8
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def missing() -> list[str]:
    return [kind for kind in KINDS if shutil.which(kind) is None]


def measure(
    kind: Kind,
    folder: Path,
    pushes: Iterable[Push],
    millions: float,
    meter_of: Callable[[int], Any],
    rss_mb: Callable[..., float],
) -> float:
    """CPU seconds a million samples of one peer; says its figures."""
    _certificates(folder)
    (port,) = free_ports(1)
    bodies: dict[int, list[bytes]] = {}
    for push in pushes:
        bodies.setdefault(push.host, []).append(_body(push))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_argv(kind, folder, port), cwd=folder, stdout=log, stderr=log)
    try:
        talks = {host: _connected(folder, port) for host in bodies}
        meter = meter_of(process.pid)
        meter.rest()
        began_s = time.monotonic()

        hosts = list(bodies)
        with ThreadPoolExecutor(SENDERS) as pool:
            # Turn by turn: Prometheus refuses what is much older than the newest that it has of anybody.
            for turn in range(len(bodies[hosts[0]])):
                list(pool.map(lambda host, at=turn: _post(talks[host], bodies[host][at], kind), hosts))
        took_s = time.monotonic() - began_s
        taken_s = meter.spent_s()
        meter.come_to_rest()
        whole_s = meter.spent_s()
        held = sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file())
        samples = millions * 1e6
        wire = sum(len(one) for some in bodies.values() for one in some)
        rss = f"RSS {rss_mb(process.pid):.0f} MB (most {rss_mb(process.pid, 'VmHWM'):.0f})"
        print(
            f"  {kind}: {whole_s / millions:.3f} CPU-s a million samples: {taken_s / millions:.3f} until all was "
            f"taken, then {(whole_s - taken_s) / millions:.3f} (at rest {meter.at_rest:.3f} a second)\n"
            f"    {samples / took_s / 1e6:.2f} million samples a second; wire {wire / samples:.2f} bytes a "
            f"sample; disk {held / samples:.2f}; {rss}"
        )
        return float(whole_s / millions)
    finally:
        process.terminate()
        process.wait(30)


def _post(talk: http.client.HTTPSConnection, body: bytes, kind: Kind) -> None:
    talk.request("POST", "/api/v1/write", body, HEADERS)
    answer = talk.getresponse()
    said = answer.read()
    if answer.status not in (200, 204):
        raise RuntimeError(f"{kind} says {answer.status}: {said!r}")


def _body(push: Push) -> bytes:
    own = {"instance": f"web-{push.host}", "job": "host", "site": f"site-{push.host}"}
    labelled = [
        remote_wire.labels(sorted({"__name__": name, "disk": "data", **own}.items())) for name in ingest_data.names()
    ]
    part, _ = remote_wire.series(labelled, push.times_ns // 1_000_000, push.values)
    return remote_wire.packed([part])


def _argv(kind: Kind, folder: Path, port: int) -> list[str]:
    if kind == "victoria-metrics":
        return [
            "victoria-metrics",
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=1y",
            "-tls",
            "-tlsCertFile=server.pem",
            "-tlsKeyFile=server.key",
        ]
    (folder / "prometheus.yml").write_text("{}")
    (folder / "web.yml").write_text(
        "tls_server_config: {cert_file: server.pem, key_file: server.key, "
        "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}"
    )
    return [
        "prometheus",
        "--config.file=prometheus.yml",
        "--web.config.file=web.yml",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=1y",
    ]


def _connected(folder: Path, port: int) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    until_s = time.monotonic() + START_S
    while True:
        talk = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
        try:
            talk.request("GET", "/health")
            talk.getresponse().read()
            return talk
        except OSError:
            if time.monotonic() > until_s:
                raise RuntimeError((folder / "log").read_text()[-2_000:]) from None
            time.sleep(0.1)


def _certificates(folder: Path) -> None:
    """An authority, a server's certificate and a client's, ECDSA on P-256 as ours are."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    now = datetime.now(UTC)

    def certificate(name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        subject = issuer if is_authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return made.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    (folder / "ca.pem").write_bytes(certificate("authority", authority_key, is_authority=True))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(private)
        (folder / f"{name}.pem").write_bytes(certificate(name, key, is_authority=False))
