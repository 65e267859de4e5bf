"""One look at an HTTP page: status, text, time, and when its certificate expires.

Promises: it ends when the caller's deadline does; it reads at most 64 KiB, follows redirects on the same host only,
takes no proxy from the environment and sends no credentials. Asyncio streams; not here: deadlines, what a result means
(`probes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import ssl
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit

from sitewarden_agent.observe import certificate

BODY_MAX_BYTES = 64 * 1024
REDIRECTS_MAX = 3
_REDIRECTS = (301, 302, 303, 307, 308)


class BadAnswer(Exception):
    """What came back is not HTTP, or leads away from the host."""


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    body: bytes
    certificate_expires_ns: int | None


async def get(url: str, *, verify: bool = True, expected: tuple[int, ...] = (), with_body: bool = False) -> Page:
    """Get `url`. Redirects are followed unless their status is among `expected`. Raises OSError, BadAnswer."""
    host = urlsplit(url).hostname
    for _ in range(REDIRECTS_MAX + 1):
        page, location = await _get_once(urlsplit(url), verify=verify, with_body=with_body)
        if page.status not in _REDIRECTS or page.status in expected or not location:
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


@lru_cache(maxsize=2)
def _tls(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _get_once(url: SplitResult, *, verify: bool, with_body: bool) -> tuple[Page, str]:
    secure = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=_tls(verify) if secure else None, server_hostname=host if secure else None, limit=BODY_MAX_BYTES
    )
    try:
        shown = f"[{host}]" if ":" in host else host
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {shown}{'' if url.port is None else f':{port}'}\r\n"
            "User-Agent: sitewarden-agent\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii", "ignore"))
        status, headers = await _head(reader)
        body = await _body(reader, headers) if with_body else b""
        expires_ns = None
        if (tls := writer.get_extra_info("ssl_object")) is not None:
            expires_ns = certificate.expires_ns(tls.getpeercert(binary_form=True) or b"")
        return Page(status, body, expires_ns), headers.get("Location") or ""
    finally:
        writer.transport.abort()  # nothing more is wanted; a polite close could wait for a silent server
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> tuple[int, http.client.HTTPMessage]:
    try:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            first, _, rest = raw.partition(b"\r\n")
            version, code, *_ = first.split(None, 2)
            if not version.startswith(b"HTTP/1.") or not 100 <= int(code) <= 599:
                raise BadAnswer("the answer is not HTTP/1")
            if int(code) >= 200:  # before it there may be interim answers
                return int(code), http.client.parse_headers(io.BytesIO(rest))
    except asyncio.IncompleteReadError as error:
        raise BadAnswer(
            "the connection was closed before an answer" if not error.partial else "half an answer"
        ) from None
    except (ValueError, asyncio.LimitOverrunError, http.client.HTTPException):
        raise BadAnswer("the answer is not HTTP/1") from None


async def _body(reader: asyncio.StreamReader, headers: http.client.HTTPMessage) -> bytes:
    """At most BODY_MAX_BYTES of it."""
    try:
        if "chunked" in (headers.get("Transfer-Encoding") or "").lower():
            body = b""
            while len(body) < BODY_MAX_BYTES:
                size = int((await reader.readline()).split(b";")[0], 16)
                if size == 0:
                    break
                body += await reader.readexactly(min(size, BODY_MAX_BYTES))
                if size > BODY_MAX_BYTES:
                    break
                await reader.readline()
            return body[:BODY_MAX_BYTES]
        length = headers.get("Content-Length")
        wanted = BODY_MAX_BYTES if length is None else min(int(length), BODY_MAX_BYTES)
        return await reader.readexactly(wanted)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except ValueError:
        raise BadAnswer("the answer is not HTTP/1") from None
