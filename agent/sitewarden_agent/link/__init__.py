"""The agent's half that speaks to headquarters. It reads no file of the product and starts no process.

- process: `run`, the life of the link process
- connection: one channel, two streams, until one of them ends
- uplink: the road up, hello, batches under credits, acknowledgements
- control: the road down, heartbeats, pacing, watch levels, actions
- wire: the agent's model <-> protobuf, pure
- backoff: when to try again, pure
- endpoints: which collector to try, pure
- trouble: how a connection ended, in words and with what follows from it, pure
- channel: the settings of a gRPC channel
- session: who says hello
- identity: key and certificate on the disk
- wake: when to look into the spool

Only in the short-lived processes of `enroll` and `renew`, which alone load cryptography:

- enrol, renewal: a token, or the old key, for a new certificate
- token, pin: what a token says; first contact with the collector
- credential: keys, requests, certificates
"""

import os

# gRPC's core writes each handshake that failed to stderr in a form of its own. What matters of it the link says itself,
# with what to do next. It reads this when it is first loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
