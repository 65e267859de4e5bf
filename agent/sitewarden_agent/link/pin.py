"""First contact: find the vendor's root certificate at the collector, by the fingerprint that the token carries.

A TLS handshake without verification, in which nothing is sent but the handshake; of the chain that the collector shows,
the certificate whose SHA-256 is the token's becomes the only root that is trusted from then on. Whoever stands in the
middle can show the real root, but no certificate under it for a name of the collector.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

from sitewarden_agent.errors import Permanent
from sitewarden_agent.link.trouble import Unreachable

TIMEOUT_S = 20.0


class WrongAuthority(Permanent):
    """The server that answered is not of the vendor who made the token."""


def root_of(endpoint: str, *, fingerprint: str, proxy: str | None) -> str:
    """The PEM of the root whose DER has this SHA-256 (hex), as shown by the collector at `endpoint` (host:port).

    Raises Unreachable when nobody answers there in TLS, WrongAuthority when the root is not among what is shown.
    """
    host, port = split_address(endpoint)
    try:
        with connect(host, port, proxy) as plain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # the fingerprint below is what verifies
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(plain, server_hostname=host) as secure:
                chain = _shown(secure)
    except ssl.SSLError as error:
        raise Unreachable(
            f"{endpoint} does not speak TLS as a collector does ({error.reason or error}). Check that this is the "
            "enrolment port, and that nothing on the way opens TLS."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        way = f" through the proxy {shown(proxy)}" if proxy else ""
        raise Unreachable(
            f"{endpoint} cannot be reached{way} ({error}). Check the address, this host's DNS and the firewalls on the "
            "way" + ("." if proxy else "; if there is an HTTP proxy, set `proxy` under [link].")
        ) from error
    for certificate in chain:
        if hashlib.sha256(certificate).hexdigest() == fingerprint.lower():
            return ssl.DER_cert_to_PEM_cert(certificate)
    raise WrongAuthority(
        f"{endpoint} is not a collector of the vendor who made this token: none of its {len(chain)} certificates has "
        f"the fingerprint {fingerprint[:16]}... Check the address; if a firewall opens TLS on the way, let this "
        "connection pass. Nothing secret was sent."
    )


def split_address(endpoint: str) -> tuple[str, int]:
    """host:port, also [::1]:port. Raises Permanent for anything else."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Permanent(f"{endpoint!r} is not an address like collector.example:7402; give host and port.")
    return host.strip("[]"), int(port)


def shown(proxy: str) -> str:
    """A proxy's URL as it may be printed: without user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 3128}"


def connect(host: str, port: int, proxy: str | None) -> socket.socket:
    """A plain connection to host:port, through the proxy if there is one. Raises OSError, http.client.HTTPException."""
    if proxy is None:
        return socket.create_connection((host, port), timeout=TIMEOUT_S)
    parts = urlsplit(proxy)
    tunnel = http.client.HTTPConnection(parts.hostname or "", parts.port or 3128, timeout=TIMEOUT_S)
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Proxy-Authorization": f"Basic {base64.b64encode(credentials).decode()}"} if parts.username else {}
    tunnel.set_tunnel(host, port, headers)
    tunnel.connect()
    taken: socket.socket = tunnel.sock
    return taken


def _shown(secure: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the server sent, as DER. The method is public from Python 3.13 on."""
    if hasattr(secure, "get_unverified_chain"):
        return [bytes(each) for each in secure.get_unverified_chain()]
    hidden: Any = secure._sslobj  # type: ignore[attr-defined]
    import _ssl

    encoding: Any = _ssl.ENCODING_DER
    return [each.public_bytes(encoding) for each in hidden.get_unverified_chain() or ()]
