"""The HTTP side speaks TLS where it was given a certificate, and says what is wrong with one that it cannot use."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_collector import app, config
from sitewarden_collector.errors import ConfigError


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "desk.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "desk.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "desk.pem", folder / "desk.key"


def made(folder: Path, more: str) -> config.Config:
    text = (
        f'data_dir = "{folder / "data"}"\n[listen]\nstreams = "127.0.0.1:0"\nenrolment = "127.0.0.1:0"\n'
        f'http = "127.0.0.1:0"\n[console]\n{more}'
    )
    return config.resolve(config.parse(text), folder)


async def test_with_a_certificate_the_pages_come_by_tls_alone(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    collector = app.Collector(made(tmp_path, 'certificate_file = "desk.pem"\nkey_file = "desk.key"\n'))
    await collector.start()
    try:
        trust = ssl.create_default_context(cafile=str(pem))
        async with httpx.AsyncClient(verify=trust) as client:
            answer = await client.get(f"https://localhost:{collector.http_port}/healthz")
            assert answer.status_code == 200
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://localhost:{collector.http_port}/healthz")
    finally:
        await asyncio.wait_for(collector.stop(), 30)


@pytest.mark.parametrize("wrong", ["missing", "garbage", "half"])
async def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path, wrong: str) -> None:
    if wrong == "half":
        with pytest.raises(ConfigError, match="or neither"):
            made(tmp_path, 'certificate_file = "desk.pem"\n')
        return
    certificate(tmp_path)
    if wrong == "garbage":
        (tmp_path / "desk.pem").write_text("not a certificate")
    else:
        (tmp_path / "desk.key").unlink()
    collector = app.Collector(made(tmp_path, 'certificate_file = "desk.pem"\nkey_file = "desk.key"\n'))
    with pytest.raises(ConfigError, match="belong together"):
        await collector.start()
