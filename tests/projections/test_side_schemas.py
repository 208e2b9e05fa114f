"""Side schemas: all read models as of what was known at some time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from ledger.datastore import Datastore
from ledger.reading import recorded_at
from projections.queries import promises
from projections.rebuilding import RebuildGoesOn, only_one
from projections.registry import read_models
from projections.runner import Runner
from projections.sides import (
    NoSuchReadModels,
    Side,
    SideSchemaRefused,
    build_side,
    drop_side,
    side_snapshot,
    sides,
)
from tests.conftest import DatabaseUrls
from tests.consumers.waiting import eventually
from tests.projections.builders import all_models, building_slowly
from tests.projections.crowd import crowd, everything_in
from tests.projections.history import at, read_schema, runner, tell

NOW = at("2025-01-01")
HALF = 201


@pytest.fixture
def told(datastore: Datastore) -> Datastore:
    """A crowd, of which the second half became known later."""
    tell(datastore, crowd(40)[:HALF])
    tell(datastore, crowd(40)[HALF:])
    runner(datastore).catch_up()
    return datastore


def listed(datastore: Datastore) -> list[Side]:
    with datastore.transaction() as cursor:
        return sides(cursor)


def position(datastore: Datastore, name: str) -> int:
    """What a question to the side schema says that it rests on."""
    with side_snapshot(datastore, name, all_models()) as cursor:
        return promises(cursor, as_of=NOW).position


@pytest.mark.parametrize("workers", [1, 2])
def test_it_holds_what_read_models_held_then(told: Datastore, workers: int) -> None:
    side = build_side(told, all_models, "then", HALF, workers=workers)
    assert (side.position, side.known_at) == (HALF, str(HALF))
    assert side.built_at is not None
    with read_schema(told) as cursor:
        cursor.execute("DELETE FROM position")
    held = Runner(told, all_models())
    held.prepare()
    while held.step(until=HALF):
        pass
    assert everything_in(told, "known_then") == everything_in(told, "read")


def test_the_same_questions_are_asked_there(told: Datastore) -> None:
    with told.transaction() as cursor:
        instant = recorded_at(cursor, HALF)
    assert instant is not None
    build_side(told, all_models, "first_half", instant)
    with side_snapshot(told, "first_half", all_models()) as cursor:
        answer = promises(cursor, as_of=NOW)
        assert answer.position == HALF
        assert answer.known_at == instant
        assert "kept" not in {row["verdict"] for row in answer.rows}


def test_it_is_listed_and_dropped(told: Datastore) -> None:
    build_side(told, all_models, "one", 10)
    build_side(told, all_models, "two", 20)
    assert [(side.name, side.position) for side in listed(told)] == [("one", 10), ("two", 20)]
    drop_side(told, "one")
    assert [side.name for side in listed(told)] == ["two"]
    with pytest.raises(NoSuchReadModels, match="called one; there are: two"):
        position(told, "one")
    with pytest.raises(NoSuchReadModels):
        drop_side(told, "one")


def test_interrupted_it_goes_on_for_the_same_instant_only(
    told: Datastore, database_url: str
) -> None:
    with told.transaction() as cursor:
        cursor.execute("SELECT ledger.make_side_schema('half')")
        cursor.execute(
            "INSERT INTO ledger.side_schemas (name, known_at, position) VALUES ('half', '300', 300)"
        )
    with building_slowly(database_url, "known_half", 300, batches=8):
        pass
    with pytest.raises(NoSuchReadModels, match="--known-at 300 --into half"):
        position(told, "half")
    with pytest.raises(SideSchemaRefused, match="as of 300: give another name, or --force"):
        build_side(told, all_models, "half", 301)
    events: list[int] = []
    side = build_side(
        told,
        all_models,
        "half",
        300,
        on_progress=lambda done: events.append(done.events) if done.stage == "events" else None,
    )
    assert side.built_at is not None
    assert events[0] > 0
    assert events[-1] == 300
    build_side(told, all_models, "whole", 300)
    assert everything_in(told, "known_half") == everything_in(told, "known_whole")


def test_once_built_it_stays_as_it_is_unless_forced(told: Datastore) -> None:
    first = build_side(told, all_models, "it", 10)
    assert build_side(told, all_models, "it", 10) == first
    assert build_side(told, all_models, "it", 11, force=True).position == 11
    assert [side.position for side in listed(told)] == [11]


def waiting_for(datastore: Datastore, table: str) -> bool:
    """Whether somebody waits for a lock on it."""
    with datastore.transaction() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted", (table,)
        )
        return cursor.fetchone() != (0,)


def test_who_asks_it_is_not_given_another_one_in_the_middle(told: Datastore) -> None:
    build_side(told, all_models, "it", 10)
    with ThreadPoolExecutor() as threads:
        with side_snapshot(told, "it", all_models()) as cursor:
            building = threads.submit(build_side, told, all_models, "it", 11, force=True)
            eventually(lambda: waiting_for(told, "ledger.side_schemas"))
            assert promises(cursor, as_of=NOW).position == 10
        assert building.result().position == 11
    assert position(told, "it") == 11


def test_what_other_rules_built_is_not_asked(told: Datastore) -> None:
    build_side(told, all_models, "it", 10)
    ours = read_models(episode_gap=timedelta(days=3))
    with (
        pytest.raises(NoSuchReadModels, match="--known-at 10 --into it --force"),
        side_snapshot(told, "it", ours),
    ):
        pass
    build_side(told, lambda: ours, "it", 10, force=True)
    with side_snapshot(told, "it", ours) as cursor:
        assert promises(cursor, as_of=NOW).position == 10


def test_the_beginning_is_empty(told: Datastore) -> None:
    build_side(told, all_models, "nothing", 0)
    assert not any(everything_in(told, "known_nothing").values())


@pytest.mark.parametrize("name", ["", "Then", "1st", "a-b", "a" * 42, "x; DROP SCHEMA read", "ä"])
def test_other_names_are_refused(told: Datastore, name: str) -> None:
    with pytest.raises(SideSchemaRefused, match="lower-case"):
        build_side(told, all_models, name, 1)
    assert listed(told) == []


def test_what_will_be_known_cannot_be_asked(told: Datastore) -> None:
    with pytest.raises(SideSchemaRefused, match="future"):
        build_side(told, all_models, "later", datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(SideSchemaRefused, match="from 0 to 401"):
        build_side(told, all_models, "later", 402)
    assert listed(told) == []


def test_one_program_at_a_time_builds_it(told: Datastore) -> None:
    with only_one(told, "known_it"), pytest.raises(RebuildGoesOn):
        build_side(told, all_models, "it", 1)


def test_the_program_can_make_no_other_schemas(
    datastore: Datastore, database_urls: DatabaseUrls
) -> None:
    for statement in (
        "CREATE SCHEMA mine",
        "SELECT ledger.make_side_schema('x; DROP TABLE ledger.events')",
        "SELECT ledger.make_side_schema('READ')",
        "DROP SCHEMA ledger CASCADE",
    ):
        with (
            pytest.raises(Exception, match=r"denied|owner|lower-case"),
            datastore.transaction() as at_,
        ):
            at_.execute(statement)
