"""Short human numbers: INC-1001, REQ-1001, RSK-1. One row a kind, moved on by a guarded update: none is given twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, String, Table, bindparam, insert, update
from sqlalchemy.exc import IntegrityError

from sitewarden_alerting.model import TicketType
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import metadata

FIRST = {"INC": 1001, "REQ": 1001, "CMP": 1001, "CHG": 1001, "PRB": 101, "CON": 1, "RSK": 1, "SIL": 1, "MNT": 1}
BY_TYPE = {
    TicketType.INCIDENT: "INC",
    TicketType.SERVICE_REQUEST: "REQ",
    TicketType.COMPLAINT: "CMP",
    TicketType.CHANGE_REQUEST: "CHG",
}

numbers = Table(
    "numbers",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

_AHEAD = (
    update(numbers)
    .where(numbers.c.kind == bindparam("which"))
    .values(last=numbers.c.last + bindparam("count", type_=BigInteger()))
    .returning(numbers.c.last)
)


def next_number(tx: Connection, kind: str) -> str:
    """The next number of a kind (a key of `FIRST`), as `INC-1001`. A transaction that fails gives it back."""
    return next_numbers(tx, kind, 1)[0]


def next_numbers(tx: Connection, kind: str, count: int) -> list[str]:
    """The next `count` numbers of a kind, in their order."""
    while True:
        row = prepared.row(tx, _AHEAD, {"which": kind, "count": count})
        if row is not None:
            return [f"{kind}-{number}" for number in range(row.last - count + 1, row.last + 1)]
        try:
            with tx.begin_nested():
                tx.execute(insert(numbers).values(kind=kind, last=FIRST[kind] - 1))
        except IntegrityError:
            continue  # another writer made the row in between
