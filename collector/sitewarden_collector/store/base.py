"""The one MetaData and the column types that every table shares.

Times are UTC nanoseconds (BigInteger), ids are UUIDv7 as text, short human numbers come from `numbers`. Each
aggregate module of this package declares its own tables beside the functions that read and write them; `tables()`
imports them all.
"""

from __future__ import annotations

import os
import time
import uuid
from importlib import import_module
from pkgutil import iter_modules

from sqlalchemy import BigInteger, Column, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite gives a rowid alias, and so a growing key, only to INTEGER; PostgreSQL needs 64 bits said.
RowId = BigInteger().with_variant(Integer, "sqlite")
Id = String(36)
Ns = BigInteger


def id_column() -> Column[str]:
    return Column("id", Id, primary_key=True)


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, 12 of their fraction, then random; sorts by the time it was made,
    also among those that one transaction makes."""
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    stamp = milliseconds << 16 | 0x7000 | rest_ns * 4096 // 1_000_000
    raw = bytearray(stamp.to_bytes(8, "big") + os.urandom(8))
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


def tables() -> MetaData:
    """The metadata with the tables of every aggregate module declared."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return metadata
