"""Who is calling: the agent that the client's certificate names. Nothing that a message says counts for that."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import grpc
from cryptography import x509

from sitewarden_collector import pki
from sitewarden_collector.errors import Refused
from sitewarden_collector.pki import Identity

Context = grpc.aio.ServicerContext[bytes, bytes]
REMEMBERED = 1_024  # certificates: the second road of a session comes right behind the first


def caller_of(context: Context) -> tuple[Identity, int]:
    """The agent behind a stream, and when (ns) its certificate ends; raises Refused (UNKNOWN_AGENT)."""
    properties: Any = context.auth_context()
    certificates = properties.get("x509_pem_cert", ())
    try:
        (raw,) = certificates
        return _read(raw)
    except ValueError as error:
        raise Refused("UNKNOWN_AGENT", f"no agent's certificate came with the connection ({error})") from error


@lru_cache(maxsize=REMEMBERED)
def _read(raw: bytes) -> tuple[Identity, int]:
    """Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(raw)
    return pki.identity_of(certificate), int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000
