"""Rows of read models that somebody has changed by hand are found, whatever the table."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from psycopg2 import sql

from ledger.datastore import Datastore, PgCursor
from projections.comparing import Difference, first_difference
from projections.registry import read_models
from projections.schemas import BUILDING, LIVE
from tests.projections.crowd import crowd
from tests.projections.history import happened, runner, tell
from tests.projections.test_policies import ONE_OF_EACH
from tests.projections.test_rebuild import rebuild
from tests.projections.test_timeline import EXAMPLES, example

TABLES = [table for model in read_models() for table in model.tables]

LOOK = happened(
    "access.recorded.v1",
    "2024-03-01",
    access_id="A-1",
    who="ada",
    via="http",
    action="read",
    question="timeline",
    kind="customer",
    ids=["Ada"],
    about_customer_id="Ada",
)

_OTHERS: dict[str, tuple[Any, Any]] = {
    "text": ("changed", "changed again"),
    "uuid": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"),
    "timestamptz": ("infinity", "-infinity"),
    "bool": (True, False),
    "jsonb": ({"changed": 1}, {"changed": 2}),
}
_NUMBERS = (77, 78)


class Column(NamedTuple):
    """A column of a table, and whether it may be null and belongs to what tells rows apart."""

    name: str
    type: str
    nullable: bool
    key: bool


@pytest.fixture
def twice(datastore: Datastore) -> Datastore:
    """Every table with rows, live and built beside."""
    of_each_type = [example(type_, data) for type_, data in EXAMPLES.items()]
    tell(datastore, [*of_each_type, *ONE_OF_EACH, LOOK, *crowd(3)])
    runner(datastore).catch_up()
    rebuild(datastore).build()
    return datastore


def test_what_was_changed_added_or_removed_by_hand_is_told_of_any_table(twice: Datastore) -> None:
    with twice.transaction() as cursor:
        assert first_difference(cursor, TABLES, LIVE, BUILDING) is None
        let_anything_be_written(cursor)
        for table in TABLES:
            row = some_row(cursor, table)
            key = {column.name: row[column.name] for column in columns(cursor, table) if column.key}
            assert after(cursor, table, row, None) == Difference(table, key, None, row)
            for column, value in other_values(cursor, table, row):
                changed = row | {column.name: value}
                found = after(cursor, table, row, changed)
                assert found is not None, (table, column)
                if column.key:
                    assert found.table == table
                    assert (found.one, found.other) in ((changed, None), (None, row))
                    found = after(cursor, table, None, changed)
                    key_of_it = key | {column.name: value}
                    assert found == Difference(table, key_of_it, changed, None)
                else:
                    assert found == Difference(table, key, changed, row)


def let_anything_be_written(cursor: PgCursor) -> None:
    cursor.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE connamespace = %s::regnamespace AND contype = 'c'",
        (LIVE,),
    )
    for table, check in cursor.fetchall():
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")


def after(
    cursor: PgCursor, table: str, gone: dict[str, Any] | None, new: dict[str, Any] | None
) -> Difference | None:
    """The difference once a live row is gone and another one there, both as JSON; then neither."""
    live = sql.Identifier(LIVE, table)
    cursor.execute("SAVEPOINT before")
    if gone is not None:
        cursor.execute(
            sql.SQL("DELETE FROM {} AS t WHERE to_jsonb(t) = %s").format(live), [json.dumps(gone)]
        )
        assert cursor.rowcount == 1
    if new is not None:
        cursor.execute(
            sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)").format(
                live
            ),
            [json.dumps(new)],
        )
    found = first_difference(cursor, [table], LIVE, BUILDING)
    cursor.execute("ROLLBACK TO SAVEPOINT before")
    return found


def some_row(cursor: PgCursor, table: str) -> dict[str, Any]:
    cursor.execute(
        sql.SQL("SELECT to_jsonb(t) FROM {} AS t ORDER BY t::text LIMIT 1").format(
            sql.Identifier(LIVE, table)
        )
    )
    [row] = cursor.fetchone() or (None,)
    assert row, f"no row in {table}"
    return dict(row)


def other_values(cursor: PgCursor, table: str, row: dict[str, Any]) -> Iterator[tuple[Column, Any]]:
    """Each column of a row with another value of its type, and with none where it may be null."""
    for column in columns(cursor, table):
        one, other = _OTHERS.get(column.type, _NUMBERS)
        value = other if row[column.name] == one else one
        yield column, [value] if column.type.startswith("_") else value
        if column.nullable and row[column.name] is not None:
            yield column, None


def columns(cursor: PgCursor, table: str) -> list[Column]:
    cursor.execute(
        "SELECT attname, typname, NOT attnotnull, EXISTS (SELECT FROM pg_index"
        "  WHERE indrelid = attrelid AND indisunique AND attnum = ANY ((indkey::int2[])"
        "  [0 : indnkeyatts - 1]))"
        " FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        (f"{LIVE}.{table}",),
    )
    return [Column(*row) for row in cursor.fetchall()]
