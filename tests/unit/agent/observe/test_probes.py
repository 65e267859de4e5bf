"""Probes of pages, ports and processes against real ones, and what a row of looks means."""

from __future__ import annotations

import asyncio
import datetime
import re
import ssl
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
from sitewarden_agent.config import CommandProbe, HttpProbe, ProcessProbe, TcpProbe
from sitewarden_agent.observe import certificate
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.probe_process import Processes
from sitewarden_agent.observe.probe_state import ProbeState
from sitewarden_agent.observe.probes import look

S = 1_000_000_000


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


@asynccontextmanager
async def echo(greeting: bytes, *, closes: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that greets, and repeats what is said."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while not closes and (line := await reader.readline()):
            writer.write(b"you said " + line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def tcp(port: int, **more: object) -> TcpProbe:
    known = {"name": "port", "address": f"127.0.0.1:{port}", "timeout_s": 0.5, **more}
    return TcpProbe(**known)  # type: ignore[arg-type]


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
        assert (await look(ProcessProbe(name="x", process="sleep 61.25"), SystemClock())).ok
        seen = await look(ProcessProbe(name="x", process="sleep 61.25", at_least=2), SystemClock())
        assert seen.detail == "1 running, 2 needed"
    finally:
        process.kill()
        await process.wait()


def self_signed(folder: Path, days: int = 30) -> tuple[ssl.SSLContext, datetime.datetime]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    until = now + datetime.timedelta(days=days)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(days=90), until
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")
    assert certificate.expires_ns(made.public_bytes(serialization.Encoding.DER)) == int(until.timestamp()) * S
    return context, until


@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ({"expect_pattern": r'"version":\s*"\d+\.'}, "status 200"),
        ({"expect_pattern": r"version 9"}, "status 200, but the expected pattern is not found"),
        ({"expect_pattern": r"(\w+\s?)*!"}, "status 200, but the expected pattern is not found"),
        ({"expect_pattern": r"(?=UP)"}, "RE2 does not understand expect_pattern; write it without look-around"),
        ({"expect_json": {"status": "UP", "parts.1.name": "db", "load": 0.5, "ready": True}}, "status 200"),
        ({"expect_json": {"status": "DOWN"}}, "status 200, but status is 'UP' instead of 'DOWN'"),
        ({"expect_json": {"ready": 1}}, "status 200, but ready is True instead of 1"),
        ({"expect_json": {"parts.7.name": "db"}}, "status 200, but parts.7.name is missing"),
        ({"expect_json": {"status.more": "x"}}, "status 200, but status.more is missing"),
    ],
)
async def test_what_a_page_says_is_compared(how: dict[str, object], detail: str) -> None:
    body = b'{"status": "UP", "version": "2.1", "ready": true, "load": 0.5, "parts": [{}, {"name": "db"}]}'
    async with page(b"HTTP/1.1 200 OK\r\n\r\n" + body) as port:
        seen = await look(http(port, **how), SystemClock())
    assert (seen.detail, seen.ok) == (detail, detail == "status 200")


async def test_a_page_that_is_no_json_says_so() -> None:
    async with page(OK) as port:
        seen = await look(http(port, expect_json={"status": "UP"}), SystemClock())
    assert seen.detail == "status 200, but the answer is no JSON"
    async with page(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 60_000) as port:
        seen = await look(http(port, expect_json={"status": "UP"}), SystemClock())
    assert seen.detail == "status 200, but the answer is no JSON"


async def test_a_page_that_comes_too_late_is_bad() -> None:
    async with page(OK) as port:
        seen = await look(http(port, latency_max_s=1e-9), SystemClock())
    assert not seen.ok
    assert seen.detail.startswith("status 200, but only after 0.")


async def test_a_port_that_should_answer_does_or_says_something_else() -> None:
    async with echo(b"220 mail ready\r\n") as port:
        assert (await look(tcp(port, expect="220 "), SystemClock())).detail == "answers as expected"
        seen = await look(tcp(port, expect="250 "), SystemClock())
        assert (seen.ok, seen.detail) == (False, "no answer within 0.5 s")
        assert (await look(tcp(port, send="PING\r\n", expect="you said PING"), SystemClock())).ok
    async with echo(b"SSH-2.0\r\n", closes=True) as port:
        seen = await look(tcp(port, expect="220 "), SystemClock())
        assert (seen.ok, seen.detail) == (False, "the expected text is missing; it answered 'SSH-2.0'")


async def test_a_port_with_tls_tells_when_its_certificate_ends(tmp_path: Path) -> None:
    tls, until = self_signed(tmp_path)
    async with echo(b"* OK ready\r\n", tls=tls) as port:
        own = tcp(port, tls=True, expect="* OK", ca_file=str(tmp_path / "cert.pem"), address=f"localhost:{port}")
        seen = await look(own, SystemClock())
        assert (seen.ok, seen.certificate_expires_ns) == (True, int(until.timestamp()) * S)
        assert {series.name: 29.9 < value <= 30 for series, value in seen.values.items()} == {
            "certificate_left_days": True
        }
        strict = await look(tcp(port, tls=True), SystemClock())
    assert strict.detail.startswith("the certificate is not valid")


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file or directory"), ("no PEM", "[Nn]o certificate")])
async def test_a_file_of_authorities_that_is_no_good_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    tls, _ = self_signed(tmp_path)
    async with page(OK, tls=tls) as port:
        seen = await look(HttpProbe(name="x", url=f"https://localhost:{port}/", ca_file=str(ca)), SystemClock())
    assert re.fullmatch(rf"ca_file {ca} cannot be used \(.*{reason}.*\); write certificates in PEM there", seen.detail)


async def test_a_certificate_that_has_ended_is_bad(tmp_path: Path) -> None:
    tls, _ = self_signed(tmp_path, days=-1)
    async with page(OK, tls=tls) as port:
        url, ca = f"https://localhost:{port}/", str(tmp_path / "cert.pem")
        seen = await look(HttpProbe(name="x", url=url, ca_file=ca), SystemClock())
        assert (seen.ok, seen.detail) == (False, "the certificate is not valid: certificate has expired")
        seen = await look(HttpProbe(name="x", url=url, verify=False), SystemClock())
        ((series, left_days),) = seen.values.items()
        assert (series.name, round(left_days, 1)) == ("certificate_left_days", -1.0)


async def test_a_process_that_is_found_is_not_looked_for_again() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "61.5")
    try:
        see = Processes(ProcessProbe(name="x", process="sleep 61.5"))
        assert (await see()).ok
        assert (await see()).ok
    finally:
        process.kill()
        await process.wait()
    assert (await see()).detail == "0 running, 1 needed"


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


def test_a_change_of_how_bad_it_is_is_told_at_once() -> None:
    state = ProbeState(CommandProbe(name="disk", command=("/x",), failures_needed=1))
    told = []
    for number, (ok, level) in enumerate(
        [(True, ""), (False, "warning"), (False, "warning"), (False, "critical"), (True, "")]
    ):
        result = state.seen(Look(ok, "x", level=level), number * S)  # type: ignore[arg-type]
        told.append(None if result is None else (result.ok, result.level))
    assert told == [(True, ""), (False, "warning"), None, (False, "critical"), (True, "")]


def test_nothing_is_told_or_kept_before_it_is_redacted() -> None:
    state = ProbeState(TcpProbe(name="db", address="secret.example:1"), lambda text: text.replace("secret", "<x>"))
    result = state.seen(Look(True, "hello secret"), 0)
    assert result is not None
    assert (result.target, result.detail) == ("<x>.example:1", "hello <x>")
    assert state.last is not None
    assert state.last.detail == "hello <x>"


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
