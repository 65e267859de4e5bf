"""One JSON POST, and what its answer means for trying again.

Statuses (RFC 9110): 2xx was taken. 408, 425, 429 and 5xx may pass; every other 4xx fails again, and so does a redirect,
which is not followed because the secret in the address would go to whom it names. Whatever breaks before a status came
may pass. The answer's body is read up to a bound and never quoted in errors, which end in logs and on screens.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, ConfigError

ANSWER_MAX_BYTES = 64 * 1024
KEPT_S = 10.0  # services close what is idle for longer, and pages that follow each other do so within less
KEPT_MAX = 4
MAY_PASS = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to post. `origin` may be shown to people, the rest may hold a secret."""

    secure: bool
    host: str
    port: int
    target: str
    authorization: str | None

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"


def parse(name: str, url: str) -> Address:
    """The address in `http(s)://[user:password@]host[:port]/path?query`; raises ConfigError without quoting it."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or any(c.isspace() or ord(c) < 32 for c in url):
        raise ConfigError(f"channel {name}: its url is not a web address; write webhook+https://HOST/PATH")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(credentials.encode()).decode()
    return Address(
        secure=secure, host=host, port=port or (443 if secure else 80), target=target, authorization=authorization
    )


class Kept:
    """Connections to one address, kept for what follows soon: that needs no new handshake. Used by several threads."""

    def __init__(self) -> None:
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def take(self) -> http.client.HTTPConnection | None:
        """The connection that was used last, if that was a moment ago; the caller's until it gives it back."""
        while self._idle:
            try:
                since_s, connection = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if time.monotonic() - since_s < KEPT_S:
                return connection
            connection.close()
        return None

    def give(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose answer was read to its end."""
        if len(self._idle) < KEPT_MAX:
            self._idle.append((time.monotonic(), connection))
        else:
            connection.close()


def post_json(
    name: str,
    address: Address,
    payload: Mapping[str, Any],
    *,
    headers: Mapping[str, str],
    deadline_s: float,
    kept: Kept | None = None,
) -> bytes:
    """Post and return the answer's body (at most 64 KiB) when its status was 2xx. With `kept` connections are kept, and
    what is sent must bear to arrive twice: a service may close one just as it is used.

    Raises ChannelUnavailable or ChannelRejected, with the channel's name, the host and what to do.
    """
    ends = time.monotonic() + deadline_s
    sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "sitewarden", **headers}
    if kept is None:
        sent["Connection"] = "close"
    if address.authorization is not None:
        sent["Authorization"] = address.authorization
    said = json.dumps(payload, ensure_ascii=False).encode()
    connection = kept.take() if kept is not None else None
    used_before = connection is not None
    try:
        if connection is None:
            connection = _connection(address, deadline_s)
        try:
            connection.request("POST", address.target, said, sent)
            answer = connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            if not used_before:
                raise
            connection.close()  # the service had closed it meanwhile
            connection = _connection(address, deadline_s)
            connection.request("POST", address.target, said, sent)
            answer = connection.getresponse()
        status = answer.status
        body = _read_bounded(answer, ends=ends)
        finished = answer.isclosed() or answer.length == 0
        answer.close()
        if kept is not None and finished and not answer.will_close:
            kept.give(connection)
            connection = None
    except ssl.SSLCertVerificationError as error:
        raise ChannelRejected(
            f"channel {name}: the certificate of {address.origin} cannot be trusted ({error.verify_message}): "
            "renew it, or add its authority to this host's certificates"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise ChannelUnavailable(f"channel {name}: {address.origin} gave no answer ({_reason(error)})") from error
    finally:
        if connection is not None:
            connection.close()
    if 200 <= status < 300:
        return body
    if status in MAY_PASS or status >= 500:
        raise ChannelUnavailable(f"channel {name}: {address.origin} answered {status}, which may pass")
    if 300 <= status < 400:
        raise ChannelRejected(f"channel {name}: {address.origin} answered {status}, it has moved: change its url")
    raise ChannelRejected(f"channel {name}: {address.origin} answered {status} and will again: check the channel's url")


def _connection(address: Address, deadline_s: float) -> http.client.HTTPConnection:
    if address.secure:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(address.host, address.port, timeout=deadline_s, context=context)
    return http.client.HTTPConnection(address.host, address.port, timeout=deadline_s)


def _read_bounded(answer: http.client.HTTPResponse, *, ends: float) -> bytes:
    # The socket's timeout is for one read; a service that sends a byte a second must not hold the thread for ever.
    body = b""
    while len(body) < ANSWER_MAX_BYTES:
        if time.monotonic() > ends:
            raise TimeoutError("its answer took too long")
        part = answer.read1(ANSWER_MAX_BYTES - len(body))
        if not part:
            break
        body += part
    return body


def _reason(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
