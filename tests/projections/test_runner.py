"""The runner: batches, positions, following the ledger, stopping, two at once, new versions."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from domain import EVENT_TYPES
from ledger.datastore import Datastore
from projections.model import ReadModel
from projections.queries import snapshot, standing, timeline
from projections.registry import read_models
from projections.runner import Progress, ReadModelReplaced, Runner
from projections.timeline.model import TIMELINE
from tests.projections.crowd import crowd
from tests.projections.history import at, inbound, read_schema, rows_of, runner, tell
from tests.projections.test_channels import A_DAY


def positions(datastore: Datastore) -> set[int]:
    with snapshot(datastore) as cursor:
        return {row["position"] for row in standing(cursor)}


@contextmanager
def running(following: Runner) -> Iterator[None]:
    thread = threading.Thread(target=following.run)
    thread.start()
    try:
        yield
    finally:
        following.stop()
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.mark.parametrize("model", read_models(), ids=lambda model: model.name)
def test_each_read_model_handles_or_ignores_each_event_type(model: ReadModel) -> None:
    assert model.handles | model.ignores == EVENT_TYPES.keys()
    assert not model.handles & model.ignores


def test_a_read_model_that_forgets_a_type_is_refused(datastore: Datastore) -> None:
    forgetful = replace(TIMELINE, ignores=frozenset())
    with pytest.raises(ValueError, match=r"calendar\.published\.v1"):
        Runner(datastore, [forgetful])


def test_any_size_of_batch_gives_the_same_rows(datastore: Datastore) -> None:
    tell(datastore, A_DAY)
    told: list[Progress] = []
    runner(datastore, batch_size=3, on_progress=told.append).catch_up()
    rows = rows_of(datastore)
    assert told == [Progress(3, 11, 3), Progress(6, 11, 3), Progress(9, 11, 3), Progress(11, 11, 2)]
    with read_schema(datastore) as cursor:
        cursor.execute("DELETE FROM position")  # as in a restored backup: everything is built anew
    assert runner(datastore).catch_up() == 11
    assert rows_of(datastore) == rows


def test_a_failing_batch_leaves_nothing_behind(datastore: Datastore) -> None:
    tell(datastore, A_DAY)

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle of a batch")

    broken = replace(TIMELINE, name="broken", tables=(), definition="SELECT 1", apply=fail)
    failing = Runner(datastore, [TIMELINE, broken])
    failing.prepare()
    with pytest.raises(RuntimeError, match="in the middle"):
        failing.step()
    assert positions(datastore) == {0}
    with read_schema(datastore) as cursor:
        cursor.execute("SELECT count(*) FROM timeline")
        assert cursor.fetchone() == (0,)


def test_a_new_read_model_catches_up_alone(datastore: Datastore) -> None:
    tell(datastore, A_DAY)
    others = [model for model in read_models() if model.name != "timeline"]
    first = Runner(datastore, others)
    first.prepare()
    first.catch_up()
    seen: list[Progress] = []
    more = Runner(datastore, [TIMELINE, *others], batch_size=4, on_progress=seen.append)
    assert more.prepare() == []
    assert more.position() == 0
    tell(datastore, [inbound("2024-03-05 09:00", "new")])
    more.catch_up()
    # Alone up to where the others were, together from there on.
    assert [progress.events for progress in seen] == [4, 4, 3, 1]
    assert positions(datastore) == {12}
    with snapshot(datastore) as cursor:
        assert len(timeline(cursor, "Ben", as_of=at("2025-01-01")).rows) == 2


def test_what_is_not_prepared_is_refused(datastore: Datastore) -> None:
    runner(datastore)
    with read_schema(datastore) as cursor:
        cursor.execute("DELETE FROM position WHERE name = 'timeline'")
    with pytest.raises(ReadModelReplaced, match=r"timeline.*not prepared"):
        Runner(datastore, read_models()).step()


def test_follows_the_ledger_within_a_tenth_of_a_second(datastore: Datastore) -> None:
    reached = threading.Event()
    following = runner(datastore, on_progress=lambda _: reached.set())
    delays = []
    with running(following):
        following.run_until(0)
        for number in range(10):
            reached.clear()
            tell(datastore, [inbound("2024-03-01 09:00", f"T{number}")])
            started = time.monotonic()
            assert reached.wait(10)
            delays.append(time.monotonic() - started)
    assert sorted(delays)[len(delays) // 2] < 0.1
    assert positions(datastore) == {10}


def test_two_runners_share_the_work(datastore: Datastore) -> None:
    first, second = runner(datastore, batch_size=2), runner(datastore, batch_size=2)
    with running(first), running(second):
        for number in range(20):
            tell(datastore, [inbound(f"2024-03-01 09:{number:02}", f"T{number}")])
        first.run_until(20, timeout_seconds=20)
    with snapshot(datastore) as cursor:
        assert len(timeline(cursor, "Ada", as_of=at("2025-01-01")).rows) == 20


def test_a_lost_connection_is_waited_out(datastore: Datastore) -> None:
    following = runner(datastore)
    with running(following):
        tell(datastore, A_DAY)
        with datastore.transaction() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        tell(datastore, [inbound("2024-03-05 09:00", "new")])
        _wait_until(lambda: positions(datastore) == {12})


def test_waiting_for_a_position_that_does_not_come_ends(datastore: Datastore) -> None:
    with pytest.raises(TimeoutError):
        runner(datastore).run_until(1, timeout_seconds=0.05)


def _wait_until(condition: Callable[[], bool], timeout_seconds: float = 20) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline


def test_after_the_first_long_way_the_planner_knows_what_there_is(
    datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyzed(table: str) -> bool:
        with datastore.transaction() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", (table,))
            [rows] = cursor.fetchone() or (-1.0,)
        return rows >= 0

    tell(datastore, crowd(3))
    made = runner(datastore)
    made.catch_up()
    assert not analyzed("read.timeline")
    monkeypatch.setattr("projections.runner._MANY_EVENTS", 10)
    made.catch_up()
    assert analyzed("read.timeline")
    assert analyzed("read.intervals")
