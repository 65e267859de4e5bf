"""TLS towards what probes look at; loaded only where one speaks it."""

from __future__ import annotations

import ssl
from functools import lru_cache

from sitewarden_agent.observe.looks import Bad


@lru_cache(maxsize=8)
def context(verify: bool, ca_file: str | None = None) -> ssl.SSLContext:
    """Authorities: those in `ca_file`, or the system's. Raises Bad when that file cannot be read or used."""
    if verify:
        try:
            return ssl.create_default_context(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or "it holds no certificate"
            raise Bad(f"ca_file {ca_file} cannot be used ({reason}); write certificates in PEM there") from None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made
