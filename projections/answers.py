"""What every question to the read models gets back, and the snapshot that it is asked in."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import Datastore, PgCursor
from ledger.prepared import Prepared
from ledger.sql import named_queries

METRIC_VERSION = 2
"""Version of the definitions by which figures are computed (docs/reference/metrics.md)."""

LARGEST_PAGE = 1_000

ROOM = (
    "SET LOCAL jit TO off; SET LOCAL work_mem TO '32MB';"
    " SET LOCAL plan_cache_mode TO force_generic_plan"
)
"""For statements that answer. Compiling a plan takes longer than any of the questions, and so does
sorting on disk; what is prepared is planned once.
"""

ONE_STATE = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {ROOM}"
"""Begins a transaction that sees one state, taken by its first query."""

_SQL = named_queries(Path(__file__).with_name("position.sql"))

_STANDING = Prepared(_SQL["standing"])

# The lock comes before the snapshot: a rebuilt table is swapped in before both or after.
_SNAPSHOT = f"{ROOM}; SET LOCAL search_path TO %(schema)s; LOCK TABLE position IN ACCESS SHARE MODE"


class _Stand(NamedTuple):
    """Where a worker of a read model stands, and the last position up to there whose event can have
    changed an answer.
    """

    name: str
    version: str
    position: int
    recorded_at: datetime | None
    last_change: int


_NOWHERE = _Stand("", "", 0, None, 0)


class WrongParameter(ValueError):
    """A question was asked with a value that it cannot be asked with; `parameter` is its name."""

    parameter: str


class BadToken(WrongParameter):
    """A `next` that this program did not give out, or gave out for another question."""

    parameter = "cursor"


@dataclass(frozen=True)
class Answer:
    """Rows, and what they were computed from.

    `position`: from all events up to it; `known_at`: when that one was recorded (None before the
    first). `as_of`: nothing that happened later counts. `next` asks for the rows that follow.
    """

    position: int
    as_of: datetime
    known_at: datetime | None
    metric_version: int
    rows: list[dict[str, Any]]
    next: str | None = None


class _Snapshot(PgCursor):
    """A cursor that sees one state of the read models, and knows where each stands in it."""

    stands: list[_Stand]


@contextmanager
def snapshot(datastore: Datastore, schema: str = "read") -> Iterator[PgCursor]:
    """A cursor that sees one state of the read models in `schema`, rows and position alike.

    Raises the errors of `eventsourcing.persistence`.
    """

    def first(cursor: PgCursor) -> str:
        return f"{_SNAPSHOT}; {_STANDING.written(cursor)}"

    with datastore.reading(first, {"schema": schema}, _Snapshot) as cursor:
        cursor.stands = [_Stand._make(row) for row in cursor]
        _STANDING.prepare(cursor)
        yield cursor


def answer(
    cursor: PgCursor,
    models: Sequence[str],
    as_of: datetime,
    rows: list[dict[str, Any]],
    next_: str | None = None,
) -> Answer:
    """Rows of the read models named, with the position of the one that is furthest behind."""
    stands = [each for each in _stands(cursor) if each.name in models]
    last = min(stands, key=attrgetter("position"), default=_NOWHERE)
    return Answer(last.position, as_of, last.recorded_at, METRIC_VERSION, rows, next_)


def standing(cursor: PgCursor) -> list[dict[str, Any]]:
    """Where each read model stands: `name`, `version`, `position`, `recorded_at` of that one, and
    `positions`, that of each worker, of which `position` is the lowest.
    """
    told = []
    for name, group in groupby(_stands(cursor), attrgetter("name")):
        workers = list(group)
        last = min(workers, key=attrgetter("position"))
        told.append(
            {
                "name": name,
                "version": last.version,
                "position": last.position,
                "recorded_at": last.recorded_at,
                "positions": [worker.position for worker in workers],
            }
        )
    return told


def last_changes(cursor: PgCursor) -> dict[int, int]:
    """For each position that a read model has reached the last one up to it whose event can have
    changed an answer (0: none has).

    That somebody looked or did something changes answers about access alone.
    """
    return {each.position: each.last_change for each in _stands(cursor)}


def _stands(cursor: PgCursor) -> list[_Stand]:
    """Of each worker of each read model, in the order of names and workers."""
    if isinstance(cursor, _Snapshot):
        return cursor.stands
    cursor.execute(_SQL["standing"])
    return [_Stand._make(row) for row in cursor]


def fetch(
    cursor: PgCursor, statement: str | Prepared, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """All rows of a statement, as dicts by column name."""
    if isinstance(statement, Prepared):
        statement.execute(cursor, parameters)
    else:
        cursor.execute(statement, parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@dataclass(frozen=True)
class Page:
    """Which rows of a long list are wanted: `limit` of them, those after the key `after`.

    All pages of a list speak of the instant that the first one was asked for: `as_of`.
    """

    limit: int
    as_of: datetime
    after: Sequence[Any] | None


def page(question: str, limit: int, as_of: datetime, token: str | None) -> Page:
    """The page that a token of `next` stands for, or the first page.

    Raises ValueError for a limit outside 1 to LARGEST_PAGE, BadToken for a token that is not one
    of `question`'s.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise ValueError(f"limit must be from 1 to {LARGEST_PAGE}")
    if token is None:
        return Page(limit, as_of, None)
    try:
        asked, first_as_of, after = json.loads(_unsealed(token))
        if asked != question or not isinstance(after, list):
            raise BadToken(f"this token does not belong to {question}")
        return Page(limit, datetime.fromisoformat(first_as_of), after)
    except BadToken:
        raise
    except (binascii.Error, UnicodeError, TypeError, ValueError) as error:
        raise BadToken("this is not a token of a former answer") from error


def cut(
    question: str, page_: Page, rows: list[dict[str, Any]], key: Sequence[str]
) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page, asked for with one more than its limit, and the token of the next page.

    `key` are the columns that order the list.
    """
    if len(rows) <= page_.limit:
        return rows, None
    rows = rows[: page_.limit]
    after = [_token_value(rows[-1][name]) for name in key]
    told = json.dumps([question, page_.as_of.isoformat(), after], separators=(",", ":"))
    return rows, _sealed(told.encode())


_SUM_BYTES = 9


def _sealed(told: bytes) -> str:
    """What a token carries, behind its checksum: whoever changes or makes up a token is told so,
    and nothing but values of a former row gets into a statement.
    """
    return base64.urlsafe_b64encode(_sum(told) + told).decode()


def _unsealed(token: str) -> bytes:
    """What a token carries. Raises BadToken, binascii.Error and UnicodeError."""
    both = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    told = both[_SUM_BYTES:]
    if both[:_SUM_BYTES] != _sum(told):
        raise BadToken("this is not a token of a former answer")
    return told


def _sum(told: bytes) -> bytes:
    return sha256(b"servicetrail token\n" + told).digest()[:_SUM_BYTES]


def _token_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def window(from_: datetime | None, to: datetime | None) -> dict[str, str]:
    """The parameters `from` and `to` of a half-open window in time; None leaves a side open."""
    return {
        "from": "-infinity" if from_ is None else from_.isoformat(),
        "to": "infinity" if to is None else to.isoformat(),
    }
