"""Asks a database one question: a process that lives as long as that takes. `python -m ...sql_child`.

Promises: the question is asked read-only; the password is read here and goes to the database alone; no more than the
first row is looked at, within bounded memory; whatever happens, one line of JSON is the answer. What to do comes on its
input, as a `probe_sql.Question`; here it is plain JSON, because each import costs at each look.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from typing import Any

MEMORY_MAX_BYTES = 1024 * 1024 * 1024
PASSWORD_MAX_BYTES = 4_096
_COMPLAINT_MAX = 400


_held: list[Any] = []


class Complaint(Exception):
    """What is to be said instead of an answer."""


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    try:
        answer = ask(json.loads(sys.stdin.buffer.read()))
    except Complaint as complaint:
        answer = {"complaint": str(complaint)[:_COMPLAINT_MAX]}
    except Exception as error:  # noqa: BLE001 - drivers raise whatever they like
        answer = {"complaint": _said(error)[:_COMPLAINT_MAX]}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


def ask(question: dict[str, Any]) -> dict[str, Any]:
    """Connect, ask; how long that took and what the first number is. Raises Complaint and whatever drivers do."""
    password = _password(question["password_file"])
    asked = _postgresql if question["engine"] == "postgresql" else _mysql
    connect_s, query_s, row = asked(question, password)
    return {"number": _number(row), "connect_s": connect_s, "query_s": query_s}


def _password(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            found = file.readline(PASSWORD_MAX_BYTES).rstrip("\r\n")
    except FileNotFoundError:
        raise Complaint(f"there is no password_file {path}; make it, readable for the agent's user alone") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Complaint(f"password_file {path} cannot be read ({reason}); check its owner and mode") from None
    if not found:
        raise Complaint(f"password_file {path} has no first line; write the password there")
    return found


def _tls(question: dict[str, Any]) -> Any:
    if not question["tls"]:
        return None
    from sitewarden_agent.observe import tls

    return tls.context(question["verify"], question["ca_file"])


def _place(question: dict[str, Any]) -> dict[str, Any]:
    host = question["host"]
    return {"host": host, "port": question["port"]} if question["port"] is not None else {"unix": host}


def _postgresql(question: dict[str, Any], password: str | None) -> tuple[float, float, Any]:
    import pg8000.native

    place = _place(question)
    began_s = time.perf_counter()
    connection = pg8000.native.Connection(
        question["user"],
        host=place.get("host"),
        port=place.get("port", 5432),
        unix_sock=place.get("unix"),
        database=question["database"] or None,
        password=password or "",  # without one the driver fails before the server can say what it wants
        timeout=question["timeout_s"],
        ssl_context=_tls(question),
        application_name="sitewarden-agent",
    )
    try:
        connected_s = time.perf_counter()
        connection.run(f"SET statement_timeout = {max(1, int(question['timeout_s'] * 1000))}")
        connection.run("SET default_transaction_read_only = on")
        rows = connection.run(question["query"])
        return connected_s - began_s, time.perf_counter() - connected_s, rows[0] if rows else None
    finally:
        connection.close()


def _mysql(question: dict[str, Any], password: str | None) -> tuple[float, float, Any]:
    import pymysql
    import pymysql.cursors

    place = _place(question)
    began_s = time.perf_counter()
    connection = pymysql.connect(
        user=question["user"],
        password=(password or "").encode(),  # text would be sent as Latin-1
        host=place.get("host"),
        port=place.get("port", 3306),
        unix_socket=place.get("unix"),
        database=question["database"] or None,
        connect_timeout=max(1, math.ceil(question["timeout_s"])),
        read_timeout=max(1, math.ceil(question["timeout_s"])),
        write_timeout=max(1, math.ceil(question["timeout_s"])),
        ssl=_tls(question),
        ssl_disabled=not question["tls"],
        cursorclass=pymysql.cursors.SSCursor,
        local_infile=False,
    )
    connected_s = time.perf_counter()
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION READ ONLY")
    cursor.execute(question["query"])
    row = cursor.fetchone()
    query_s = time.perf_counter() - connected_s
    if row is None or cursor.fetchone() is None:
        connection.close()
    else:  # closing would read the rest of the answer first; this process ends without
        _held.append((connection, cursor))
    return connected_s - began_s, query_s, row


def _number(row: Any) -> float | None:
    if not row:
        return None
    try:
        found = float(row[0])
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _said(error: Exception) -> str:
    """An error of a driver in one line. PostgreSQL's come as a table of fields, MySQL's with a number before them."""
    behind: BaseException | None = error
    while behind is not None:  # what closing the connection raises in turn hides what matters
        if isinstance(behind, ConnectionRefusedError):
            return "the connection was refused"
        if behind.args and isinstance(behind.args[0], dict):
            fields = behind.args[0]
            return f"{fields.get('M', 'refused')} ({fields.get('C', '')})"
        behind = behind.__cause__ or behind.__context__
    if len(error.args) == 2 and isinstance(error.args[0], int):
        return f"{error.args[1]} ({error.args[0]})"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    code = main()
    # Neither destructors nor exit handlers: the answer is given.
    os._exit(code)
