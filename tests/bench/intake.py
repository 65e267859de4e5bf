"""What taking in costs inside of one process: decoding, and storing groups of batches, without the network.

Batches of 250 agents, 40 series x 10 ticks, times that move on by 6 hours in all; SQLite in a file with full sync.
Figures are processor time of this process, the best of several runs. The whole road is measured by `ingest`.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path

from sitewarden_collector.config import Limits
from sitewarden_collector.grpc_api import wire
from sitewarden_collector.services import intake
from sitewarden_collector.services.intake import Decoded, Sent
from sitewarden_collector.simulate.load import Load
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import Told
from sitewarden_protos.v1.intake_pb2 import UploadRequest
from tests.cast import EPOCH, HOUR, NOON, settle_agent

AGENTS = 250
SERIES, TICKS = 40, 10
ROUNDS = 8
"""Batches of each agent in one run."""
RUNS = 3


def main() -> None:
    for group in (1, 8, 64, 250):
        with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder:
            decoding, storing = run(Path(folder), group)
        print(
            f"  groups of {group}: decoding {decoding * 1e6:.1f} us a batch, storing {storing * 1e6:.1f} us "
            f"({(decoding + storing) * 1e6 / (SERIES * TICKS):.3f} CPU-s a million samples)"
        )


def run(folder: Path, group: int) -> tuple[float, float]:
    """CPU seconds of decoding and of storing one batch."""
    load = Load(SERIES, TICKS, seed=1)
    decoding, storing = [], []
    with closing(Database(f"sqlite:///{folder / 'intake.db'}")) as db:
        tables().create_all(db.engine)
        agents = [db.write_now(settle_agent, f"web-{number}", f"site-{number}", "bench").id for number in range(AGENTS)]
        told = Told()
        step_ns = 6 * HOUR // (ROUNDS * (RUNS + 1))
        for turn in range(RUNS + 1):  # the first one warms up
            raw = [
                load.batch(seq, seq - 1, told=seq > 1, logs=0, now_ns=NOON + seq * step_ns).SerializeToString()
                for seq in range(turn * ROUNDS + 1, (turn + 1) * ROUNDS + 1)
            ]
            began_s = time.process_time()
            sent = [Sent(agent_id, _decoded(one), NOON + 6 * HOUR) for one in raw for agent_id in agents]
            decoded_s = time.process_time()
            for at in range(0, len(sent), group):
                db.write_now(intake.accept_all, sent[at : at + group], told)
            decoding.append((decoded_s - began_s) / len(sent))
            storing.append((time.process_time() - decoded_s) / len(sent))
    return min(decoding[1:]), min(storing[1:])


def _decoded(raw: bytes) -> Decoded:
    batch = UploadRequest.FromString(raw).batch
    return wire.decode(batch, epoch=EPOCH, limits=Limits(), received_ns=NOON + 6 * HOUR, clock_offset_ns=0)
