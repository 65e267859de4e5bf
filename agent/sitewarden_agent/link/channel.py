"""The settings of a gRPC channel to headquarters.

Liveness is the business of our own heartbeats (they also catch links that are half open behind a firewall); HTTP/2
pings are so rare that no server of gRPC's C core answers them with "too many pings". Proxies of the environment are
never taken: only the one in the configuration.
"""

from __future__ import annotations

import os

import grpc

from sitewarden_agent.link.identity import Identity
from sitewarden_agent.release import version

MESSAGE_MAX_BYTES = 4 * 1024 * 1024
UNDER_WAY_MAX_BYTES = 512 * 1024
_PING_EVERY_MS = 330_000
_PING_TIMEOUT_MS = 20_000
_NO_PROXY_FOR = ("no_grpc_proxy", "no_proxy", "NO_PROXY")

Options = list[tuple[str, str | int]]


def options(*, proxy: str | None) -> Options:
    """`proxy` like http://host:port; None for none."""
    chosen: Options = [
        ("grpc.max_send_message_length", MESSAGE_MAX_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
        ("grpc.keepalive_time_ms", _PING_EVERY_MS),
        ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 2),
        # Else every answer is followed by a ping that measures the line, and headquarters answers thousands of them.
        ("grpc.http2.bdp_probe", 0),
        # So this is said instead: with 64 KB under way, a stream of small pieces comes down at 570 KB/s over 200 ms.
        ("grpc.http2.lookahead_bytes", UNDER_WAY_MAX_BYTES),
        ("grpc.enable_retries", 0),
        # Each try is a connection of its own: with shared ones gRPC's own backoff would answer instead of the network.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.primary_user_agent", f"sitewarden-agent/{version()}"),
        ("grpc.enable_http_proxy", 1 if proxy else 0),
    ]
    if proxy:
        for name in _NO_PROXY_FOR:
            os.environ.pop(name, None)  # gRPC would let them overrule the configuration
        chosen.append(("grpc.http_proxy", proxy))
    return chosen


def mutual(endpoint: str, identity: Identity, *, proxy: str | None) -> grpc.aio.Channel:
    """A channel on which both sides show a certificate. Nothing is sent before the first call."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=identity.root_pem.encode(),
        private_key=identity.key_pem.encode(),
        certificate_chain=identity.chain_pem.encode(),
    )
    return grpc.aio.secure_channel(_target(endpoint), credentials, options=options(proxy=proxy))


def one_sided(endpoint: str, root_pem: str, *, proxy: str | None) -> grpc.Channel:
    """A channel on which only the server shows a certificate; for enrolment and renewal."""
    credentials = grpc.ssl_channel_credentials(root_certificates=root_pem.encode())
    return grpc.secure_channel(_target(endpoint), credentials, options=options(proxy=proxy))


def _target(endpoint: str) -> str:
    """A name and a port, whatever it looks like: by itself `unix:80` would be a socket of this host."""
    return f"dns:///{endpoint}"
