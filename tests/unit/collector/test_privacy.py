"""What is kept of a customer comes out in one file, and goes without a trace but the one in the audit log."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text, update

from sitewarden_collector.config import Retention
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import audit, privacy
from sitewarden_collector.store import append_only, migrate
from sitewarden_collector.store import audit as log
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import DAY, NOON, settle_agent
from tests.desk import SECRET
from tests.unit.collector.test_compaction import Host

WHO: dict[str, Any] = {"by": "root", "reason": "contract ended, asked for in writing", "now_ns": NOON}


def settle(tx: Connection) -> str:
    """Two customers with sites, accounts, agents and a row of each simple table; the id of Zanzibar."""
    agent = settle_agent(tx, "zz-1", "zanzibar-harbour", "Zanzibar Ferries")
    settle_agent(tx, "gg-1", "globex-osaka", "globex")
    accounting.add(tx, "Zola Zimmer", role="customer", customer="Zanzibar Ferries", by="root", now_ns=NOON)
    accounting.add(tx, "Gil", role="customer", customer="globex", by="root", now_ns=NOON)
    audit.note(tx, "Zola Zimmer", "see", "/tickets/INC-1001", customer_id=agent.customer_id, now_ns=NOON)
    audit.note(tx, "root", "request", "GET /customers/Zanzibar Ferries", now_ns=NOON)
    return agent.customer_id


def test_an_export_holds_what_is_the_customers_and_no_secret(db: Database, tmp_path: Path) -> None:
    db.write_now(settle)
    path = tmp_path / "zanzibar.zip"
    counts = db.write_now(privacy.export, "Zanzibar Ferries", path, SECRET, **WHO)
    assert {"customers", "sites", "agents", "accounts"} <= set(counts)
    with zipfile.ZipFile(path) as archive:
        whole = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "Zola Zimmer" in whole
    assert "globex" not in whole
    assert "password_hash" not in whole
    assert path.stat().st_mode & 0o077 == 0


def test_an_export_tells_which_series_were_measured(db: Database, tmp_path: Path) -> None:
    host = Host(db)
    host.sends(cast.samples(0.1))
    path = tmp_path / "acme.zip"
    db.write_now(privacy.export, cast.ACME, path, SECRET, **WHO)
    with zipfile.ZipFile(path) as archive:
        assert cast.DISK.name in archive.read("schemas.jsonl").decode()


def test_after_an_erasure_no_row_names_the_customer_and_the_log_is_whole(db: Database) -> None:
    db.write_now(settle)
    counts = db.write_now(privacy.erase, "Zanzibar Ferries", **WHO)
    assert counts["sites"] == 1
    left = db.read_now(_everything)
    assert "anzibar" not in left
    assert "Zola" not in left
    assert "globex-osaka" in left
    verdict = db.read_now(audit.verify)
    assert verdict.faults == ()
    assert verdict.erased >= 3
    (row,) = db.read_now(log.some, action=audit.ERASED)
    assert row.who == "root"


def test_after_an_erasure_the_file_holds_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "collector.db"
    database = Database(f"sqlite:///{path}")
    tables().create_all(database.engine)
    database.write_now(settle)
    database.write_now(privacy.erase, "Zanzibar Ferries", **WHO)
    migrate.compact(database)
    database.close()
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert b"anzibar" not in content, file
        assert b"Zola" not in content, file


def test_an_erasure_needs_a_reason_that_names_nobody(db: Database) -> None:
    db.write_now(settle)
    for reason in ("", "ok", "Zola Zimmer asked for it"):
        with pytest.raises(Invalid):
            db.write_now(privacy.erase, "Zanzibar Ferries", **WHO | {"reason": reason})


def test_every_table_with_rows_of_customers_is_walked() -> None:
    from sitewarden_collector.store import privacy as stored

    walked = {table.name for table in stored._owned()}
    with_customer = {table.name for table in tables().sorted_tables if "customer_id" in table.c}
    assert with_customer - {"audit_log"} <= walked


def notes(db: Database, count: int = 6) -> None:
    for number in range(count):
        db.write_now(audit.note, "ada", "request", f"POST /tickets/INC-{number}", now_ns=NOON + number * DAY)


def tamper(db: Database, statement: str) -> tuple[str, ...]:
    def change(tx: Connection) -> None:
        with append_only.unlocked(tx):
            tx.execute(text(statement))

    db.write_now(change)
    return db.read_now(audit.verify).faults


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_log SET what = 'nothing' WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit_log SET at_ns = at_ns + 1 WHERE seq = 3", "row 3 was changed"),
        ("DELETE FROM audit_log WHERE seq = 3", "rows 3 to 3 are missing"),
        ("DELETE FROM audit_log WHERE seq <= 2", "rows 1 to 2 are missing"),
        ("UPDATE audit_log SET who='', what='', data='{}', salt='' WHERE seq = 3", "no erasure says so"),
    ],
)
def test_a_row_that_was_touched_is_found(db: Database, statement: str, said: str) -> None:
    notes(db)
    assert db.read_now(audit.verify).faults == ()
    assert any(said in fault for fault in tamper(db, statement))


def test_rows_that_changed_places_are_found(db: Database) -> None:
    notes(db)
    moves = ("seq = 99 WHERE seq = 2", "seq = 2 WHERE seq = 3", "seq = 3 WHERE seq = 99")
    for move in moves:
        faults = tamper(db, f"UPDATE audit_log SET {move}")
    assert faults


def test_an_end_that_was_cut_off_is_found_by_an_anchor(db: Database, tmp_path: Path) -> None:
    notes(db)
    db.read_now(audit.keep_anchor, tmp_path)
    anchor = audit.read_anchor(tmp_path / audit.ANCHOR_FILE)
    assert anchor is not None
    assert tamper(db, "DELETE FROM audit_log WHERE seq >= 5") == ()
    assert any("its end was cut off" in fault for fault in db.read_now(audit.verify, [anchor]).faults)


def test_a_row_cannot_be_changed_in_passing(db: Database) -> None:
    notes(db)

    def change(tx: Connection) -> None:
        tx.execute(update(log.audit_log).values(who="eve"))

    with pytest.raises(Exception, match="only ever added"):
        db.write_now(change)


def test_old_rows_go_by_policy_and_the_rest_stays_whole(db: Database) -> None:
    notes(db)
    gone = db.write_now(audit.expire, before_ns=NOON + 3 * DAY, now_ns=NOON + 9 * DAY)
    assert gone == 3
    assert db.read_now(audit.verify).faults == ()
    assert any("missing" in fault for fault in tamper(db, "DELETE FROM audit_log WHERE seq = 4"))


def test_expiry_touches_nothing_that_is_young(db: Database) -> None:
    db.write_now(settle)
    assert db.write_now(privacy.expire, Retention(), now_ns=NOON + DAY) == 0


def _everything(tx: Connection) -> str:
    return "\n".join(repr(tuple(row)) for table in tables().sorted_tables for row in tx.execute(table.select()))
