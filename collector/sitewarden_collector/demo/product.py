"""A small product to watch: an order service with a log, a health page, a data folder with a limit, and a weak spot.

Started as a process of its own (`python -m sitewarden_collector.demo.product FOLDER PORT`). It serves orders to itself
twice a second. `POST /break` takes its database away: from then on orders really raise, the traceback goes to the log
as Python's logging writes it, the health page turns red, and unsent orders pile up in the data folder. `POST /mend`
gives the database back. Standard library only; it knows nothing of Sitewarden.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ORDER_INTERVAL_S = 0.5
UNSENT_BYTES = 512 * 1024

log = logging.getLogger("orders.checkout")


class OrderRefused(RuntimeError):
    """An order could not be stored."""


class Product:
    """The service itself. `break_database` and `mend_database` may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self._database = folder / "orders.db"
        self._number = 1000
        self._stop = threading.Event()
        self.healthy = True
        with sqlite3.connect(self._database) as database:
            database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, item TEXT)")

    def break_database(self) -> None:
        self._database.rename(self._database.with_suffix(".gone"))
        self._database.mkdir()

    def mend_database(self) -> None:
        self._database.rmdir()
        self._database.with_suffix(".gone").rename(self._database)

    def work(self) -> None:
        while not self._stop.wait(ORDER_INTERVAL_S):
            self._number += 1
            try:
                self._store_order(self._number)
            except OrderRefused:
                if self.healthy:
                    log.exception("order %d could not be stored for customer 77%d", self._number, self._number)
                self.healthy = False
                (self.data / f"unsent-{self._number}.order").write_bytes(b"\0" * UNSENT_BYTES)
            else:
                if not self.healthy or self._number % 10 == 0:
                    log.info("order %d stored", self._number)
                self.healthy = True

    def stop(self) -> None:
        self._stop.set()

    def _store_order(self, number: int) -> None:
        try:
            with sqlite3.connect(self._database) as database:
                database.execute("INSERT INTO orders VALUES (?, ?)", (number, "widget"))
        except sqlite3.OperationalError as error:
            raise OrderRefused(f"no database for order {number}") from error


def _handler(product: Product) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._say(200 if product.healthy else 503, "ok\n" if product.healthy else "database gone\n")
            else:
                self._say(404, "only /health is here\n")

        def do_POST(self) -> None:
            match self.path:
                case "/break":
                    product.break_database()
                    self._say(200, "broken\n")
                case "/mend":
                    product.mend_database()
                    self._say(200, "mended\n")
                case _:
                    self._say(404, "POST /break or /mend\n")

        def _say(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The product's log is for its own words, not for each look at its health page."""

    return Handler


def main(argv: list[str]) -> int:
    folder, port = Path(argv[0]), int(argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=folder / "orders.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    product = Product(folder)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(product))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("order service 2.4.1 started on port %d", port)
    try:
        product.work()
    except KeyboardInterrupt:
        product.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
