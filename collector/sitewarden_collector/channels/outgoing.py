"""A POST to an address that somebody gave us: not to our own network, not where it is redirected, not for ever.

The name is resolved here and every address that it stands for must be public, unless the configuration allows private
ones; the connection goes to the address that was looked at, so that a name which changes in between changes nothing.
Redirects are answers like any other. The answer is read up to a bound, and everything ends at the deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, Invalid

ANSWER_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the beginning of the body."""

    status: int
    body: bytes
    retry_after: str = ""


def check(url: str) -> None:
    """Raise Invalid, without quoting it, when `url` is no address that we would ever post to."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or any(c.isspace() or ord(c) < 33 or ord(c) > 126 for c in url) or len(url) > 2000:
        raise Invalid("the url is no web address; give one as https://hooks.example.com/sitewarden")
    if parts.username is not None or parts.password is not None:
        raise Invalid("the url holds a user or password, which is not sent on; messages are signed instead")
    if parts.fragment:
        raise Invalid("the url has a part behind #, which is never sent; leave it out")


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], deadline_s: float, allow_private: bool = False
) -> Answer:
    """Post and return the answer, whatever its status. Raises ChannelUnavailable when none came, and ChannelRejected
    when none may be asked for there."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    ends = time.monotonic() + deadline_s
    address = _resolve(host, port, allow_private=allow_private)
    cut_off: threading.Timer | None = None
    connection: http.client.HTTPConnection | None = None
    try:
        raw = socket.create_connection((address, port), timeout=deadline_s)
        # One read at a time is not enough: a header that comes a byte a second must end, too.
        cut_off = threading.Timer(max(0.1, ends - time.monotonic()), _hang_up, [raw])
        cut_off.daemon = True
        cut_off.start()
        if secure:
            connection = http.client.HTTPSConnection(host, port, timeout=deadline_s)
            connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=deadline_s)
            connection.sock = raw
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {"Connection": "close", **headers})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(ANSWER_MAX_BYTES), answer.headers.get("Retry-After", ""))
    except ssl.SSLCertVerificationError as error:
        raise ChannelUnavailable(f"the certificate of {host} cannot be trusted ({error.verify_message})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChannelUnavailable(f"{host} gave no answer ({str(error).strip() or type(error).__name__})") from error
    finally:
        if cut_off is not None:
            cut_off.cancel()
        if connection is not None:
            connection.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet, whichever way it is written."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise ChannelUnavailable(f"the name {host} cannot be resolved ({error})") from error
    if not allow_private and not all(is_public(address) for address in found):
        raise ChannelRejected(
            f"{host} is in a private network; set webhooks.allow_private in the configuration if it shall be told"
        )
    return found[0]


def _hang_up(raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
