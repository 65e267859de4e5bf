"""The database, and the one bridge between asyncio and plain functions.

`await db.run(service, ...)` calls `service(tx, ...)` on the writer's thread inside a transaction; what it returns comes
back after the commit. Jobs that wait together are committed together (group commit), each in a savepoint of its own, so
that one that fails takes nothing of the others with it. `await db.read(function, ...)` does the same on a pool of
readers, without the promise to write. Commands use `db.write_now` and `db.read_now`, the same without asyncio.

SQLite runs in WAL mode with full sync: what was acknowledged survives a power cut. `commit` is an argument so that a
test can die at the n-th one. Not here: tables (each aggregate has its own), migrations, the lock that keeps a second
collector out (`store.lock`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, OperationalError, PendingRollbackError, SQLAlchemyError

from sitewarden_collector.errors import ConfigError, DatabaseBusy, DatabaseUnusable, Invalid

P = ParamSpec("P")
T = TypeVar("T")
Service = Callable[Concatenate[Connection, P], T]

GROUP_MAX = 64
BUSY_TIMEOUT_MS = 10_000
WRITER_CACHE_KIB = 16_384
JOURNAL_PAGES = (
    4_000  # of SQLite's journal before it is taken in: what is written again and again is then taken in once
)
READERS = 4
READ_ONLY = "25006"
_KEPT_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # The server's end: whoever hangs or is gone holds no row and no advisory lock for longer than a minute.
    "options": "-c idle_in_transaction_session_timeout=60000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "
    "-c tcp_keepalives_count=3",
}


@dataclass(slots=True)
class _Job:
    call: Callable[[Connection], Any]
    done: Future[Any]
    alone: bool = False


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql+psycopg://...`; raises ConfigError for anything else.

    Its errors show statements without their values: these are customers' data and hashes, errors end in logs.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    match parsed.get_backend_name():
        case "sqlite":
            timeout_s = BUSY_TIMEOUT_MS / 1000
            engine = create_engine(
                parsed,
                connect_args={"timeout": timeout_s, "check_same_thread": False},
                pool_use_lifo=True,  # the writer gets the connection that it had before, with its pages
                hide_parameters=True,
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        case "postgresql":
            engine = create_engine(
                parsed,
                connect_args=kept_alive(parsed),
                pool_pre_ping=True,
                pool_size=READERS + 2,
                hide_parameters=True,
            )
            event.listen(engine, "handle_error", _leave_a_standby)
            return engine
        case other:
            raise ConfigError(f"database url: {other!r} is not supported; use sqlite:///PATH or postgresql://...")


def kept_alive(url: URL) -> dict[str, Any]:
    """What lets both ends of a connection to PostgreSQL notice soon that the other is gone; what the url says wins."""
    return {name: value for name, value in _KEPT_ALIVE.items() if name not in url.query}


def _leave_a_standby(context: ExceptionContext) -> None:
    # After a failover this may be the former primary: only a new connection leads to the new one.
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by us (below), not by the driver, which would begin too late and never for reads.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint={JOURNAL_PAGES}")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    if writes and not connection.info.get("writes"):
        # What one transaction wrote, the next one finds: every agent has pages of its own.
        connection.exec_driver_sql(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
        connection.info["writes"] = True
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """One database. Made once, closed once; `run` and `read` may be called from any task until then."""

    def __init__(self, url: str, *, commit: Callable[[Connection], None] = Connection.commit) -> None:
        self.url = url
        self.engine = make_engine(url)
        self._commit = commit
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="database-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def waiting(self) -> int:
        """How many writes wait for the writer, about."""
        return self._jobs.qsize()

    async def run(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `service(tx, ...)` in a write transaction; return after the commit. Raises what the service raises,
        and DatabaseBusy when the database did not take it: trying again may help. Nothing was stored then, unless the
        connection was lost at the very commit; so what is tried again has to be known again by its key."""
        return await asyncio.wrap_future(self._submit(service, *args, **kwargs))

    async def run_alone(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` in a transaction of its own: should it fail in a way that takes the transaction with it, no batch of
        intake goes down with it."""
        return await asyncio.wrap_future(self._submit_as(True, service, *args, **kwargs))

    def write_now(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` for callers without an event loop."""
        return self._submit(service, *args, **kwargs).result()

    async def read(self, function: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function(tx, ...)` on a reader's thread, in one consistent snapshot."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_now(function, *args, **kwargs))

    def read_now(self, function: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` for callers without an event loop."""
        try:
            with self.engine.connect() as connection:
                return function(connection, *args, **kwargs)
        except (DBAPIError, PendingRollbackError) as error:
            if in_doubt(error):
                raise DatabaseBusy(_say(error)) from error
            raise damaged(error) from error

    def close(self) -> None:
        """Finish what was submitted, then let go of every connection."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    def _submit(self, service: Service[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._submit_as(False, service, *args, **kwargs)

    def _submit_as(self, alone: bool, service: Service[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = _Job(call=lambda tx: service(tx, *args, **kwargs), done=Future(), alone=alone)
        self._jobs.put(job)
        return job.done

    def _write_loop(self) -> None:
        first = self._jobs.get()
        while first is not None:
            group, following = [first], None
            while not first.alone and len(group) < GROUP_MAX:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    self._jobs.put(None)  # for the loop's own end
                    break
                if job.alone:
                    following = job
                    break
                group.append(job)
            self._write(group)
            first = following or self._jobs.get()

    def _write(self, group: list[_Job]) -> None:
        settled: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with self.engine.connect().execution_options(writes=True) as tx:
                tx.begin()
                for job in group:
                    if not job.done.set_running_or_notify_cancel():
                        continue
                    # Who is alone has the whole transaction to take back.
                    step = tx.begin_nested() if len(group) > 1 else None
                    try:
                        result = job.call(tx)
                    except Exception as error:  # the caller gets it; the others go on
                        if in_doubt(error):
                            raise  # nobody in the group was stored
                        if step is None:
                            tx.rollback()
                        else:
                            step.rollback()
                        settled.append((job, None, damaged(error)))
                    else:
                        if step is not None:
                            step.commit()
                        settled.append((job, result, None))
                if tx.in_transaction():
                    self._commit(tx)
        except Exception as error:  # noqa: BLE001  every caller gets it; the writer must live
            refusal = DatabaseBusy(_say(error)) if isinstance(error, SQLAlchemyError) else error
            for job in group:
                # A job that had not begun may be cancelled by its caller at this very moment.
                if job.done.running() or (not job.done.done() and job.done.set_running_or_notify_cancel()):
                    job.done.set_exception(refusal)
            return
        for job, result, failure in settled:
            if failure is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(failure)


def in_doubt(error: BaseException) -> bool:
    """Whether the transaction itself failed, or its connection, rather than one statement."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, OperationalError | PendingRollbackError)


def damaged(error: Exception) -> Exception:
    """A SQLite file that is broken inside, and a value that cannot be kept, are nothing that trying again helps with;
    any other error as it is."""
    cause = str(getattr(error, "orig", None) or error)
    if isinstance(error, DatabaseError) and ("malformed" in cause or "not a database" in cause):
        return DatabaseUnusable(
            f"the database is damaged ({cause}): stop the collector and restore a backup with `sitewarden restore FILE "
            "--force`"
        )
    if isinstance(error, DataError):  # NUL in a text, a number out of range: whoever sent it hears so
        return Invalid("this holds a value that no database keeps, such as NUL in a text; leave it out")
    return error


def _say(error: BaseException) -> str:
    cause = str(getattr(error, "orig", None) or error).strip()
    if "disk is full" in cause or "No space left" in cause:
        return f"the database's disk is full ({cause}): free space there; nothing that was acknowledged is lost"
    return f"the database did not take this ({cause}); it is tried again"
