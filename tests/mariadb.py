"""A MariaDB server of one test run alone, from Debian's mariadb-server-core."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("mariadbd", "mariadb-install-db")
missing = [name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin") is None]


@contextmanager
def running() -> Iterator[tuple[Path, int]]:
    """Socket and port of a server that runs until the block ends, and leaves nothing. root has no password."""
    folder = Path(tempfile.mkdtemp(prefix="swmy"))
    user, data, sock = getpass.getuser(), folder / "data", folder / "socket"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
    install = ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=100)
    lean = [
        "--innodb-buffer-pool-size=8M",
        "--innodb-log-file-size=4M",
        "--performance-schema=OFF",
        "--skip-name-resolve",
    ]
    argv = ["/usr/sbin/mariadbd", *own, *lean, f"--socket={sock}", f"--port={port}", "--bind-address=127.0.0.1"]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"))
    try:
        for _ in range(600):
            if sock.exists() or server.poll() is not None:
                break
            time.sleep(0.05)
        assert sock.exists(), (folder / "log").read_text()
        yield sock, port
    finally:
        server.terminate()
        server.wait(timeout=60)
        shutil.rmtree(folder)
