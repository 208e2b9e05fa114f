"""Compares read models in two schemas, row for row."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psycopg2 import sql

from ledger.datastore import PgCursor
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("comparing.sql"))


class Difference(NamedTuple):
    """The first row of a table that is not the same in both: as it is in the one and the other,
    None where it is missing.
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
    missing = [
        found
        for left, right in ((one, other), (other, one))
        if (found := _first_missing(cursor, left, right, key)) is not None
    ]
    if not missing:
        return None
    values = min(missing)
    return Difference(
        table,
        dict(zip(names, map(str, values), strict=True)),
        _row(cursor, one, key, values),
        _row(cursor, other, key, values),
    )


def _first_missing(
    cursor: PgCursor, one: sql.Identifier, other: sql.Identifier, key: sql.Composable
) -> tuple[Any, ...] | None:
    cursor.execute(sql.SQL(_SQL["first_missing"]).format(one=one, other=other, key=key))
    return cursor.fetchone()


def _row(
    cursor: PgCursor, table: sql.Identifier, key: sql.Composable, values: Sequence[Any]
) -> dict[str, Any] | None:
    cursor.execute(
        sql.SQL(_SQL["row"]).format(
            table=table, key=key, values=sql.SQL(", ").join(map(sql.Literal, values))
        )
    )
    row = cursor.fetchone()
    return None if row is None else dict(row[0])
