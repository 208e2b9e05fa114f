"""What happened to kept inputs after they were first received: a history that is only added to."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import execute_values

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("steps.sql"))


class Step(NamedTuple):
    """One step.

    `step`: received (the same bytes came again), redriven, repaired (a repaired version was taken),
    refused (what was parked turned out wrong), discarded, or revealed. `outcome`, `reason`, `path`
    and `position` are those that it led to, `who` asked for it, `remark` says why.
    """

    at: datetime
    step: str
    outcome: str | None = None
    reason: str | None = None
    path: str | None = None
    position: int | None = None
    who: str | None = None
    remark: str | None = None


def record(cursor: PgCursor, steps: Iterable[tuple[int, Step]]) -> None:
    """Write steps, each of the input with the kept id before it."""
    execute_values(cursor, _SQL["record"], [(kept_id, *step) for kept_id, step in steps])


def steps_of(cursor: PgCursor, kept_id: int) -> list[Step]:
    """The steps of one input, in their order."""
    cursor.execute(_SQL["steps_of"], {"kept_id": kept_id})
    return [Step._make(row) for row in cursor.fetchall()]


def times_received(cursor: PgCursor, kept_ids: Iterable[int]) -> dict[int, list[datetime]]:
    """When each of the inputs came again after the first time, the latest first."""
    cursor.execute(_SQL["times_received"], {"kept_ids": list(kept_ids)})
    return dict(cursor.fetchall())
