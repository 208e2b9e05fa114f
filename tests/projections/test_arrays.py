"""Answers with arrays, read from PostgreSQL into numpy."""

from typing import Any

import numpy as np
import pytest

from ledger.datastore import Datastore
from projections.arrays import fetch_arrays


def asked(datastore: Datastore, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    with datastore.transaction() as cursor:
        return fetch_arrays(cursor, statement, parameters)


def array(datastore: Datastore, term: str) -> Any:
    ((found,),) = (row.values() for row in asked(datastore, f"SELECT {term} AS of"))
    assert found.flags.writeable
    assert found.dtype.isnative
    return found


def test_values_are_pythons(datastore: Datastore) -> None:
    (row,) = asked(
        datastore,
        """
        SELECT 'naïve 漢'::text AS name, '' AS empty, '-32768'::int2 AS small, 32767::int2 AS great,
            -2147483648 AS int4, (-9223372036854775808)::int8 AS least,
            9223372036854775807 AS most, 0.1::float8 AS tenth, 'infinity'::float8 AS endless,
            true AS yes, false AS no, NULL::float8 AS nothing, NULL::float8[] AS no_array
        """,
    )
    assert list(row.items()) == [
        ("name", "naïve 漢"),
        ("empty", ""),
        ("small", -32768),
        ("great", 32767),
        ("int4", -2147483648),
        ("least", -(2**63)),
        ("most", 2**63 - 1),
        ("tenth", 0.1),
        ("endless", float("inf")),
        ("yes", True),
        ("no", False),
        ("nothing", None),
        ("no_array", None),
    ]
    assert type(row["yes"]) is bool


@pytest.mark.parametrize(
    ("term", "dtype", "values"),
    [
        ("'{-32768,0,32767}'::int2[]", np.int16, [-32768, 0, 32767]),
        ("'{-2147483648,2147483647}'::int4[]", np.int32, [-(2**31), 2**31 - 1]),
        (
            "'{-9223372036854775808,9223372036854775807}'::int8[]",
            np.int64,
            [-(2**63), 2**63 - 1],
        ),
        (
            "'{0.1,-0,1e308,5e-324,infinity,-infinity}'::float8[]",
            np.float64,
            [0.1, -0.0, 1e308, 5e-324, float("inf"), float("-inf")],
        ),
        ("'{true,false,true}'::bool[]", np.bool_, [True, False, True]),
        (r"""'{a,"",\\351}'::"char"[]""", np.dtype("S1"), [b"a", b"", b"\xe9"]),
        # Where an array begins to count does not matter.
        ("'[5:6]={1,2}'::int8[]", np.int64, [1, 2]),
        (
            "'{2000-01-01 00:00:00.000001+00,2000-01-01 01:00+01,1999-12-31 23:59:59.999999+00,"
            "infinity,-infinity}'::timestamptz[]",
            np.int64,
            [1, 0, -1, 2**63 - 1, -(2**63)],
        ),
    ],
)
def test_arrays_are_numpys(datastore: Datastore, term: str, dtype: Any, values: Any) -> None:
    found = array(datastore, term)
    assert (found.dtype, found.tolist()) == (dtype, values)


@pytest.mark.parametrize(
    ("of", "dtype"), [("int2", "i2"), ("float8", "f8"), ("bool", "?"), ('"char"', "S1")]
)
def test_an_empty_array_is_of_its_type(datastore: Datastore, of: str, dtype: str) -> None:
    found = array(datastore, f"'{{}}'::{of}[]")
    assert (found.dtype, found.tolist()) == (np.dtype(dtype), [])


def test_many_rows_of_many_elements(datastore: Datastore) -> None:
    """As many as waits have in a large company, beside groups without a name and without rows."""
    rows = asked(
        datastore,
        """
        SELECT nullif(n %% 3, 0)::text AS name, count(*) AS waits, array_agg(n) AS numbers,
            array_agg(n / 8.0::float8) AS eighths, array_agg(n %% 2 = 0) AS even
        FROM generate_series(1, %(last)s) AS n
        GROUP BY nullif(n %% 3, 0)
        ORDER BY 1  -- the nameless last
        """,
        last=300_000,
    )
    assert [(row["name"], row["waits"]) for row in rows] == [
        ("1", 100_000),
        ("2", 100_000),
        (None, 100_000),
    ]
    for row in rows:
        assert (row["numbers"] / 8 == row["eighths"]).all()
        assert (row["numbers"] % 2 == 0).tolist() == row["even"].tolist()
    assert sum(row["numbers"].sum(dtype=np.int64) for row in rows) == 300_000 * 300_001 // 2
    assert asked(datastore, "SELECT 1 AS one WHERE false") == []


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("'{{1,2},{3,4}}'::int8[]", "column of has an array of 2 dimensions"),
        ("'{1,NULL}'::float8[]", "column of has nulls in its array"),
        ("'{NULL}'::bool[]", "column of has nulls in its array"),
        ("'{a}'::text[]", "column of has a type that is not read here"),
        ("1.5::numeric", "column of has a type that is not read here"),
    ],
)
def test_what_is_not_read_is_refused(datastore: Datastore, term: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        asked(datastore, f"SELECT {term} AS of")
