"""Read models built anew beside those there: the same rows, at any time, whatever happens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given

from ledger.datastore import Datastore
from ledger.reading import last_position
from projections.building import build
from projections.conversations.model import conversations
from projections.model import ReadModel, Views
from projections.queries import promises, snapshot, standing, timeline
from projections.rebuilding import Rebuild, RebuildGoesOn, Stopped, only_one, replace_stale
from projections.registry import read_models
from projections.runner import ReadModelReplaced, Runner
from projections.schemas import BUILDING, LIVE, PREVIOUS
from projections.swapping import NothingToGoBackTo, go_back
from projections.timeline.model import TIMELINE
from tests.projections.builders import all_models, building_slowly
from tests.projections.crowd import crowd, everything_in
from tests.projections.histories import histories
from tests.projections.history import (
    Happened,
    apply,
    as_recorded,
    at,
    inbound,
    read_schema,
    rows_in,
    runner,
    tell,
)
from tests.projections.test_properties import fill, prepared, through_postgresql
from tests.projections.test_timeline import EXAMPLES, example

__all__ = ["prepared"]
NAMES = [model.name for model in read_models()]
NOW = at("2025-01-01")


def rebuild(datastore: Datastore, *names: str, workers: int = 1) -> Rebuild:
    return Rebuild(datastore, all_models, names or NAMES, workers=workers)


@through_postgresql
@given(history=histories())
def test_whole_customers_give_the_same_rows_as_event_by_event(
    prepared: Datastore, history: list[Happened]
) -> None:
    one_by_one = fill(prepared, [as_recorded([event]) for event in history])
    events = as_recorded(history)
    customers = {event.customer_id for event in events}
    with read_schema(prepared) as cursor:
        for model in read_models():
            cursor.execute(f"TRUNCATE {', '.join(model.tables)}")
        apply(cursor, read_models(), [event for event in events if event.customer_id is None])
        for customer in customers - {None}:
            for model in read_models():
                build(cursor, model, [event for event in events if event.customer_id == customer])
        assert rows_in(cursor) == one_by_one


def test_events_of_every_type_are_in_it(datastore: Datastore) -> None:
    tell(datastore, [example(type_, data) for type_, data in EXAMPLES.items()])
    runner(datastore).catch_up()
    again = rebuild(datastore)
    again.build()
    assert again.difference() is None


@pytest.mark.parametrize("workers", [1, 2])
def test_rebuilt_is_what_was_there_row_for_row(datastore: Datastore, workers: int) -> None:
    tell(datastore, crowd(40))
    runner(datastore).catch_up()
    before = everything_in(datastore, LIVE)
    again = rebuild(datastore, workers=workers)
    assert again.build() == 401
    assert everything_in(datastore, BUILDING) == before
    assert again.difference() is None
    again.swap()
    assert everything_in(datastore, LIVE) == everything_in(datastore, PREVIOUS) == before
    assert indexes_in(datastore, LIVE) == indexes_in(datastore, PREVIOUS)
    tell(datastore, crowd(3, first=40))
    assert runner(datastore).catch_up() == 432


def test_a_row_that_was_changed_by_hand_is_found(datastore: Datastore) -> None:
    tell(datastore, crowd(12))
    runner(datastore).catch_up()
    with read_schema(datastore) as cursor:
        cursor.execute("UPDATE promises SET verdict = 'broken' WHERE promise_id = 'P7'")
        cursor.execute("DELETE FROM promises WHERE promise_id = 'P8'")
    again = rebuild(datastore)
    again.build()
    found = again.difference()
    assert found is not None
    assert (found.table, found.key["promise_id"]) == ("promises", "P7")
    assert found.one is not None
    assert found.other is not None
    assert (found.one["verdict"], found.other["verdict"]) == ("broken", "kept")
    again.swap()
    with snapshot(datastore) as cursor:
        assert {row["verdict"] for row in promises(cursor, as_of=NOW).rows} == {"kept"}


def test_a_builder_that_was_killed_is_gone_on_from(datastore: Datastore, database_url: str) -> None:
    tell(datastore, crowd(60))
    runner(datastore).catch_up()
    with building_slowly(database_url, BUILDING, 601, batches=20):
        pass
    events: list[int] = []
    again = Rebuild(
        datastore,
        all_models,
        NAMES,
        on_progress=lambda done: events.append(done.events) if done.stage == "events" else None,
    )
    assert again.build() == 601
    assert 150 < events[0] < 601
    assert events[-1] == 601
    assert again.difference() is None


def test_two_builders_of_one_schema_do_each_part_once(
    datastore: Datastore, database_url: str
) -> None:
    """The second takes what the first is not at, and all the rest when that one dies."""
    tell(datastore, crowd(60))
    runner(datastore).catch_up()
    again = rebuild(datastore)
    done = threading.Event()

    def build_too() -> None:
        again.build()
        done.set()

    with building_slowly(database_url, BUILDING, 601, batches=20):
        thread = threading.Thread(target=build_too)
        thread.start()
        assert not done.wait(1.5)  # it waits for the part that the other one holds
    thread.join(60)
    assert again.difference() is None


def test_asked_to_stop_it_goes_on_later(datastore: Datastore) -> None:
    tell(datastore, crowd(20))
    runner(datastore).catch_up()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Rebuild(datastore, all_models, NAMES, stop=stop).build()
    again = rebuild(datastore)
    again.build()
    assert again.difference() is None


def test_only_one_rebuild_at_a_time(datastore: Datastore) -> None:
    with only_one(datastore, BUILDING):
        with pytest.raises(RebuildGoesOn), only_one(datastore, BUILDING):
            pass
        with only_one(datastore, "known_other"):
            pass
    with only_one(datastore, BUILDING):
        pass


@contextmanager
def traffic(datastore: Datastore, following: Runner) -> Iterator[None]:
    """Events arrive, and a runner takes them in, until the end of the block."""
    stop = threading.Event()

    def arrive() -> None:
        number = 10_000
        while not stop.is_set():
            tell(datastore, crowd(2, first=number))
            number += 2

    threads = [threading.Thread(target=arrive), threading.Thread(target=following.run)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        following.stop()
        for thread in threads:
            thread.join(20)


@pytest.mark.parametrize("workers", [1, 3])
def test_events_that_arrive_meanwhile_are_in_it(datastore: Datastore, workers: int) -> None:
    tell(datastore, crowd(30))
    following = runner(datastore)
    following.prepare(workers)
    following.catch_up()
    again = rebuild(datastore)
    with traffic(datastore, following):
        again.build()
        assert again.difference() is None
        again.swap()
        reached = everything_reached(datastore)
        following.run_until(reached)
    last = runner(datastore).catch_up()
    assert last >= reached > 301
    check = rebuild(datastore)
    check.build()
    assert check.difference() is None


def everything_reached(datastore: Datastore) -> int:
    with datastore.transaction() as cursor:
        return last_position(cursor)


def test_readers_see_no_error_and_no_mixture_while_it_is_swapped(datastore: Datastore) -> None:
    """What is swapped in says something else in all its tables, so that a mixture would be seen."""
    tell(datastore, crowd(10))
    runner(datastore).catch_up()
    seen: set[tuple[bool, bool]] = set()
    errors: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                with snapshot(datastore) as cursor:
                    cursor.execute("SELECT bool_or(type = 'swapped') FROM timeline")
                    [one] = cursor.fetchone() or (None,)
                    cursor.execute("SELECT bool_or(channel = 'swapped') FROM promises")
                    [other] = cursor.fetchone() or (None,)
                seen.add((one, other))
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        again = rebuild(datastore)
        again.build()
        with datastore.transaction() as cursor:
            cursor.execute(f"UPDATE {BUILDING}.timeline SET type = 'swapped'")
            cursor.execute(f"UPDATE {BUILDING}.promises SET channel = 'swapped'")
        again.swap()
        go_back(datastore)
    stop.set()
    for reader in readers:
        reader.join(20)
    assert errors == []
    assert seen <= {(False, False), (True, True)}


def test_a_long_question_is_waited_for_and_others_are_answered(datastore: Datastore) -> None:
    tell(datastore, crowd(2))
    runner(datastore).catch_up()
    again = rebuild(datastore)
    again.build()
    swapping = threading.Thread(target=again.swap)
    with snapshot(datastore) as long:
        swapping.start()
        for _ in range(5):
            with snapshot(datastore) as cursor:
                assert timeline(cursor, "customer 1", as_of=NOW).rows
        assert swapping.is_alive()
        assert timeline(long, "customer 1", as_of=NOW).rows
    swapping.join(30)
    assert not swapping.is_alive()
    assert everything_in(datastore, PREVIOUS)["timeline"]


def newer_models() -> list[ReadModel]:
    """The read models of a program whose timeline has another version."""
    return [replace(TIMELINE, version="newer"), *(m for m in read_models() if m.name != "timeline")]


def versions(datastore: Datastore) -> dict[str, str]:
    with snapshot(datastore) as cursor:
        return {row["name"]: row["version"] for row in standing(cursor)}


def test_a_new_version_is_built_beside_while_the_former_answers(datastore: Datastore) -> None:
    tell(datastore, crowd(5))
    old = runner(datastore)
    old.catch_up()
    newer = Runner(datastore, newer_models())
    assert [model.name for model in newer.prepare()] == ["timeline"]
    tell(datastore, [inbound("2024-03-05 09:00", "new")])
    newer.catch_up()  # the others go on, the former timeline stands
    with snapshot(datastore) as cursor:
        told = timeline(cursor, "customer 1", as_of=NOW)
        assert (len(told.rows), told.position) == (10, 51)
    old.catch_up()  # a program of the former version keeps it up to date
    with snapshot(datastore) as cursor:
        assert timeline(cursor, "Ada", as_of=NOW).position == 52
    replace_stale(datastore, newer_models)
    assert versions(datastore)["timeline"] == "newer"
    with pytest.raises(ReadModelReplaced, match="timeline is at version 'newer'"):
        old.step()
    tell(datastore, [inbound("2024-03-05 10:00", "newer")])
    assert newer.catch_up() == 53


def test_going_back_is_one_step_and_then_it_catches_up(datastore: Datastore) -> None:
    tell(datastore, crowd(4))
    old = runner(datastore)
    old.catch_up()
    replace_stale(datastore, newer_models)
    tell(datastore, [inbound("2024-03-05 09:00", "later", customer_id="customer 1")])
    Runner(datastore, newer_models()).catch_up()
    [placed] = go_back(datastore, ["timeline"])
    assert (placed.name, placed.version) == ("timeline", TIMELINE.version)
    again = runner(datastore)
    assert again.catch_up() == 42
    with snapshot(datastore) as cursor:
        assert len(timeline(cursor, "customer 1", as_of=NOW).rows) == 11
    go_back(datastore, ["timeline"])
    assert versions(datastore)["timeline"] == "newer"


def test_who_follows_the_live_ones_follows_what_is_put_in_their_place(
    datastore: Datastore,
) -> None:
    """Kept rows of four workers, and rows built by nobody in particular: two go on with both."""
    tell(datastore, crowd(8))
    Runner(datastore, read_models()).prepare(4)
    runner(datastore).catch_up()
    again = rebuild(datastore)
    again.build()
    again.swap()
    assert [model.name for model in Runner(datastore, newer_models()).prepare(2)] == ["timeline"]
    go_back(datastore, [name for name in NAMES if name != "timeline"])
    replace_stale(datastore, newer_models, workers=2)
    tell(datastore, crowd(8, first=8))
    for worker in range(2):
        following = Runner(datastore, newer_models(), worker=worker)
        while following.step():
            pass
    with snapshot(datastore) as cursor:
        assert {row["name"]: row["positions"] for row in standing(cursor)} == {
            name: [162, 162] for name in NAMES
        }


def test_nothing_to_go_back_to_is_told(datastore: Datastore) -> None:
    runner(datastore)
    with pytest.raises(NothingToGoBackTo, match="nothing was rebuilt"):
        go_back(datastore)
    again = rebuild(datastore, "timeline")
    again.build()
    again.swap()
    with pytest.raises(NothingToGoBackTo, match="nothing was kept of promises; kept are: timeline"):
        go_back(datastore, ["promises", "timeline"])


def test_another_gap_between_episodes_is_another_version(datastore: Datastore) -> None:
    from datetime import timedelta

    tell(datastore, crowd(2))
    runner(datastore).catch_up()
    wider = conversations(timedelta(days=30))
    assert [model.name for model in Runner(datastore, [wider]).prepare()] == ["conversations"]
    replace_stale(datastore, lambda: [wider])
    assert (
        "30" in versions(datastore)["conversations"]
        or "2592000" in versions(datastore)["conversations"]
    )


def test_views_and_grants_point_to_the_new_tables(
    datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = Views(
        frozenset({"timeline"}),
        "CREATE OR REPLACE VIEW read.every_event AS SELECT event_id, type FROM timeline",
    )
    monkeypatch.setattr("projections.slots.VIEWS", (view,))
    tell(datastore, crowd(2))
    runner(datastore).catch_up()
    with read_schema(datastore) as cursor:
        cursor.execute("GRANT SELECT ON timeline TO PUBLIC")
    for _ in range(2):
        again = rebuild(datastore)
        again.build()
        again.swap()
    with read_schema(datastore) as cursor:
        cursor.execute("UPDATE timeline SET type = 'seen'")
        cursor.execute("SELECT DISTINCT type FROM every_event")
        assert cursor.fetchall() == [("seen",)]
        cursor.execute("SELECT relacl::text FROM pg_class WHERE oid = 'timeline'::regclass")
        assert "=r/" in (cursor.fetchone() or ("",))[0]


def indexes_in(datastore: Datastore, schema: str) -> set[str]:
    with datastore.transaction() as cursor:
        cursor.execute(
            "SELECT replace(indexdef, %s, '') FROM pg_indexes WHERE schemaname = %s"
            " AND tablename <> 'position' UNION ALL SELECT conname || pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = %s::regnamespace",
            (f"{schema}.", schema, schema),
        )
        return {line for (line,) in cursor}
