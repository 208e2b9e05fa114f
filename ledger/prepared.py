"""Statements that each connection parses and plans once.

For what is asked about one thing: PostgreSQL takes longer to plan that than to answer it. A plan
that does not know the values has to be good for all of them, so measure it: what goes through many
rows is planned for its values each time, as ever.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ledger.datastore import PgCursor, prepared_on

_PARAMETER = re.compile(r"%\((\w+)\)s")
_INTEGER = 2**31


class _Form(NamedTuple):
    """The statement for parameters of certain types: how it is prepared, and then executed."""

    name: str
    prepare: str
    execute: str


class Prepared:
    """One statement with parameters as psycopg2 writes them, `%(name)s`.

    Values are None, text, truth values, integers, instants, and lists of texts: what psycopg2 would
    write for them has the types that the statement is prepared for. Others raise TypeError.
    """

    def __init__(self, statement: str) -> None:
        self._names = list(dict.fromkeys(_PARAMETER.findall(statement)))
        numbers = {name: f"${number}" for number, name in enumerate(self._names, 1)}
        self._statement = _PARAMETER.sub(lambda found: numbers[found[1]], statement)
        self._statement = self._statement.replace("%%", "%")
        self._forms: dict[tuple[str, ...], _Form] = {}

    def execute(self, cursor: PgCursor, parameters: Mapping[str, Any]) -> None:
        """Execute it; the cursor, one of a `ledger.datastore.Datastore`, has the result."""
        form = self._form_for(parameters)
        _prepare(cursor, form)
        cursor.execute(form.execute, parameters)

    def written(self, cursor: PgCursor) -> str:
        """One without parameters as it goes into the same round trip behind statements that have
        some: whole, until `prepare` was called on the cursor's connection.
        """
        form = self._form_for({})
        prepared = form.name in prepared_on(cursor)
        return form.execute if prepared else self._statement.replace("%", "%%")

    def prepare(self, cursor: PgCursor) -> None:
        """Prepare one without parameters, for the next time."""
        _prepare(cursor, self._form_for({}))

    def _form_for(self, parameters: Mapping[str, Any]) -> _Form:
        types = tuple([_type(parameters[name]) for name in self._names])
        return self._forms.get(types) or self._form(types)

    def _form(self, types: tuple[str, ...]) -> _Form:
        named = ", ".join(types)
        name = "s" + sha256(f"{named}\n{self._statement}".encode()).hexdigest()[:24]
        values = ", ".join(f"%({each})s" for each in self._names)
        form = self._forms[types] = _Form(
            name,
            f"PREPARE {name} {f'({named})' if types else ''} AS {self._statement}",
            f"EXECUTE {name} {f'({values})' if types else ''}",
        )
        return form


def _prepare(cursor: PgCursor, form: _Form) -> None:
    prepared = prepared_on(cursor)
    if form.name not in prepared:
        cursor.execute(form.prepare)
        prepared.add(form.name)


def _type(value: Any) -> str:
    """The type of what psycopg2 writes for a value; unknown is what takes it from its place."""
    match value:
        case None | str() | []:
            return "unknown"
        case bool():
            return "boolean"
        case int():
            return "integer" if -_INTEGER <= value < _INTEGER else "bigint"
        case datetime():
            return "timestamptz"
        case [str(), *_]:
            return "text[]"
    raise TypeError(f"statements are not prepared for a {type(value).__name__}")
