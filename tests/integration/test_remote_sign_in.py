"""How a remote store is signed in to: by password or token, over TLS that is looked at, with secrets kept elsewhere."""

from __future__ import annotations

import datetime
import ipaddress
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitewarden_collector import config as configuration
from sitewarden_collector.channels import remote_wire
from sitewarden_collector.channels.remote_store import RemoteStore
from sitewarden_collector.config import RemoteWrite
from sitewarden_collector.errors import ChannelUnavailable, ConfigError
from tests import remote_stores
from tests.fakes.web import WebService
from tests.integration.test_remote_write import remote
from tests.remote_stores import Store

EMPTY = remote_wire.packed(())
TABLE = '[export.remote_write]\nurl = "https://store.example.com/api/v1/write"\n'


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(loopback, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "store.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "store.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "store.pem", folder / "store.key"


async def test_tls_is_looked_at(tmp_path: Path) -> None:
    if remote_stores.missing("prometheus"):
        pytest.skip("needs: prometheus (Debian: prometheus)")
    with Store("prometheus", certificate=_certificate(tmp_path)) as store:
        trusting = RemoteStore(remote(store.write_url, ca_file=str(tmp_path / "store.pem")))
        assert (await trusting.push(EMPTY)).taken
        await trusting.close()
        strange = RemoteStore(remote(store.write_url))
        with pytest.raises(ChannelUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await strange.push(EMPTY)
        await strange.close()


async def test_a_token_and_further_headers_go_along_and_into_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with WebService() as web:
        web.status, web.answer = 500, b"Bearer token-79 of tenant-80 is not welcome"
        told = RemoteWrite(url=f"{web.origin}/push", bearer="token-79", headers={"X-Scope-OrgID": "tenant-80"})
        store = RemoteStore(told)
        answer = await store.push(EMPTY)
        await store.close()
    (request,) = web.requests
    assert (request.headers["Authorization"], request.headers["X-Scope-OrgID"]) == ("Bearer token-79", "tenant-80")
    assert request.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert answer.said == "Bearer [secret] of [secret] is not welcome"
    assert "token-79" not in caplog.text + repr(told) + store.refusal(answer)


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (TABLE + 'user = "a"\npassword = "pw-83"\n', {}, {"password": "pw-83", "bearer": ""}),
        (TABLE + 'password_file = "secret"\n', {}, {"password": "from-file", "bearer": ""}),
        (TABLE + 'bearer_file = "secret"\n', {}, {"password": "", "bearer": "from-file"}),
        (TABLE, {"SITEWARDEN_REMOTE_WRITE_PASSWORD": "pw-81"}, {"password": "pw-81", "bearer": ""}),
        (TABLE, {"SITEWARDEN_REMOTE_WRITE_BEARER": "tk-82"}, {"password": "", "bearer": "tk-82"}),
    ],
)
def test_secrets_are_read_from_where_they_rest(
    tmp_path: Path, text: str, environment: dict[str, str], expected: dict[str, Any]
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    (tmp_path / "collector.toml").write_text(text)
    found = configuration.load(tmp_path / "collector.toml", environment=environment).export.remote_write
    assert expected.items() <= msgspec.structs.asdict(found).items()
    assert not [one for one in expected.values() if one and one in repr(found)]


def test_a_secret_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "collector.toml").write_text(TABLE + 'password_file = "nowhere"\n')
    with pytest.raises(ConfigError, match=r"export.remote_write.password_file: .*nowhere cannot be read"):
        configuration.load(tmp_path / "collector.toml")
