"""Who is calling: the agent that the client's certificate names. Nothing that a message says counts for that."""

from __future__ import annotations

from typing import Any

import grpc
from cryptography import x509

from sitewarden_collector import pki
from sitewarden_collector.errors import Refused
from sitewarden_collector.pki import Identity

Context = grpc.aio.ServicerContext[bytes, bytes]


def caller_of(context: Context) -> tuple[Identity, int]:
    """The agent behind a stream, and when (ns) its certificate ends; raises Refused (UNKNOWN_AGENT)."""
    properties: Any = context.auth_context()
    certificates = properties.get("x509_pem_cert", ())
    try:
        (raw,) = certificates
        certificate = x509.load_pem_x509_certificate(raw)
        identity = pki.identity_of(certificate)
    except ValueError as error:
        raise Refused("UNKNOWN_AGENT", f"no agent's certificate came with the connection ({error})") from error
    return identity, int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000
