"""The collector's edge: mutual TLS, sessions, the road up and the road down. Messages of the wire end here."""

import os

# gRPC's core writes each handshake that failed to stderr in a form of its own, between our structured lines. What
# matters of it we say ourselves. It reads this when it is first loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
