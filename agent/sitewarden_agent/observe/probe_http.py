"""One GET of an HTTP page: status, text, and when its certificate expires.

Promises: it ends when the caller's deadline does; it reads no more of the body than it was told, follows redirects on
the same host only, takes no proxy from the environment and sends no credentials. Asyncio streams; not here: deadlines,
what an answer means (`probe_page`, `probe_prometheus`).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from sitewarden_agent.observe import certificate
from sitewarden_agent.observe.looks import Bad

if TYPE_CHECKING:
    import ssl

BODY_MAX_BYTES = 64 * 1024
REDIRECTS_MAX = 3
_HEAD_MAX_BYTES = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)


class BadAnswer(Bad):
    """What came back is not HTTP, or leads away from the host."""


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    body: bytes
    certificate_expires_ns: int | None
    whole: bool = True
    """Whether the body ended within the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask."""

    verify: bool = True
    ca_file: str | None = None
    expected: tuple[int, ...] = ()
    """Redirects are followed unless their status is among these."""
    body_max_bytes: int = 0
    accept: str = "*/*"


async def get(url: str, how: Asking = Asking()) -> Page:
    """Get `url`. Raises OSError, BadAnswer."""
    host = urlsplit(url).hostname
    for _ in range(REDIRECTS_MAX + 1):
        page, location = await _get_once(urlsplit(url), how)
        if page.status not in _REDIRECTS or page.status in how.expected or not location:
            return page
        try:
            url = urljoin(url, location)
            there = urlsplit(url)
            _ = there.port  # a port that is none is found out only when it is asked for
        except ValueError as error:
            raise BadAnswer(f"status {page.status} leads to an address that is none: {error}") from None
        if there.hostname != host or there.scheme not in ("http", "https"):
            raise BadAnswer(f"status {page.status} leads to another host, {there.hostname}")
    raise BadAnswer(f"more than {REDIRECTS_MAX} redirects")


def _tls(how: Asking) -> ssl.SSLContext:
    from sitewarden_agent.observe import tls

    return tls.context(how.verify, how.ca_file)


async def _get_once(url: SplitResult, how: Asking) -> tuple[Page, str]:
    secure = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=_tls(how) if secure else None, server_hostname=host if secure else None, limit=_HEAD_MAX_BYTES
    )
    try:
        shown = f"[{host}]" if ":" in host else host
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {shown}{'' if url.port is None else f':{port}'}\r\n"
            f"User-Agent: sitewarden-agent\r\nAccept: {how.accept}\r\nAccept-Encoding: identity\r\n"
            "Connection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii", "ignore"))
        status, headers = await _head(reader)
        body = await _body(reader, headers, how.body_max_bytes + 1) if how.body_max_bytes else b""
        expires_ns = None
        if (tls := writer.get_extra_info("ssl_object")) is not None:
            expires_ns = certificate.expires_ns(tls.getpeercert(binary_form=True) or b"")
        whole = len(body) <= how.body_max_bytes
        return Page(status, body[: how.body_max_bytes], expires_ns, whole), headers.get("location", "")
    finally:
        writer.transport.abort()  # nothing more is wanted; a polite close could wait for a silent server
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            first, _, rest = raw.partition(b"\r\n")
            version, code, *_ = first.split(None, 2)
            if not version.startswith(b"HTTP/1.") or not 100 <= int(code) <= 599:
                raise BadAnswer("the answer is not HTTP/1")
            if int(code) >= 200:  # before it there may be interim answers
                return int(code), _headers(rest)
    except asyncio.IncompleteReadError as error:
        raise BadAnswer(
            "the connection was closed before an answer" if not error.partial else "half an answer"
        ) from None
    except (ValueError, asyncio.LimitOverrunError):
        raise BadAnswer("the answer is not HTTP/1") from None


def _headers(raw: bytes) -> dict[str, str]:
    """By their names in small letters; of several of one name the first."""
    found: dict[str, str] = {}
    for line in raw.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], limit: int) -> bytes:
    """At most `limit` bytes of it."""
    body = bytearray()
    try:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while len(body) < limit:
                size = int((await reader.readline()).split(b";")[0], 16)
                if size <= 0:
                    break
                body += await reader.readexactly(min(size, limit - len(body)))
                if len(body) < limit:
                    await reader.readline()
            return bytes(body)
        length = headers.get("content-length")
        wanted = limit if length is None else min(int(length), limit)
        return await reader.readexactly(wanted)
    except asyncio.IncompleteReadError as error:
        return bytes(body) + error.partial
    except ValueError:
        raise BadAnswer("the answer is not HTTP/1") from None
