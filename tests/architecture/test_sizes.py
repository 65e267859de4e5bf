"""A file holds one idea. Those that need more than 400 lines for it say why, here."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 400

# path -> why one idea needs so many lines.
REASONS = {
    "tests/contracts/test_uplink.py": "the link's promises against a real server, one test each",
    "tests/unit/agent/test_spool.py": "the spool's promises, one test each, and a kill at every commit",
    "tests/unit/agent/test_tail.py": "the torture list of log files, one test each",
}


def _long() -> dict[str, int]:
    sources = (
        path
        for folder in ("agent", "alerting", "collector", "protos", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if "_pb2" not in path.name and not {"versions", "data"} & set(path.parts)
    )
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources}
    return {path: lines for path, lines in lengths.items() if lines > LIMIT}


def test_no_file_grows_past_its_idea_without_a_reason() -> None:
    assert set(_long()) - set(REASONS) == set(), "split by idea, or say here why not"


def test_no_reason_outlives_its_file() -> None:
    assert set(REASONS) - set(_long()) == set(), "these are short again: take their reasons out"
