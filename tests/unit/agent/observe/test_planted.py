"""The proof of redaction: secrets in every writing, through a real tail into a real spool and onto the wire."""

from __future__ import annotations

import gzip
import importlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Log, Redact, TcpProbe
from sitewarden_agent.link import wire
from sitewarden_agent.model import Observation
from sitewarden_agent.observe import redaction
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.probe_state import ProbeState
from sitewarden_agent.observe.tail import Tail
from sitewarden_agent.spool import Spool
from tests.unit.agent.observe.planted import WRITINGS, Planted, Secret, planted, secrets
from tests.unit.agent.tail_bench import HandClock

RE2 = importlib.import_module("re2")
LOGS = Path(__file__).parents[3] / "data" / "logs"
SECRETS = secrets()
PLANTED = planted(SECRETS)
PLAIN = [Planted(f"ERROR cannot log in with {secret.said} here", (secret.value,)) for secret in SECRETS]
CHANGED_SHARE_MAX = 0.001


def surviving(seen: bytes, records: Sequence[Planted]) -> list[str]:
    """The records of which a piece is in `seen`. First all at once, because as a rule there is none."""
    pieces = {piece for record in records for piece in record.pieces}
    if RE2.compile("|".join(map(RE2.escape, pieces)).encode()).search(seen) is None:
        return []
    return [record.text for record in records if any(piece.encode() in seen for piece in record.pieces)]


def followed(folder: Path, files: dict[str, bytes], *, least: int, storm_per_minute: int = 0) -> tuple[bytes, bytes]:
    """What the spool's files hold after the agent read `files` (`least` records), and what goes onto the wire."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    clock, path = HandClock(), folder / "state" / "spool.db"
    path.parent.mkdir()
    spool = Spool.open(path, clock=clock)
    log = Log(
        name="app",
        paths=tuple(str(folder / name) for name in files),
        exclude=(),
        start="start",
        storm_per_minute=storm_per_minute,
    )
    tail = Tail([log], spool, clock=clock, redact=redaction.redactor(Redact(), key=b"k" * 32))
    tail.restore()
    for _ in range(4):
        while tail.turn() == 0:
            pass
        clock.pass_s(11)
    tail.close()
    with closing(sqlite3.connect(path)) as tx:  # a row that lies over several pages is torn in the file, so both ways
        tables = [name for (name,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = b"\0".join(repr(row).encode() for table in tables for row in tx.execute(f"SELECT * FROM {table}"))
        bodies = [body for (body,) in tx.execute("SELECT body FROM logs ORDER BY id")]
    raw = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    sent: list[bytes] = []
    while sealed := spool.seal(1 << 20, 1_000):
        sent.append(wire.to_body(sealed.observations))
        assert wire.batch(1, 0, sealed.observations).body
        spool.acknowledge(sealed.seq)
    spool.close()
    assert len(bodies) >= least
    return raw + rows, b"".join(sent)


def test_there_are_secrets_and_writings_enough() -> None:
    assert len({secret.value for secret in SECRETS}) >= 200
    assert len(WRITINGS) >= 20


def test_no_planted_secret_survives_in_spool_or_on_the_wire(tmp_path: Path) -> None:
    records = [record for _, record in PLANTED]
    content = "\n".join(record.text for record in records) + "\n"
    assert all(piece in record.text for record in records for piece in record.pieces)
    stored, sent = followed(tmp_path, {"app.log": content.encode()}, least=len(records))
    assert surviving(stored, records) == []
    assert surviving(sent, records) == []


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("gb18030"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("ERROR", "\x1b[31mERROR\x1b[0m").encode(),
    ],
    ids=["UTF-16 little", "UTF-16 big", "GB18030", "CRLF", "colours"],
)
def test_no_encoding_of_a_file_hides_a_secret(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    content = encode("ERROR 登录失败，请检查配置\n" + "\n".join(record.text for record in PLAIN) + "\n")
    stored, sent = followed(tmp_path, {"app.log": content}, least=len(PLAIN))
    assert surviving(stored, PLAIN) == []
    assert surviving(sent, PLAIN) == []


def test_a_storm_keeps_no_secret_in_its_counts(tmp_path: Path) -> None:
    """Counts wait in the marks, with a sample: that is on disk, too."""
    records = [
        Planted(f"ERROR login {n} failed: {secret.said}", (secret.value,))
        for secret in SECRETS
        for n in range(1_000, 1_010)
    ]
    content = "\n".join(record.text for record in records) + "\n"
    stored, sent = followed(tmp_path, {"app.log": content.encode()}, least=3, storm_per_minute=2)
    assert surviving(stored, records) == []
    assert surviving(sent, records) == []


def test_a_rotated_and_compressed_file_is_redacted_too(tmp_path: Path) -> None:
    """The rest of a file that was compressed while the agent was behind is read in the archive."""
    clock, path = HandClock(), tmp_path / "spool.db"
    log_path = tmp_path / "app.log"
    spool = Spool.open(path, clock=clock)
    log = Log(name="app", paths=(str(log_path),), start="start", storm_per_minute=0)
    tail = Tail([log], spool, clock=clock, redact=redaction.redactor(Redact(), key=b"k" * 32))
    log_path.write_text("ERROR the first line of this file\n")
    tail.restore()
    tail.turn()
    content = log_path.read_bytes() + "\n".join(record.text for record in PLAIN).encode() + b"\n"
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(content))
    log_path.write_text("ERROR begun anew\n")
    for _ in range(6):
        tail.turn()
        clock.pass_s(2)
    tail.close()
    sealed = spool.seal(1 << 22, 10_000)
    assert sealed is not None
    sent = wire.to_body(sealed.observations)
    assert sent.count(b"cannot log in with") >= len(PLAIN)
    assert surviving(sent, PLAIN) == []
    spool.close()


def test_the_path_of_a_log_is_shown_without_its_secrets(tmp_path: Path) -> None:
    """The mark must keep the true path, in the agent's own folder; nothing that is sent holds it."""
    some = [secret for secret in SECRETS if secret.name][:40]
    files = {f"tenant-{number}/{secret.said}/app.log": b"ERROR broken\n" for number, secret in enumerate(some)}
    _, sent = followed(tmp_path, files, least=len(some))
    assert surviving(sent, [Planted(secret.said, (secret.value,)) for secret in some]) == []
    assert sent.count(b"broken") >= len(some)


def test_what_a_probe_saw_is_told_without_secrets() -> None:
    probe = TcpProbe(name="db", address="localhost:5432", failures_needed=1)
    state = ProbeState(probe, redaction.redactor(Redact(), key=b"k" * 32))
    clock, told = SystemClock(), []
    for number, (_, record) in enumerate(PLANTED[:: len(WRITINGS) + 1]):
        result = state.seen(Look(ok=False, duration_ns=1, detail=record.text), number * 61_000_000_000)
        assert result is not None
        told.append(Observation(result, clock.wall_ns(), clock.boot_id(), clock.monotonic_ns()))
    assert surviving(wire.to_body(told), [record for _, record in PLANTED[:: len(WRITINGS) + 1]]) == []


def test_clean_lines_stay_as_they_are() -> None:
    """Of real logs, less the lines in which a program really wrote a secret down, next to none is touched."""
    redactor = redaction.redactor(Redact(pseudonyms=()), key=b"k" * 32)
    lines = [
        line for path in sorted(LOGS.glob("*/sample.log")) for line in path.read_text("utf-8", "replace").split("\n")
    ]
    clean = [line for line in lines if "auth_token=" not in line]
    changed = [line for line in clean if redactor.redact(line) != line]
    assert len(clean) > 8_000
    assert len(changed) <= CHANGED_SHARE_MAX * len(clean), changed[:10]


def test_the_proof_would_see_a_secret_that_survives() -> None:
    record = Planted("ERROR password=hunter2hunter2", ("hunter2hunter2",))
    assert surviving(b"x hunter2hunter2 y", [record]) == [record.text]
    assert Secret("hunter2hunter2", "password").said == "password=hunter2hunter2"
