"""A store that takes Prometheus's remote write and answers its queries: Prometheus, VictoriaMetrics, Mimir, Thanos.

`push` brings one request; its answer says whether it was taken, is refused for good, or may be taken later. `curves`
asks for a stretch of time. Both end at their deadline, read no more than they have to, follow no redirect (what signs
us in would go along), and never let a secret into what they say. Used from one event loop. Not here: what is sent and
asked, and when to try again (`services.remote_write`, `services.remote_read`).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

from sitewarden_collector.config import RemoteWrite
from sitewarden_collector.errors import ChannelUnavailable, ConfigError

if TYPE_CHECKING:
    import httpx  # only who has such a store waits for it

SAID_MAX_BYTES = 4 * 1024
SAID_MAX_CHARS = 300
ANSWER_MAX_BYTES = 8 * 1024 * 1024
READ_DEADLINE_S = 10.0
RETRY_AFTER_MAX_S = 3600.0
REFUSED = frozenset({400, 413, 422})
# A sample older than Prometheus's window for late ones is refused with 500 by releases up to 2.46 or so.
REFUSED_WORDS = ("too old sample", "out of order sample", "out of bounds", "duplicate sample for timestamp")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a store said to a request."""

    status: int
    said: str
    retry_after_s: float = 0.0

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the same request would be refused again."""
        return self.status in REFUSED or (self.status == 500 and self.is_of_samples)

    @property
    def is_of_samples(self) -> bool:
        """Whether it is known to speak of the samples, not of how or where they were sent."""
        return any(word in self.said for word in REFUSED_WORDS)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One series of an answer: times in milliseconds, in order."""

    labels: dict[str, str]
    times_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class _Result(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    result: list[_Result]


class _Found(msgspec.Struct):
    status: str
    data: _Data


def check(config: RemoteWrite) -> None:
    """Raise ConfigError where the store cannot be used as it is configured."""
    for key in ("url", "read_url"):
        url = getattr(config, key)
        try:
            parts = urlsplit(url)
            good = not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
        except ValueError:
            good = False
            parts = urlsplit("")
        if not good:
            raise ConfigError(f"export.remote_write.{key} is no web address; write it as https://HOST:PORT/PATH")
        if parts.username is not None:
            raise ConfigError(f"export.remote_write.{key} holds a user: use user and password_file instead")
    if config.bearer and config.user:
        raise ConfigError("export.remote_write: give a user and password or a bearer token, not both")
    for name in config.labels:
        if not _LABEL.fullmatch(name) or name.startswith("__"):
            raise ConfigError(f"export.remote_write.labels: {name!r} is no label's name; use letters, digits and _")
    if config.timeout_s <= 0 or config.samples_per_request <= 0:
        raise ConfigError("export.remote_write: timeout_s and samples_per_request must be more than 0")


class RemoteStore:
    """One store. `close` lets go of its connections."""

    def __init__(self, config: RemoteWrite) -> None:
        """Raises ConfigError."""
        import httpx

        check(config)
        self._config = config
        self._secrets = [one for one in (config.password, config.bearer, *config.headers.values()) if one]
        verify: ssl.SSLContext | bool = True
        if config.ca_file:
            try:
                verify = ssl.create_default_context(cafile=config.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"export.remote_write.ca_file: {config.ca_file} cannot be used ({error}); name a PEM file"
                ) from error
        headers = {"User-Agent": "sitewarden", "Accept-Encoding": "identity", **config.headers}
        if config.bearer:
            headers["Authorization"] = f"Bearer {config.bearer}"
        auth = httpx.BasicAuth(config.user, config.password) if config.user else None
        self._client = httpx.AsyncClient(headers=headers, auth=auth, verify=verify, timeout=None)  # noqa: S113  ours ends

    async def push(self, body: bytes) -> Answer:
        """Bring one request of `channels.remote_wire`. Raises ChannelUnavailable when there was no answer."""
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        said, answer = await self._ask(
            self._config.url, self._config.timeout_s, content=body, headers=headers, limit=SAID_MAX_BYTES
        )
        return Answer(answer.status_code, self._clean(said), _retry_after_s(answer.headers.get("Retry-After", "")))

    async def curves(self, query: str, *, start_s: float, end_s: float, step_s: float) -> list[Curve]:
        """What a query gives from start to end, at every step. Raises ChannelUnavailable, with why."""
        url = f"{self._config.read_url.rstrip('/')}/api/v1/query_range"
        form = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        body, answer = await self._ask(url, READ_DEADLINE_S, data=form, headers={}, limit=ANSWER_MAX_BYTES + 1)
        where = _origin(url)
        if answer.status_code != 200:
            raise ChannelUnavailable(
                f"{where} answered {answer.status_code}: {_advice(answer.status_code, 'read_url')}"
            )
        if len(body) > ANSWER_MAX_BYTES:
            raise ChannelUnavailable(f"{where} answered with more than {ANSWER_MAX_BYTES} bytes")
        try:
            found = msgspec.json.decode(body, type=_Found)
            return [
                Curve(
                    one.metric,
                    np.array([round(at_s * 1000) for at_s, _ in one.values], np.int64),
                    np.array([float(text) for _, text in one.values], np.float64),
                )
                for one in found.data.result
            ]
        except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise ChannelUnavailable(
                f"{where} does not answer as Prometheus does: check export.remote_write.read_url"
            ) from error

    async def close(self) -> None:
        await self._client.aclose()

    def refusal(self, answer: Answer) -> str:
        """In words what an answer that is neither taken nor refused means."""
        where = _origin(self._config.url)
        return f"{where} answered {answer.status} ({answer.said or 'nothing'}): {_advice(answer.status, 'url')}"

    async def _ask(
        self,
        url: str,
        deadline_s: float,
        *,
        headers: dict[str, str],
        limit: int,
        content: bytes | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, httpx.Response]:
        """Post, and give the beginning of what came back. Raises ChannelUnavailable."""
        import httpx

        body = b""
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._client.stream("POST", url, content=content, data=data, headers=headers) as answer,
            ):
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) >= limit:
                        break
                return body[:limit], answer
        except TimeoutError as error:
            raise ChannelUnavailable(f"{_origin(url)} gave no answer within {deadline_s:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            why = self._clean(str(error).encode()) or type(error).__name__
            raise ChannelUnavailable(f"{_origin(url)} gave no answer ({why})") from error

    def _clean(self, said: bytes) -> str:
        """What somebody else said, on one line, without what signs us in."""
        text = " ".join(said.decode(errors="replace").replace("\x00", " ").split())
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text[:SAID_MAX_CHARS]


def _advice(status: int, key: str) -> str:
    if status in (401, 403):
        return "check user, password and bearer in export.remote_write"
    if 300 <= status < 400:
        return f"it has moved; change export.remote_write.{key}"
    if status == 429 or status >= 500:
        return "this may pass"
    return f"check export.remote_write.{key}"


def _retry_after_s(text: str) -> float:
    """Seconds out of a header Retry-After, which has seconds or a date; 0 without one."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_MAX_S)
    try:
        left_s = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(left_s, 0.0), RETRY_AFTER_MAX_S)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
