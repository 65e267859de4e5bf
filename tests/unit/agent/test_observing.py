"""Health, blocks, probes and the site's key: what is seen besides logs."""

from __future__ import annotations

import asyncio
import datetime
import math
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Folder, Health, HttpProbe, ProcessProbe, Redact, TcpProbe
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.model import Series
from sitewarden_agent.observe import certificate, redaction, sitekey
from sitewarden_agent.observe.blocks import Collecting
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.observe.probes import Look, ProbeState, count_processes, look
from sitewarden_agent.observe.records import zone
from sitewarden_agent.spool import WatchLevel
from sitewarden_protos import blocks

S = 1_000_000_000
CPU, DISK = Series("cpu_used_ratio", unit="ratio"), Series("filesystem_used_ratio", (("mountpoint", "/"),), "ratio")

# Health.


def test_a_host_has_the_vital_signs_with_units_in_their_names() -> None:
    sampler = Sampler(Health())
    found = {series.name: value for series, value in sampler.sample().items()}
    for name in ("cpu_used_ratio", "memory_used_ratio", "filesystem_used_ratio"):
        assert 0 <= found[name] <= 1
    for name in ("memory_available_bytes", "filesystem_size_bytes", "filesystem_avail_bytes", "uptime_seconds"):
        assert found[name] > 0
    assert {"load1", "network_receive_bytes_total", "network_transmit_bytes_total"} <= set(found)
    assert sampler.complaints == []


def test_a_data_folder_is_measured_against_its_limit(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "deep/b").write_bytes(b"x" * 500)
    os.link(tmp_path / "a", tmp_path / "deep/again")
    (tmp_path / "loop").symlink_to(tmp_path)
    health = Health(folders=(Folder(name="data", path=str(tmp_path), limit_bytes=5000),))
    found = {
        series.name: value for series, value in Sampler(health).sample().items() if ("folder", "data") in series.labels
    }
    assert found["folder_used_bytes"] == 1500 + (tmp_path / "loop").lstat().st_size
    assert found["folder_used_ratio"] == found["folder_used_bytes"] / found["folder_limit_bytes"]
    assert found["folder_limit_bytes"] == 5000


def test_a_folder_or_disk_that_is_not_there_is_a_complaint_and_the_rest_is_measured() -> None:
    health = Health(disks=("/", "/nowhere"), folders=(Folder(name="data", path="/nowhere", limit_bytes=1),))
    sampler = Sampler(health)
    assert CPU in sampler.sample()
    assert len([complaint for complaint in sampler.complaints if "/nowhere" in complaint]) == 2


# Blocks.


def test_a_block_closes_after_a_minute_and_holds_what_was_seen() -> None:
    collecting = Collecting()
    for tick in range(6):
        assert collecting.add(tick * 10 * S, {CPU: tick / 10, DISK: 0.5}) == []
    (block,) = collecting.add(60 * S, {CPU: 0.6, DISK: math.nan})
    assert block.series == (CPU, DISK)
    assert (block.ticks, block.early) == (7, False)
    times_ns, columns = blocks.decode(block.block, series=2)
    assert list(times_ns) == [tick * 10 * S for tick in range(7)]
    assert list(columns[0]) == [tick / 10 for tick in range(6)] + [0.6]


def test_a_block_closes_at_once_when_a_watch_level_is_crossed_in_either_direction() -> None:
    levels = [WatchLevel("filesystem_used_ratio", above=0.9)]
    collecting = Collecting()
    assert collecting.add(0, {CPU: 0.1, DISK: 0.5}, levels=levels) == []
    (over,) = collecting.add(10 * S, {CPU: 0.1, DISK: 0.95}, levels=levels)
    assert (over.ticks, over.early) == (2, True)
    assert collecting.add(20 * S, {CPU: 0.1, DISK: 0.96}, levels=levels) == []
    (under,) = collecting.add(30 * S, {CPU: 0.1, DISK: 0.5}, levels=levels)
    assert under.early


def test_a_first_value_beyond_a_level_does_not_wait() -> None:
    (block,) = Collecting().add(0, {DISK: 0.95}, levels=[WatchLevel("filesystem_used_ratio", above=0.9)])
    assert block.early


def test_another_set_of_series_or_a_clock_set_back_begins_a_new_block() -> None:
    collecting = Collecting()
    collecting.add(100 * S, {CPU: 0.1})
    (first,) = collecting.add(110 * S, {CPU: 0.1, DISK: 0.5})
    assert (first.series, first.ticks) == ((CPU,), 1)
    (second,) = collecting.add(50 * S, {CPU: 0.1, DISK: 0.5})
    assert second.ticks == 1


# Probes.


@asynccontextmanager
async def page(answer: bytes | Callable[[bytes], bytes], *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that gives one answer to everything and says which port it has."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer if isinstance(answer, bytes) else answer(request))
        try:
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def http(port: int, **more: object) -> HttpProbe:
    return HttpProbe(name="page", url=f"http://127.0.0.1:{port}/health?x=1", timeout_s=2.0, **more)  # type: ignore[arg-type]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_healthy_page_is_good() -> None:
    seen_request = []

    def answer(request: bytes) -> bytes:
        seen_request.append(request)
        return OK

    async with page(answer) as port:
        seen = await look(http(port), SystemClock())
    assert (seen.ok, seen.detail) == (True, "status 200")
    assert seen.duration_ns > 0
    assert seen_request[0].startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 503 Sorry\r\n\r\n", "status 503 instead of 200 or 204"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndown", "the expected text is missing"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000 + b"all is well", "the expected text is missing"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the answer is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "the answer is not HTTP/1"),
        (b"HTTP/1.1 2", "half an answer"),
        (b"", "closed before an answer"),
        (b"HTTP/1.1 302 Go\r\nLocation: http://elsewhere.example/\r\n\r\n", "leads to another host"),
        (b"HTTP/1.1 302 Go\r\nLocation: /health?x=1\r\n\r\n", "more than 3 redirects"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the answer is not HTTP/1"),
    ],
)
async def test_a_page_that_is_not_as_expected_is_bad_and_says_why(answer: bytes, detail: str) -> None:
    async with page(answer) as port:
        seen = await look(http(port, expect_text="all is well"), SystemClock())
    assert not seen.ok
    assert detail in seen.detail


async def test_text_in_chunks_is_found() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7\r\nis well\r\n0\r\n\r\n"
    async with page(answer) as port:
        assert (await look(http(port, expect_text="all is well"), SystemClock())).ok


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    def answer(request: bytes) -> bytes:
        return OK if b"/there" in request else b"HTTP/1.1 302 Go\r\nLocation: /there\r\n\r\n"

    async with page(answer) as port:
        assert (await look(http(port), SystemClock())).ok


async def test_a_page_that_never_answers_has_failed_in_time() -> None:
    stopped = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stopped.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        probe = HttpProbe(name="x", url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout_s=0.1)
        seen = await look(probe, SystemClock())
        stopped.set()
    assert (seen.ok, seen.detail) == (False, "no answer within 0.1 s")


async def test_a_port_is_open_or_refused() -> None:
    async with page(OK) as port:
        assert (await look(TcpProbe(name="x", address=f"127.0.0.1:{port}"), SystemClock())).ok
    seen = await look(TcpProbe(name="x", address=f"127.0.0.1:{port}"), SystemClock())
    assert (seen.ok, seen.detail) == (False, "the connection was refused")


async def test_a_process_runs_or_not() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "61.25")
    try:
        assert count_processes("sleep 61.25") == 1
        assert (await look(ProcessProbe(name="x", process="sleep 61.25"), SystemClock())).ok
        seen = await look(ProcessProbe(name="x", process="sleep 61.25", at_least=2), SystemClock())
        assert seen.detail == "1 running, 2 needed"
    finally:
        process.kill()
        await process.wait()


def self_signed(folder: Path) -> tuple[ssl.SSLContext, datetime.datetime]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    until = now + datetime.timedelta(days=30)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, until)
    made = builder.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")
    assert certificate.expires_ns(made.public_bytes(serialization.Encoding.DER)) == int(until.timestamp()) * S
    return context, until


async def test_the_end_of_a_certificate_is_told_and_a_wrong_one_is_bad(tmp_path: Path) -> None:
    tls, until = self_signed(tmp_path)
    async with page(OK, tls=tls) as port:
        trusting = HttpProbe(name="x", url=f"https://127.0.0.1:{port}/", verify=False)
        seen = await look(trusting, SystemClock())
        assert (seen.ok, seen.certificate_expires_ns) == (True, int(until.timestamp()) * S)
        strict = await look(HttpProbe(name="x", url=f"https://127.0.0.1:{port}/"), SystemClock())
    assert not strict.ok
    assert strict.detail.startswith("the certificate is not valid")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_have_no_end(data: bytes) -> None:
    certificate.expires_ns(data)
    assert certificate.expires_ns(b"\x30\x82" + data) is None


def test_a_state_turns_red_after_enough_failures_and_green_after_one_success() -> None:
    state = ProbeState(TcpProbe(name="db", address="x:1", failures_needed=2))
    told = []
    for number, ok in enumerate([True, True, False, True, False, False, False, True]):
        result = state.seen(Look(ok, "x"), number * S)
        told.append(None if result is None else result.ok)
    assert told == [True, None, None, None, None, False, None, True]


def test_the_state_is_told_again_every_minute() -> None:
    state = ProbeState(TcpProbe(name="db", address="x:1"))
    told = [second for second in range(0, 130, 10) if state.seen(Look(True, "x"), second * S)]
    assert told == [0, 60, 120]


def test_every_look_is_a_sample() -> None:
    state = ProbeState(TcpProbe(name="db", address="x:1"))
    assert state.samples() == {}
    state.seen(Look(False, "x", 250_000_000), 0)
    assert {series.name: value for series, value in state.samples().items()} == {
        "probe_success": 0.0,
        "probe_duration_seconds": 0.25,
    }


# The site's key.


def test_the_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(sitekey.read_or_make(tmp_path / "state"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert (tmp_path / "state/redaction.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "state") == ["redaction.key"]


def test_a_torn_key_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "redaction.key").write_bytes(b"")
    assert len(sitekey.read_or_make(tmp_path)) == 32


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="check who owns"):
        sitekey.read_or_make(tmp_path / "file/state")


# Redaction as the site configured it.


def test_words_of_a_file_of_their_own_are_redacted(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("# customers\nGlobex\n\n  Initech  \n")
    settings = Redact(literals_file=str(tmp_path / "words"), literals=("Hooli",), extra_keys=("tenant",))
    redacted = redaction.redactor(settings, key=b"k").redact("globex, Initech and HOOLI of tenant=blue: # customers")
    assert redacted.count("<literal:") == 3
    assert "blue" not in redacted
    assert redacted.endswith("# customers")


def test_nothing_leaves_when_the_words_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing leaves without it"):
        redaction.redactor(Redact(literals_file=str(tmp_path / "none")), key=b"k")


def test_a_time_zone_is_that_of_the_host_unless_it_is_named() -> None:
    assert zone("Asia/Shanghai").utcoffset(datetime.datetime(2026, 1, 1)) == datetime.timedelta(hours=8)  # noqa: DTZ001
    assert zone("local").utcoffset(datetime.datetime(2026, 1, 1)) is not None  # noqa: DTZ001
