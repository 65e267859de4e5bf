"""Recorded output of programs as observations, by the road that it takes at a site: bytes, records, redaction, events.

`python -m tests.recordings PROGRAM...` shows what the rules make of each record; with `--expect` what they make of each
file is written to the program's expected.toml, to be read before it is kept.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import sitewarden_alerting
from sitewarden_agent.config import Log
from sitewarden_agent.model import RecordPart
from sitewarden_agent.observe.records import Reader
from sitewarden_alerting import rulefile
from sitewarden_alerting.model import Signal
from sitewarden_alerting.observations import Key, LogEvent, Observation, Place
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import Redactor
from sitewarden_alerting.rules import Rulebook, SiteState, evaluate

PROGRAMS = Path(__file__).parent / "data" / "logs" / "programs"
SITE = Place("acme", "acme-berlin", "agent-web", "host-1")
NOW_NS = 1_795_604_400 * 1_000_000_000  # the evening of 25 November 2026, after every recording


def records(path: Path) -> list[Record]:
    made = Assembler()
    found = made.feed(path.read_bytes())
    last = [one for one in (made.flush(),) if one is not None]
    return found + last


def observed(path: Path, *, whatever: bool = False) -> Iterator[Observation]:
    """What an agent with its defaults sends of the file; with `whatever` all that it reads."""
    reader = Reader.of(Log(name=path.parent.name, paths=(str(path),), zone="UTC"), Redactor(b"k" * 32))
    for seq, record in enumerate(records(path), start=1):
        sent = reader.event(record, RecordPart.WHOLE, file=str(path), file_id="1", now_ns=NOW_NS, whatever=whatever)
        if sent is None:
            continue
        what = LogEvent(
            source=sent.source,
            file=sent.file,
            file_id=sent.file_id,
            offset=sent.offset,
            part="whole",
            severity=sent.severity,
            component=sent.component,
            message=sent.message,
            template=sent.template,
            fingerprint=sent.fingerprint,
            count=1,
            logged_ns=sent.logged_ns,
            truncated=sent.truncated,
        )
        at_ns = sent.logged_ns or NOW_NS - 86_400_000_000_000 + seq
        yield Observation(SITE, Key("0a", seq, 0), at_ns, at_ns, what)


def signals(rulebook: Rulebook, path: Path) -> list[Signal]:
    """What the rules find in the file. A rule that fails fails the test."""
    evaluated = evaluate(rulebook, SiteState(), observed(path), now_ns=NOW_NS)
    assert not evaluated.failures, evaluated.failures
    return list(evaluated.signals)


def shipped(*, without: str = "") -> Rulebook:
    """All shipped packs in the order in which the collector joins them."""
    folder = Path(sitewarden_alerting.__file__).parent / "packs"
    paths = sorted(folder.glob("*.toml"), key=lambda path: (path.stem != "default", path.stem))
    packs = [rulefile.parse(path.read_text(encoding="utf-8"), path.stem) for path in paths if path.stem != without]
    return rulefile.combine(packs)


def judge(rulebook: Rulebook, event: LogEvent) -> str:
    """The name of the rule that decides about the event; empty where none does."""
    return next((rule.name for rule in rulebook.judges(event) if rule.where.takes(event)), "")


def faults(found: list[Signal]) -> dict[str, int]:
    """How many faults each rule found: so many tickets it would open."""
    return dict(Counter(rule for rule, _ in {(one.rule, one.fault) for one in found}))


def expect(rulebook: Rulebook, folder: Path) -> None:
    """Write down what the rules find in the recordings of a program today."""
    lines = ["# How many faults, so tickets, each rule finds in each recording; none where noise is quiet."]
    for path in sorted(folder.glob("*.log")):
        lines += [
            "",
            f"[{path.stem}]",
            *(f"{rule} = {n}" for rule, n in sorted(faults(signals(rulebook, path)).items())),
        ]
    (folder / "expected.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    book = shipped()
    if "--expect" in names:
        for name in names:
            if not name.startswith("--"):
                expect(book, PROGRAMS / name)
        return
    for name in names:
        for path in sorted((PROGRAMS / name).glob("*.log")):
            print(f"== {path.name}")
            sent = {one.key.seq for one in observed(path)}
            for one in observed(path, whatever=True):
                assert isinstance(one.what, LogEvent)
                said = judge(book, one.what) if one.key.seq in sent else ""
                text = one.what.message.replace("\n", " ⏎ ")[:150]
                print(f"{' ' if said else '-'}{one.what.severity} {said:28} {one.what.component:12} {text}")
            print(faults(signals(book, path)))


if __name__ == "__main__":
    main(sys.argv[1:])
