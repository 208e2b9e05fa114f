"""Schemas that hold read models: the live one, and others beside it."""

from collections.abc import Iterable, Sequence

from psycopg2 import sql

from ledger.datastore import PgCursor
from projections.model import ReadModel

LIVE = "read"
BUILDING = "read_building"
PREVIOUS = "read_previous"
SWAPPING = "read_swapping"


def work_in(cursor: PgCursor, schema: str) -> None:
    """From here to the end of the transaction unqualified tables are those of `schema`.

    The end does not wait for the disk: what a crash takes is made again from the ledger.
    """
    cursor.execute(
        sql.SQL("SET LOCAL search_path TO {}; SET LOCAL synchronous_commit TO off").format(
            sql.Identifier(schema)
        )
    )


def make_tables(cursor: PgCursor, models: Iterable[ReadModel]) -> None:
    """Make the tables of read models anew, empty, in the schema that is worked in.

    Views on tables that were there, as after a restore without rows, go with them: whoever works in
    the live schema makes them again (`projections.slots.define_views`).
    """
    for model in models:
        drop_tables(cursor, model.tables, with_views=True)
        cursor.execute(model.definition)


def drop_everything(cursor: PgCursor) -> None:
    """Drop every table of the schema that is worked in."""
    cursor.execute(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    )
    drop_tables(cursor, [name for (name,) in cursor.fetchall()])


def drop_tables(cursor: PgCursor, tables: Sequence[str], *, with_views: bool = False) -> None:
    """Drop tables of the schema that is worked in, as far as they are there."""
    if tables:
        cursor.execute(
            sql.SQL("DROP TABLE IF EXISTS {} {}").format(
                sql.SQL(", ").join(map(sql.Identifier, tables)),
                sql.SQL("CASCADE" if with_views else "RESTRICT"),
            )
        )
