"""Statements that are planned once say what they say when they are planned each time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from eventsourcing.persistence import DataError, NotSupportedError

from ledger.datastore import Datastore
from ledger.prepared import Prepared

AT = datetime(2026, 3, 2, 9, 0, 0, 5, tzinfo=UTC)
EVERYTHING = """
SELECT %(text)s || '%%' AS said, %(number)s + 1, %(at)s + interval '1 day', NOT %(yes)s,
    %(absent)s::text IS NULL, 'b' = ANY (%(texts)s), cardinality(%(none)s::text[]),
    %(text)s LIKE 'a%%'
"""
VALUES: dict[str, Any] = {
    "text": "a 'quoted' text",
    "number": 7,
    "at": AT,
    "yes": True,
    "absent": None,
    "texts": ["a", "b"],
    "none": [],
}


def told(datastore: Datastore, statement: Prepared, values: dict[str, Any]) -> list[Any]:
    with datastore.transaction() as cursor:
        statement.execute(cursor, values)
        return cursor.fetchall()


def prepared(datastore: Datastore) -> int:
    with datastore.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        return int((cursor.fetchone() or (0,))[0])


def test_it_says_the_same_and_is_prepared_once_for_values_of_the_same_types(
    datastore: Datastore,
) -> None:
    statement = Prepared(EVERYTHING)
    for values in (VALUES, VALUES | {"text": "other", "yes": False}):
        with datastore.transaction() as cursor:
            cursor.execute(EVERYTHING, values)
            expected = cursor.fetchall()
        assert told(datastore, statement, values) == expected
    assert prepared(datastore) == 1
    large = VALUES | {"number": 2**40}
    assert told(datastore, statement, large)[0][1] == 2**40 + 1
    assert prepared(datastore) == 2


def test_it_is_there_again_after_a_transaction_that_failed(datastore: Datastore) -> None:
    division = Prepared("SELECT 6 / %(by)s")
    with pytest.raises(DataError, match="division by zero"):
        told(datastore, division, {"by": 0})
    assert told(datastore, division, {"by": 2}) == [(3,)]
    assert prepared(datastore) == 1


def test_without_parameters_and_with_what_it_is_not_made_for(datastore: Datastore) -> None:
    assert told(datastore, Prepared("SELECT '%%'"), {}) == [("%",)]
    with pytest.raises(TypeError, match="not prepared for a dict"):
        told(datastore, Prepared("SELECT %(what)s"), {"what": {}})


def test_names_are_looked_up_along_the_search_path_of_whoever_executes_it(
    datastore: Datastore,
) -> None:
    statement = Prepared("SELECT source FROM events LIMIT %(rows)s")
    with datastore.transaction() as cursor:
        cursor.execute("SET LOCAL search_path TO ledger")
        statement.execute(cursor, {"rows": 1})
        assert cursor.fetchall() == []
        ours = "SELECT 'ours' COLLATE \"C\" AS source"
        cursor.execute(f"CREATE TEMPORARY TABLE events ON COMMIT DROP AS {ours}")
        cursor.execute("SET LOCAL search_path TO pg_temp")
        statement.execute(cursor, {"rows": 1})
        assert cursor.fetchall() == [("ours",)]


def test_where_columns_have_got_other_types_a_connection_fails_once(datastore: Datastore) -> None:
    """So it is when a newer version of the program has put its read models in place of ours."""
    statement = Prepared("SELECT what FROM things")
    with datastore.transaction() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE things AS SELECT 1 AS what")
        statement.execute(cursor, {})
        cursor.execute("DROP TABLE things; CREATE TEMPORARY TABLE things AS SELECT 'one' AS what")
    with pytest.raises(NotSupportedError, match="must not change result type"):
        told(datastore, statement, {})
    assert prepared(datastore) == 0
