"""What is given while the writer is busy is done together, in order, and a bad item harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection, text

from sitewarden_collector.errors import Conflict, DatabaseBusy
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.gathering import Gathered


class _Numbers:
    """Numbers that are put into a table; 13 breaks whatever it is in, 7 is turned down."""

    def __init__(self, db: Database) -> None:
        self.groups: list[int] = []
        self._gathered: Gathered[int, str] = Gathered(db, self._put)

    async def put(self, *numbers: int) -> list[str | Exception]:
        results: list[str | Exception] = []
        done = asyncio.Event()

        def settle(result: str | Exception) -> None:
            results.append(result)
            if len(results) == len(numbers):
                done.set()

        for number in numbers:
            self._gathered.give(f"of {number % 100}", number, settle)
        await done.wait()
        return results

    def _put(self, tx: Connection, numbers: Sequence[int]) -> list[str | Exception]:
        self.groups.append(len(numbers))
        for number in numbers:
            tx.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
            if number == 13:
                tx.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        return [Conflict("seven is turned down") if number == 7 else f"{number} is in" for number in numbers]


async def _table(db: Database) -> None:
    await db.run(lambda tx: tx.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")))


async def _stored(db: Database) -> list[int]:
    return await db.read(lambda tx: list(tx.execute(text("SELECT n FROM t ORDER BY n")).scalars()))


async def test_what_is_given_together_shares_a_transaction_and_keeps_its_order(db: Database) -> None:
    await _table(db)
    numbers = _Numbers(db)
    assert await numbers.put(*range(7)) == [f"{number} is in" for number in range(7)]
    results = await numbers.put(*range(100, 600))
    assert results[:6] == [f"{number} is in" for number in (100, 200, 300, 400, 500, 101)]  # by where they come from
    assert len(set(results)) == 500
    assert numbers.groups == [7, 260, 240]
    assert len(await _stored(db)) == 507


async def test_of_a_group_that_fails_each_is_done_alone(db: Database) -> None:
    await _table(db)
    numbers = _Numbers(db)
    results = await numbers.put(12, 13, 14)
    assert (results[0], results[2]) == ("12 is in", "14 is in")
    assert isinstance(results[1], Exception)
    assert await _stored(db) == [12, 14]
    assert numbers.groups == [3, 1, 1, 1]


async def test_who_is_turned_down_is_told_so_and_the_group_stands(db: Database) -> None:
    await _table(db)
    numbers = _Numbers(db)
    results = await numbers.put(6, 7, 8)
    assert [isinstance(one, Conflict) for one in results] == [False, True, False]
    assert await _stored(db) == [6, 7, 8]
    assert numbers.groups == [3]


async def test_what_the_database_does_not_take_is_told_to_everybody_and_the_next_group_goes_on(db_url: str) -> None:
    commits = 0

    def commit(tx: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise DatabaseBusy("full")
        tx.commit()

    db = Database(db_url, commit=commit)
    await _table(db)
    numbers = _Numbers(db)
    assert all(isinstance(one, DatabaseBusy) for one in await numbers.put(1, 2))
    assert await numbers.put(3) == ["3 is in"]
    assert await _stored(db) == [3]
    db.close()
