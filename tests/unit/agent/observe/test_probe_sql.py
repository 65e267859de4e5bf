"""Databases that answer or do not: a real PostgreSQL, a real MariaDB, and the process that asks them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import create_engine, make_url, text

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import SqlProbe
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.probe_sql import Answer, judge
from sitewarden_agent.observe.probes import look, target_of
from tests import mariadb

PASSWORD = "correct horse 七"


def ask(**settings: Any) -> Look:
    known = {"name": "db", "engine": "postgresql", "user": "postgres", "timeout_s": 30.0, **settings}
    return asyncio.run(look(SqlProbe(**known), SystemClock()))


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text(f"{PASSWORD}\nnot this\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def server(postgres_server: str) -> Iterator[dict[str, Any]]:
    """Where the server is; `monitor` needs its password there."""
    folder = str(make_url(postgres_server).query["host"])
    rules = Path(folder, "pg_hba.conf")
    before = rules.read_text()
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        admin.execute(text(f"CREATE ROLE monitor LOGIN PASSWORD '{PASSWORD}'"))
        rules.write_text(f"local all monitor scram-sha-256\n{before}")
        admin.execute(text("SELECT pg_reload_conf()"))
        yield {"host": f"{folder}/.s.PGSQL.5432", "database": "postgres"}
        rules.write_text(before)
        admin.execute(text("SELECT pg_reload_conf()"))
        admin.execute(text("DROP ROLE monitor"))
    engine.dispose()


@pytest.mark.postgres
def test_postgresql_answers_and_its_number_is_a_series(server: dict[str, Any], password_file: str) -> None:
    query = "SELECT count(*), 'x' FROM pg_roles WHERE rolname = 'monitor'"
    seen = ask(**server, user="monitor", password_file=password_file, query=query)
    assert (seen.ok, seen.detail) == (True, "answers")
    values = {series.name: value for series, value in seen.values.items()}
    assert values.pop("sql_value") == 1
    assert {"sql_connect_seconds", "sql_query_seconds"} == set(values)
    assert round(sum(values.values()) * 1e9) == seen.duration_ns


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"user": "monitor"}, "password"),
        ({"user": "nobody-here"}, 'role "nobody-here" does not exist'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"query": "CREATE TABLE mine (a int)"}, "in a read-only transaction"),
        (
            {"query": "SELECT pg_sleep(20)", "timeout_s": 1.5},
            "no answer within 1.5 s|statement timeout|network|timed out",
        ),
        ({"query": "SELECT nonsense"}, 'column "nonsense" does not exist'),
        ({"query": "SELECT 7", "at_most": 6}, "the answer is 7, at most 6 is expected"),
        ({"query": "SELECT 'x'", "at_least": 6}, "the answer is no number"),
    ],
)
def test_postgresql_that_does_not_do_as_asked_says_why(
    server: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    seen = ask(**{**server, **settings})
    assert not seen.ok
    assert any(each in seen.detail for each in said.split("|")), seen.detail


def test_a_server_that_is_not_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen = ask(host="127.0.0.1", port=port)
    assert (seen.ok, seen.detail) == (False, "the connection was refused")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no password_file"), (b"\nx", "has no first line"), (b"\xff\xfe", "it is not UTF-8 text")],
)
def test_a_password_file_that_is_no_good_says_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    assert said in ask(host="127.0.0.1", password_file=str(tmp_path / "password")).detail


def test_bounds_of_the_number_are_kept() -> None:
    probe = SqlProbe(name="lag", engine="mysql", user="x", at_least=0, at_most=30)
    assert judge(probe, Answer(number=30)).ok
    assert judge(probe, Answer(number=31)).detail == "the answer is 31, at most 30 is expected"
    assert judge(probe, Answer(number=-1)).detail == "the answer is -1, at least 0 is expected"
    assert not judge(probe, Answer()).ok
    assert judge(probe, Answer(complaint="too many connections (1040)")).values == {}


def test_what_is_told_of_the_target_holds_no_user() -> None:
    probe = SqlProbe(name="x", engine="mysql", user="monitor", database="shop", password_file="/etc/secret")
    assert target_of(probe) == "mysql localhost:3306/shop"


@pytest.mark.skipif(bool(mariadb.missing), reason=f"needs: {' '.join(mariadb.missing)} (mariadb-server-core)")
def test_mariadb_answers_and_says_why_not(password_file: str) -> None:
    with mariadb.running() as (sock, port):
        admin = pymysql.connect(unix_socket=str(sock), user="root", autocommit=True)
        with admin, admin.cursor() as cursor:
            cursor.execute(f"CREATE USER monitor@'%' IDENTIFIED BY '{PASSWORD}'")
        there: dict[str, Any] = {"engine": "mysql", "host": "127.0.0.1", "port": port, "user": "monitor"}
        seen = ask(**there, password_file=password_file, query="SELECT 6 * 7 UNION ALL SELECT 1")
        assert (seen.ok, seen.detail) == (True, "answers")
        assert {series.name: value for series, value in seen.values.items()}["sql_value"] == 42
        assert ask(**{**there, "host": str(sock)}, password_file=password_file).ok
        assert "Access denied" in ask(**there).detail
        changes = ask(**{**there, "user": "root", "host": str(sock)}, query="CREATE TABLE mysql.mine (a int)")
        assert "READ ONLY" in changes.detail
    assert ask(**there, password_file=password_file).detail == "the connection was refused"
