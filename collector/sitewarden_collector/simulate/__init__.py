"""Many agents in one process, to size a machine and to prove how a collector holds: real gRPC, TLS and protocol.

`scenario` says what they do, by a seed; `agent` is one of them; `crowd` enrols them and lets them run; `verdict` says
what came of it, from what the collector acknowledged and stored. Nothing is read of customers: samples are made up.
"""
