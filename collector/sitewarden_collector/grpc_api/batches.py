"""The batches of all streams on their way to the writer: gathered as they were read, decoded where they are stored.

Decoding on the writer's thread keeps the event loop for what has to be there at once: half of what a batch took of it
was decoding. Not here: the stream that a batch came on (`course`), what a batch means (`wire`, `services.intake`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import wire
from sitewarden_collector.grpc_api.front import Front
from sitewarden_collector.services import intake
from sitewarden_collector.services.intake import FOR_GOOD, Accepted, Decoded, Unreadable
from sitewarden_collector.store.gathering import Gathered
from sitewarden_collector.store.samples import Told
from sitewarden_collector.telemetry import Telemetry
from sitewarden_protos.v1.intake_pb2 import Batch


class Tally:
    """What was taken in, counted for all streams; handed to telemetry once a group: each count takes a lock."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.bytes = self.stored = self.repeated = self.observations = self.sample_bytes = 0

    def add(self, accepted: Accepted) -> None:
        if accepted.repeat:
            self.repeated += 1
            return
        self.stored += 1
        self.observations += accepted.observations
        self.sample_bytes += accepted.sample_bytes

    def hand_over(self) -> None:
        to = self._telemetry
        to.batch_bytes.inc(self.bytes)
        to.observations.inc(self.observations)
        to.sample_bytes.inc(self.sample_bytes)
        to.batches.labels("stored").inc(self.stored)
        to.batches.labels("repeat").inc(self.repeated)
        self.bytes = self.stored = self.repeated = self.observations = self.sample_bytes = 0


@dataclass(slots=True, eq=False)
class Read:
    """A batch as it was read from a stream of an agent: `size` is the whole message's, in bytes."""

    agent_id: str
    epoch: str
    seq: int
    previous_seq: int
    batch: Batch
    size: int
    received_ns: int
    clock_offset_ns: int
    limits: Limits
    began_s: float
    _decoded: Decoded | Unreadable | None = None

    def decoded(self) -> Decoded | Unreadable:
        """What it says; looked at once, however often it is asked for."""
        if self._decoded is None:
            try:
                self._decoded = self._decode()
            except Refused as why:
                if why.reason not in FOR_GOOD:
                    raise
                self._decoded = Unreadable(self.epoch, self.seq, self.previous_seq, why)
        return self._decoded

    def _decode(self) -> Decoded:
        if self.size > self.limits.max_batch_bytes:
            allowed = self.limits.max_batch_bytes
            raise Refused("TOO_LARGE", f"a batch of {self.size} bytes; {allowed} are allowed, split it")
        return wire.decode(
            self.batch,
            epoch=self.epoch,
            limits=self.limits,
            received_ns=self.received_ns,
            clock_offset_ns=self.clock_offset_ns,
        )


class Batches:
    """Life: made once, serves every stream."""

    def __init__(self, front: Front) -> None:
        self.tally = Tally(front.telemetry)
        together = partial(intake.accept_offered, told=Told())
        self._gathered: Gathered[Read, Accepted | Refused] = Gathered(front.db, together, after=self.tally.hand_over)

    def give(self, read: Read, settle: Callable[[Accepted | Refused | Exception], None]) -> None:
        """Have it stored with those of other streams; `settle` hears what came of it, after its commit."""
        self._gathered.give(read.agent_id + read.epoch, read, settle)
