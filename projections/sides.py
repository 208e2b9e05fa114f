"""Side schemas: all read models as of what was known at some time, under a name, to ask as long as
they are kept.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import NamedTuple

from psycopg2 import sql

from ledger.datastore import Datastore, PgCursor
from ledger.reading import known_position
from ledger.sql import named_queries
from projections.answers import ONE_STATE, WrongParameter
from projections.model import ReadModel
from projections.rebuilding import Build, Done, Models, build, only_one
from projections.slots import slots_of

_SQL = named_queries(Path(__file__).with_name("sides.sql"))
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PREFIX = "known_"


class SideSchemaRefused(ValueError):
    """A side schema cannot be built or dropped; the text says what to do."""


class NoSuchReadModels(WrongParameter):
    """There is no side schema of that name, or it is not complete; the text says what there is."""

    parameter = "read"


class Side(NamedTuple):
    """A side schema: all read models from the events up to `position`, the last one recorded by
    `known_at` (as it was asked for). Without `built_at` it is not complete.
    """

    name: str
    known_at: str
    position: int
    started_at: datetime
    built_at: datetime | None


def sides(cursor: PgCursor) -> list[Side]:
    """Every side schema, by name."""
    cursor.execute(_SQL["all"])
    return list(map(Side._make, cursor))


@contextmanager
def side_snapshot(
    datastore: Datastore, name: str, models: Sequence[ReadModel]
) -> Iterator[PgCursor]:
    """As `projections.answers.snapshot`, of a side schema, which stays as it is until the end.

    `models` are those that will be asked. Raises NoSuchReadModels, for one that does not exist, is
    not complete, or was built by other versions of the read models.
    """
    with datastore.transaction() as cursor:
        # Who drops or enters one holds the lock to the end: what is found here stays there.
        cursor.execute(f"{ONE_STATE}; LOCK TABLE ledger.side_schemas IN ACCESS SHARE MODE")
        side = _complete(cursor, name)
        cursor.execute(
            sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(_PREFIX + name))
        )
        built = {slot.name: slot.version for slot in slots_of(cursor, [m.name for m in models])}
        if any(built.get(model.name) != model.version for model in models):
            raise NoSuchReadModels(
                f"{name} was built by another version of the program, or with another gap between"
                f" episodes: build it anew with: servicetrail replay --known-at {side.known_at}"
                f" --into {name} --force"
            )
        yield cursor


def _complete(cursor: PgCursor, name: str) -> Side:
    """The side schema `name`; raises NoSuchReadModels unless it is there and complete."""
    known = sides(cursor)
    found = next((side for side in known if side.name == name), None)
    if found is not None and found.built_at is not None:
        return found
    if found is not None:
        raise NoSuchReadModels(
            f"{name} is not built yet; go on with: servicetrail replay"
            f" --known-at {found.known_at} --into {name}"
        )
    there = ", ".join(side.name for side in known if side.built_at is not None)
    raise NoSuchReadModels(
        f"there are no read models called {name}; there are: {there or 'none'}"
        " (servicetrail replay --list)"
    )


def build_side(
    datastore: Datastore,
    models: Models,
    name: str,
    known_at: datetime | int,
    *,
    force: bool = False,
    workers: int = 1,
    stop: Event | None = None,
    on_progress: Callable[[Done], None] = lambda _: None,
) -> Side:
    """Build all read models of `models` as of what was recorded by `known_at` into a side schema.

    One that was begun for the same `known_at` is gone on with, and one that is complete is left as
    it is; for another `known_at` that is refused, unless with `force`, which drops what is there.

    Raises SideSchemaRefused, and what `projections.rebuilding.build` raises.
    """
    _check_name(name)
    schema = _PREFIX + name
    with only_one(datastore, schema):
        side = _entered(datastore, name, known_at, force=force)
        if side.built_at is not None:
            return side
        job = Build(datastore, models, tuple(model.name for model in models()), schema)
        build(job, side.position, workers=workers, stop=stop, on_progress=on_progress)
        with datastore.transaction() as cursor:
            cursor.execute(_SQL["complete"], {"name": name})
            return _side(cursor, name) or side


def drop_side(datastore: Datastore, name: str) -> None:
    """Drop a side schema. Raises NoSuchReadModels if there is none, RebuildGoesOn."""
    _check_name(name)
    with only_one(datastore, _PREFIX + name), datastore.transaction() as cursor:
        _alone(cursor)
        if _side(cursor, name) is None:
            _complete(cursor, name)
        _drop(cursor, name)


def _entered(datastore: Datastore, name: str, known_at: datetime | int, *, force: bool) -> Side:
    """The entry in the catalogue, with the schema there: a new one or that of before."""
    asked = known_at.isoformat() if isinstance(known_at, datetime) else str(known_at)
    with datastore.transaction() as cursor:
        _alone(cursor)
        side = _side(cursor, name)
        if side is not None and not force:
            if side.known_at != asked:
                raise SideSchemaRefused(
                    f"{name} is there already, as of {side.known_at}: give another name, or"
                    " --force to build it anew"
                )
            return side
        position = _position(cursor, known_at)
        if side is not None:
            _drop(cursor, name)
        cursor.execute(_SQL["make"], {"name": name})
        cursor.execute(_SQL["enter"], {"name": name, "known_at": asked, "position": position})
        made = _side(cursor, name)
        assert made is not None
        return made


def _position(cursor: PgCursor, known_at: datetime | int) -> int:
    """What was known by then. What will be known at a later time cannot be said."""
    cursor.execute(_SQL["ends"])
    last, _, now = cursor.fetchone() or (0, None, None)
    if isinstance(known_at, datetime):
        if known_at > now:
            raise SideSchemaRefused(
                "--known-at lies in the future: what will be known then, nobody knows"
            )
    elif not 0 <= known_at <= last:
        raise SideSchemaRefused(f"--known-at must be an instant or a position from 0 to {last}")
    return known_position(cursor, known_at)


def _side(cursor: PgCursor, name: str) -> Side | None:
    cursor.execute(_SQL["one"], {"name": name})
    row = cursor.fetchone()
    return None if row is None else Side._make(row)


def _alone(cursor: PgCursor) -> None:
    """Wait until nobody asks a side schema any more; until the end nobody begins to."""
    cursor.execute("LOCK TABLE ledger.side_schemas IN ACCESS EXCLUSIVE MODE")


def _drop(cursor: PgCursor, name: str) -> None:
    cursor.execute(
        sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(_PREFIX + name))
    )
    cursor.execute(_SQL["remove"], {"name": name})


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SideSchemaRefused(
            "a name is a lower-case letter, and up to 40 letters, digits and _ more"
        )
