"""The HTTP side as a server: its listeners, TLS where there is a certificate for it, and its life.

With several processes on one machine all listen on the same port, and the kernel shares connections out; each also
listens on a port of its own, its number after that port, where its health and its numbers are told from the others'.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from sitewarden_collector.config import Config, split_address
from sitewarden_collector.errors import ConfigError

_log = logging.getLogger("sitewarden.http")


@asynccontextmanager
async def served(app: FastAPI, config: Config, *, number: int, closing: Callable[[], None]) -> AsyncIterator[int]:
    """Serve for as long as the context lasts; the real port. `number` is this process's of several, 0 of one alone.
    `closing` is called first at the end, to let go of requests that never end by themselves. Raises ConfigError."""
    listeners = [_listen(config.listen.http, shared=number > 0)]
    port = int(listeners[0].getsockname()[1])
    try:
        if number:
            host, _ = split_address(config.listen.http, "listen.http")
            listeners.append(_listen(f"{host}:{port + number}"))
        server = _Server(settings(app, config))
        serving = asyncio.ensure_future(server.serve(sockets=listeners))
        try:
            yield port
        finally:
            closing()
            server.should_exit = True
            await serving
    finally:
        for listener in listeners:
            listener.close()


class _Server(uvicorn.Server):
    """Signals belong to the process that runs the collector, not to one of its servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def settings(app: FastAPI, config: Config) -> uvicorn.Config:
    """How `app` is served: by TLS where there is a certificate for it. Raises ConfigError."""
    console = config.console
    made = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        access_log=False,
        ssl_certfile=console.certificate_file or None,
        ssl_keyfile=console.key_file or None,
    )
    try:
        made.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"console.certificate_file and key_file cannot be used ({error}): both must be PEM, and belong together"
        ) from error
    host, _ = split_address(config.listen.http, "listen.http")
    if not console.certificate_file and host not in ("127.0.0.1", "::1", "localhost"):
        _log.warning(
            "listen.http %s is open to other hosts and speaks no TLS: passwords would travel in the clear; set "
            "console.certificate_file and key_file, or listen on 127.0.0.1 behind a proxy that does",
            config.listen.http,
        )
    return made


def _listen(address: str, *, shared: bool = False) -> socket.socket:
    host, port = split_address(address, "listen.http")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=shared)
    except OSError as error:
        raise ConfigError(
            f"listen.http: cannot listen on {address} ({error.strerror}); choose another port, or 0 for a free one"
        ) from error
