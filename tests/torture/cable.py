"""A cable between agent and collector that can be cut, slowed, and left hanging.

A TCP proxy on a thread of its own. Bytes pass unread, so TLS stays end to end. The life of a `Cable`: made (listening
at `port`), any number of failures, `close()`.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

CHUNK_BYTES = 16 * 1024


@dataclass(eq=False)
class Cable:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target_port`."""

    target_port: int
    port: int = 0
    bytes_per_s: float = 0.0  # 0: as fast as it goes
    hanging: bool = False  # accepts and forwards nothing, as a firewall that forgot the connection does
    refusing: bool = False  # new connections are closed at once
    passed_bytes: int = 0
    cuts: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="cable", daemon=True)
        self._thread.start()
        ready.wait()

    def cut(self) -> None:
        """Reset every connection that stands now; new ones may come."""
        self.cuts += 1
        self._call(self._drop_all)

    def close(self) -> None:
        self._call(self._drop_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _call(self, function: object) -> None:
        done = threading.Event()

        def run() -> None:
            function()  # type: ignore[operator]
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait()

    def _drop_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                while self.hanging:  # noqa: ASYNC110  the flag is set by another thread
                    await asyncio.sleep(0.05)
                if self.bytes_per_s:
                    await asyncio.sleep(len(data) / self.bytes_per_s)
                self.passed_bytes += len(data)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
