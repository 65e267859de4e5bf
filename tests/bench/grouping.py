"""Grouping accuracy on labelled logs: the stateless fingerprint, the learned groups, and drain3 beside them.

`python -m tests.bench.grouping [DIR]` prints, for each data set of a folder (default: the project's own), GA and FGA
of three ways from the same whole records, one configuration for all. A data set is a folder with `sample.log` and
`labels.csv` (offset, event).

GA (grouping accuracy): the share of messages whose predicted group has exactly the messages of its true group. FGA:
the F1 of groups found exactly, so that rare events count as much as frequent ones (Jiang et al., "A Large-Scale
Evaluation for Log Parsing", ISSTA 2024).
"""

import csv
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from sitewarden_alerting import grouping
from sitewarden_alerting.fingerprint import masks, stacks
from sitewarden_alerting.reading import event
from sitewarden_alerting.reading.event import Event
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor

DATA = Path(__file__).parent.parent / "data" / "logs"
NOW_NS = 1_790_000_000 * 1_000_000_000
"""The moment of reading, for stamps without a year: fixed, so that the figures are the same every day."""


@dataclass(frozen=True, slots=True)
class Score:
    """`ga`, `fga`: 0 to 1. `groups`: how many were predicted; `events`: how many there are."""

    ga: float
    fga: float
    groups: int
    events: int


def score(predicted: Sequence[Hashable], true: Sequence[Hashable]) -> Score:
    """Compare two groupings of the same messages."""
    found: dict[Hashable, set[int]] = defaultdict(set)
    wanted: dict[Hashable, set[int]] = defaultdict(set)
    for position, (group, label) in enumerate(zip(predicted, true, strict=True)):
        found[group].add(position)
        wanted[label].add(position)
    exact = {frozenset(members) for members in wanted.values()}
    right = [members for members in found.values() if members in exact]
    precision, recall = len(right) / len(found), len(right) / len(wanted)
    fga = 2 * precision * recall / (precision + recall) if right else 0.0
    return Score(sum(map(len, right)) / len(true), fga, len(found), len(wanted))


def records(folder: Path) -> list[Record]:
    """The records of a sample, as the agent cuts them."""
    assembler = Assembler()
    cut = assembler.feed((folder / "sample.log").read_bytes())
    while (last := assembler.flush(partial=True)) is not None:
        cut.append(last)
    return cut


def labels(folder: Path) -> dict[int, str]:
    """Offset of a record -> its event."""
    with (folder / "labels.csv").open(newline="") as file:
        return {int(row["offset"]): row["event"] for row in csv.DictReader(file)}


def events(cut: Sequence[Record]) -> list[Event]:
    """The records read and redacted, as the agent sends them."""
    redact = Redactor(b"bench").redact
    return [event.read(record, redact=redact, default_zone=UTC, now_ns=NOW_NS) for record in cut]


def speed(cut: Sequence[Record]) -> float:
    """Records a second of processor time, from record to event with redaction.

    The sample is read until 2,000 records are through, each time with empty caches: a real stream repeats its words
    and frames more than so short a sample.
    """
    repeats = -(-2000 // len(cut))
    spent = 0.0
    for _ in range(repeats):
        masks.forget()
        stacks.forget()
        started = time.process_time()
        events(cut)
        spent += time.process_time() - started
    return len(cut) * repeats / spent


def aligned(cut: Sequence[Record], truth: dict[int, str]) -> list[str]:
    """The true event of every record; a record that starts where none is labelled counts as an event of its own."""
    return [truth.get(record.offset, f"no record at {record.offset}") for record in cut]


def group(read: Sequence[Event]) -> list[str]:
    """The fault of every event after the whole file was learned, as `sitewarden group` prints it."""
    state = grouping.Grouping()
    for seen in read:
        grouping.observe(state, seen.fingerprint, seen.template, severity=seen.severity)
    return [grouping.fault_of(state, seen.fingerprint) for seen in read]


def drain(cut: Sequence[Record]) -> list[int]:
    """drain3 with its defaults and four usual masks, on the same whole records."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    config.masking_instructions = [
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
    ]
    miner = TemplateMiner(config=config)
    return [miner.add_log_message(record.text)["cluster_id"] for record in cut]


def main(arguments: Sequence[str]) -> None:
    data = Path(arguments[0]) if arguments else DATA
    split = tomllib.loads((data / "split.toml").read_text()) if (data / "split.toml").exists() else {}
    part = {name: kind for kind, names in split.items() for name in names}
    folders = sorted(folder for folder in data.iterdir() if (folder / "labels.csv").exists())
    print(f"{'':14}{'':6}{'':15}   {'stateless':>15}   {'group':>15}   {'drain3':>15}")
    print(f"{'data set':14}{'part':6}{'records':>8}{'events':>7}{('   ' + '      GA    FGA') * 3}  records/s")
    totals: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for folder in folders:
        cut = records(folder)
        truth = aligned(cut, labels(folder))
        read = events(cut)
        scores = (
            score([seen.fingerprint for seen in read], truth),
            score(group(read), truth),
            score(drain(cut), truth),
        )
        figures = tuple(figure for each in scores for figure in (each.ga, each.fga))
        kind = part.get(folder.name, "")
        totals["all"].append(figures)
        if kind:
            totals[kind].append(figures)
        print(f"{folder.name:14}{kind:6}{len(cut):8}{scores[0].events:7}   {_cells(figures)} {speed(cut):10.0f}")
    for kind, rows in sorted(totals.items()):
        print(f"{'mean, ' + kind:35}   {_cells([sum(column) / len(rows) for column in zip(*rows, strict=True)])}")


def _cells(figures: Sequence[float]) -> str:
    return "   ".join(f"{ga:8.3f} {fga:6.3f}" for ga, fga in zip(figures[::2], figures[1::2], strict=True))


if __name__ == "__main__":
    main(sys.argv[1:])
