"""TLS towards what probes look at; loaded only where one speaks it."""

from __future__ import annotations

import ssl
from functools import lru_cache


@lru_cache(maxsize=8)
def context(verify: bool, ca_file: str | None = None) -> ssl.SSLContext:
    """Authorities: those in `ca_file`, or the system's. Raises OSError when that file cannot be read or used."""
    made = ssl.create_default_context(cafile=ca_file) if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
