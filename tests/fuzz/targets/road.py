"""The whole road of a line: what any log file holds, headquarters takes. A line that it refuses would take its batch,
with the innocent lines beside it, into the agent's parked ones."""

from __future__ import annotations

from pathlib import Path

from sitewarden_agent import config, model
from sitewarden_agent.link import wire as agent_wire
from sitewarden_agent.observe.records import Reader
from sitewarden_alerting.reading.lines import Assembler
from sitewarden_alerting.reading.redact import Redactor
from sitewarden_collector.config import Limits
from sitewarden_collector.grpc_api import wire as collector_wire
from tests.fuzz.run import Target
from tests.fuzz.targets.reading import NOW_NS, SEEDS

_LOG = config.parse(
    'state_dir = "/var/lib/x"\n[[logs]]\nname = "app"\npaths = ["/a.log"]\nmin_severity = "debug"\nzone = "UTC"\n',
    Path("/etc/agent.toml"),
).logs[0]

FURTHER_SEEDS = (
    b"9999-12-31T23:59:60.999999999+14:00 ERROR a year that nobody lives to see\n",
    b"1969-12-31 23:59:59 ERROR before the beginning\n",
    b"2026-11-23 15:02:11 ERROR " + b"a@b.io " * 2_500 + b"\n",
    b"2026-11-23 15:02:11 ERROR [" + b"x." * 4_000 + b"] a component without end\n",
)


def travel(data: bytes) -> str:
    reader = Reader.of(_LOG, Redactor(b"k" * 32).redact)
    assembler = Assembler()
    records = assembler.feed(data)
    while (last := assembler.flush(partial=True)) is not None:
        records.append(last)
    events = [
        reader.event(record, model.RecordPart.WHOLE, file="/a.log", file_id="1:2:3", now_ns=NOW_NS)
        for record in records
    ]
    observations = [model.Observation(event, NOW_NS, "ab" * 16, 1) for event in events if event is not None]
    assert reader.dropped == 0
    batch = agent_wire.batch(1, 0, observations)
    decoded = collector_wire.decode(batch, epoch="0" * 32, limits=Limits(), received_ns=NOW_NS, clock_offset_ns=0)
    assert len(decoded.arrived) == len(observations)
    return f"{min(len(observations), 9)} events"


TARGETS = (Target("line to headquarters", (*SEEDS, *FURTHER_SEEDS), travel),)
