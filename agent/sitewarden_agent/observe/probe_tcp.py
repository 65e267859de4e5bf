"""One look at a TCP port: whether it accepts, and where that is wished, speaks TLS and answers as it should.

Reads at most 4 KiB. Not here: deadlines, what a result means (`probes`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sitewarden_agent.config import TcpProbe
from sitewarden_agent.observe import certificate
from sitewarden_agent.observe.looks import Look

if TYPE_CHECKING:
    import ssl  # five megabytes, loaded where a probe speaks TLS

ANSWER_MAX_BYTES = 4_096
_SHOWN_MAX = 80


async def look_at_port(probe: TcpProbe) -> Look:
    """Raises OSError."""
    host, _, port = probe.address.rpartition(":")
    host = host.strip("[]")
    reader, writer = await asyncio.open_connection(
        host, int(port), ssl=_tls(probe), server_hostname=host if probe.tls else None
    )
    try:
        secure = writer.get_extra_info("ssl_object")
        expires_ns = None if secure is None else certificate.expires_ns(secure.getpeercert(binary_form=True) or b"")
        if probe.send:
            writer.write(probe.send.encode())
        answer = await _answer(reader, probe.expect.encode())
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if probe.expect.encode() in answer:
        return Look(True, "answers as expected" if probe.expect else "accepts connections", 0, expires_ns)
    shown = answer[:_SHOWN_MAX].decode("utf-8", "replace").strip()
    return Look(False, f"the expected text is missing; it answered {shown!r}", 0, expires_ns)


def _tls(probe: TcpProbe) -> ssl.SSLContext | None:
    if not probe.tls:
        return None
    from sitewarden_agent.observe import tls

    return tls.context(probe.verify, probe.ca_file)


async def _answer(reader: asyncio.StreamReader, expected: bytes) -> bytes:
    """What came until the expected text, the bound or the end."""
    answer = b""
    while expected not in answer and len(answer) < ANSWER_MAX_BYTES:
        some = await reader.read(ANSWER_MAX_BYTES - len(answer))
        if not some:
            break
        answer += some
    return answer
