"""Compares read models in two schemas, row for row."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from psycopg2 import sql

from ledger.datastore import PgCursor
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("comparing.sql"))


class Difference(NamedTuple):
    """The first row of a table that is not the same in both: as it is in the one and the other,
    None where it is missing. Values are written as in JSON.
    """

    table: str
    key: dict[str, Any]
    one: dict[str, Any] | None
    other: dict[str, Any] | None


def first_difference(
    cursor: PgCursor, tables: Iterable[str], one: str, other: str
) -> Difference | None:
    """The first difference between tables of the same names in two schemas, None if every row of
    the one is in the other, and as often.
    """
    # Rows are hashed or sorted by whole tables.
    cursor.execute("SET LOCAL work_mem TO '256MB'; SET LOCAL jit TO off")
    for table in tables:
        found = _difference(cursor, table, sql.Identifier(one, table), sql.Identifier(other, table))
        if found is not None:
            return found
    return None


def _difference(
    cursor: PgCursor, table: str, one: sql.Identifier, other: sql.Identifier
) -> Difference | None:
    cursor.execute(_SQL["key"], {"table": one.as_string(cursor)})
    [names] = cursor.fetchone() or ([],)
    key = sql.SQL(", ").join(map(sql.Identifier, names))
    cursor.execute(sql.SQL(_SQL["first_missing"]).format(one=one, other=other, key=key))
    missing = cursor.fetchall()
    if not missing:
        return None
    # Compared and put in order by the database alone: it knows null and infinity.
    *_, first = missing[0]
    told = {name: first[name] for name in names}
    rows = {
        is_one: row for *_, is_one, row in missing if {name: row[name] for name in names} == told
    }
    return Difference(table, told, rows.get(True), rows.get(False))
