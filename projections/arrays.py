"""Answers with arrays, read into numpy without a Python object for each element.

The server writes them in the binary format of COPY: of each row the number of its columns, of each
column its length in bytes and these. An array is its number of dimensions, two words about its
elements, of each dimension its length and where it begins, and of each element what a column is
(`array_send` in PostgreSQL). All numbers are big-endian.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from struct import Struct
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from ledger.datastore import PgCursor

_Field = memoryview
_Reader = Callable[[_Field], Any]

_HEADER = Struct(">11sii")
_COLUMNS = Struct(">h")
_LENGTH = Struct(">i")
_NULL = -1
_END = -1

_DIMENSIONS = Struct(">iii")
_DIMENSION = Struct(">ii")
_ARRAY_BYTES = _DIMENSIONS.size + _DIMENSION.size

_FLOAT = Struct(">d")

_VALUES: Mapping[int, _Reader] = {
    16: lambda field: field[0] != 0,  # bool
    20: lambda field: int.from_bytes(field, signed=True),  # int8
    21: lambda field: int.from_bytes(field, signed=True),  # int2
    23: lambda field: int.from_bytes(field, signed=True),  # int4
    25: lambda field: str(field, "utf-8"),  # text
    701: lambda field: _FLOAT.unpack(field)[0],  # float8
}
"""How a column is read, by the server's number of its type."""

_ELEMENTS: Mapping[int, str] = {
    1000: "?",  # bool
    1002: "S1",  # "char"
    1005: ">i2",  # int2
    1007: ">i4",  # int4
    1016: ">i8",  # int8
    1022: ">f8",  # float8
    1185: ">i8",  # timestamptz
}
"""What an array has as elements, by the server's number of its type."""


def fetch_arrays(
    cursor: PgCursor, statement: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """All rows of a statement, as dicts by column name: `projections.answers.fetch` with arrays.

    Columns of text, integers, float8 and bool are Python's values, null is None. Arrays of
    integers, float8, bool and "char" are numpy's, of one dimension; those of timestamptz are int64,
    microseconds since 2000-01-01 UTC, the largest and smallest for infinity and -infinity.

    The types of the columns must not depend on the parameters.

    Raises ValueError for columns of other types, and for arrays of several dimensions or with nulls
    among their elements.
    """
    columns = _columns(cursor, statement, parameters)
    asked = cursor.mogrify(statement, parameters)
    copied = BytesIO()
    cursor.copy_expert(b"COPY (" + asked + b"\n) TO STDOUT (FORMAT binary)", copied)
    return list(_rows(copied.getbuffer(), columns))


@cached(LRUCache(1_000), key=lambda _, statement, __: statement, lock=Lock())
def _columns(
    cursor: PgCursor, statement: str, parameters: Mapping[str, Any]
) -> list[tuple[str, _Reader]]:
    """The names of the columns, and how they are read: COPY tells neither.

    Of no rows they cost no more than a plan, which is a tenth of what some questions take: of one
    statement they are asked for once, so its parameters must not change its types.
    """
    cursor.execute(f"SELECT * FROM ({statement}\n) AS described LIMIT 0", parameters)
    return [(column.name, _reader(*column[:2])) for column in cursor.description or ()]


def _rows(copied: memoryview, columns: Sequence[tuple[str, _Reader]]) -> Iterator[dict[str, Any]]:
    _, _, extension = _HEADER.unpack_from(copied)
    at = _HEADER.size + extension
    while _COLUMNS.unpack_from(copied, at)[0] != _END:
        at += _COLUMNS.size
        row: dict[str, Any] = {}
        for name, read in columns:
            (length,) = _LENGTH.unpack_from(copied, at)
            at += _LENGTH.size
            if length == _NULL:
                row[name] = None
            else:
                row[name] = read(copied[at : at + length])
                at += length
        yield row


def _reader(name: str, type_number: int) -> _Reader:
    if type_number in _VALUES:
        return _VALUES[type_number]
    if type_number in _ELEMENTS:
        return _array_reader(name, np.dtype(_ELEMENTS[type_number]))
    raise ValueError(
        f"column {name} has a type that is not read here (pg_type.oid {type_number}): cast it to"
        " text, bigint, float8, boolean or an array of these"
    )


def _array_reader(name: str, of: np.dtype[Any]) -> _Reader:
    element = np.dtype([("length", ">i4"), ("value", of)])
    native = of.newbyteorder("=")

    def read(field: _Field) -> NDArray[Any]:
        dimensions, _, _ = _DIMENSIONS.unpack_from(field)
        if dimensions == 0:
            return np.empty(0, native)
        if dimensions > 1:
            raise ValueError(f"column {name} has an array of {dimensions} dimensions: give one")
        count, _ = _DIMENSION.unpack_from(field, _DIMENSIONS.size)
        if len(field) != _ARRAY_BYTES + count * element.itemsize:
            raise ValueError(f"column {name} has nulls in its array: leave them out")
        return np.frombuffer(field, element, offset=_ARRAY_BYTES)["value"].astype(native)

    return read
