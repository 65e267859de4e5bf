"""What the supervisor reads: the serial that link left for it, in a folder where link may write what it likes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sitewarden_agent import supervise
from tests.fuzz.run import Target, must


def read_serial(data: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / supervise.DUE
        path.write_bytes(data)
        serial = supervise.read_serial(str(path))
    must(len(serial) <= 64 and set(serial) <= set("0123456789abcdef"), "an argument that is no serial")
    return "due" if serial else "nothing"


TARGETS = (Target("serial to renew", (b"0a1b2c\n", b"ff" * 32, b"; reboot"), read_serial),)
