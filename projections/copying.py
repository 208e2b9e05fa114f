"""Writing many rows at once with `COPY`, PostgreSQL's fastest way in."""

import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as PgCursor

from projections.events import BEGINNING, END

_COPY_CHUNK_CHARACTERS = 1 << 18
_NULL = "\\N"
_SPECIAL = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPES = str.maketrans(_SPECIAL)


def instant_text(value: datetime) -> str:
    """An instant as PostgreSQL reads it: END and BEGINNING are its infinities."""
    if value == END:
        return "infinity"
    return "-infinity" if value == BEGINNING else value.isoformat()


_WRITERS: dict[type, Callable[[Any], str]] = {
    datetime: instant_text,
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    dict: lambda value: json.dumps(value).translate(_ESCAPES),
}


def copy_rows(
    cursor: PgCursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, each a sequence of values in the order of `columns`.

    Values are text, instants, booleans, numbers, dicts (as JSON) and None; KeyError for others.
    """
    if not rows:
        return
    # Hardly ever there, so that one search over all texts is cheaper than an escape of each.
    texts = "".join([value for row in rows for value in row if type(value) is str])
    if any(special in texts for special in _SPECIAL):
        rows = [
            [value.translate(_ESCAPES) if type(value) is str else value for value in row]
            for row in rows
        ]
    lines = [
        "\t".join(
            [
                value
                if type(value) is str
                else _NULL
                if value is None
                else _WRITERS[type(value)](value)
                for value in row
            ]
        )
        for row in rows
    ]
    lines.append("")
    target = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    cursor.copy_expert(target, io.StringIO("\n".join(lines)), _COPY_CHUNK_CHARACTERS)


def copy_new_rows(
    cursor: PgCursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert those rows whose primary key is not there yet.

    All of them are new unless a batch is applied a second time, so that is tried first.
    """
    cursor.execute("SAVEPOINT all_new")
    try:
        copy_rows(cursor, table, columns, rows)
        cursor.execute("RELEASE SAVEPOINT all_new")
    except UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT all_new")
        cursor.execute(f"CREATE TEMPORARY TABLE arriving (LIKE {table}) ON COMMIT DROP")
        copy_rows(cursor, "arriving", columns, rows)
        names = ", ".join(columns)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM arriving ON CONFLICT DO NOTHING"
        )
        cursor.execute("DROP TABLE arriving")
