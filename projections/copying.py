"""Writing many rows at once with `COPY`, PostgreSQL's fastest way in."""

import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2.errors import UniqueViolation

from ledger.datastore import PgCursor
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
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    Decimal: str,
    dict: lambda value: json.dumps(value).translate(_ESCAPES),
    list: lambda value: json.dumps(value).translate(_ESCAPES),
}


def copy_rows(
    cursor: PgCursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, each a sequence of values in the order of `columns`.

    A column holds None and values of one type: text, instants, booleans, numbers, dicts or lists
    (as JSON).
    """
    if not rows:
        return
    texts = [_texts(values) for values in zip(*rows, strict=True)]
    lines = "\n".join(map("\t".join, zip(*texts, strict=True)))
    target = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    cursor.copy_expert(target, io.StringIO(f"{lines}\n"), _COPY_CHUNK_CHARACTERS)


def _texts(values: Sequence[Any]) -> list[str]:
    """One column: what COPY reads for each value."""
    given = next((value for value in values if value is not None), "")
    if isinstance(given, datetime):
        # Writing an instant is dear, and most columns hold each of theirs several times.
        texts = {value: instant_text(value) for value in set(values) if value is not None}
        return [texts.get(value, _NULL) for value in values]
    if not isinstance(given, str):
        write = _WRITERS[type(given)]
        return [_NULL if value is None else write(value) for value in values]
    # Hardly ever there, so that one search over all texts is cheaper than an escape of each.
    together = "".join([value for value in values if value is not None])
    if any(special in together for special in _SPECIAL):
        values = [value and value.translate(_ESCAPES) for value in values]
    return [_NULL if value is None else value for value in values]


def copy_new_rows(
    cursor: PgCursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert those rows whose primary key is not there yet.

    All of them are new unless a batch is applied a second time, so that is tried first.
    """
    if not rows:
        return
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
