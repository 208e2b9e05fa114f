"""Workers that share the customers: the same rows for any number of them, none left alone."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.following import Follow, Together
from projections.queries import channels, snapshot
from projections.registry import read_models
from projections.runner import Progress, ReadModelReplaced, Runner
from projections.schemas import LIVE
from projections.workers import Tell, Workers
from tests.projections.builders import all_models
from tests.projections.crowd import crowd, everything_in
from tests.projections.history import at, inbound, read_schema, runner, tell
from tests.projections.test_properties import through_postgresql


def workers_of(datastore: Datastore, count: int, batch_size: int = 7) -> list[Runner]:
    """One runner for each of so many workers, the customers divided between them."""
    runner(datastore).prepare(count)
    return [
        Runner(datastore, read_models(), worker=number, batch_size=batch_size)
        for number in range(count)
    ]


def positions_of(datastore: Datastore) -> dict[tuple[str, int], int]:
    with read_schema(datastore) as cursor:
        cursor.execute("SELECT name, worker, position FROM position")
        return {(name, worker): position for name, worker, position in cursor}


@pytest.fixture
def told(datastore: Datastore) -> Datastore:
    """A crowd in the ledger, and its rows made by one worker, kept in schema `expected`."""
    tell(datastore, crowd(40))
    with datastore.transaction() as cursor:
        cursor.execute("SELECT ledger.make_side_schema('expected')")
    expected = Runner(datastore, read_models(), schema="known_expected")
    expected.prepare()
    expected.catch_up()
    runner(datastore)
    return datastore


@settings(through_postgresql, max_examples=12)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 5]), st.lists(st.integers(0, 4), max_size=12)),
        min_size=1,
        max_size=4,
    )
)
def test_rows_do_not_depend_on_the_number_of_workers(
    told: Datastore, plan: list[tuple[int, list[int]]]
) -> None:
    """Any number, changed on the way, each worker as far as it has come by then."""
    start_anew(told)
    for count, turns in plan:
        workers = workers_of(told, count)
        for turn in turns:
            workers[turn % count].step()
    count, _ = plan[-1]
    for worker in workers_of(told, count):
        while worker.step():
            pass
    assert set(positions_of(told).values()) == {401}
    assert everything_in(told, LIVE) == everything_in(told, "known_expected")


def start_anew(datastore: Datastore) -> None:
    with read_schema(datastore) as cursor:
        cursor.execute("DELETE FROM position")
    runner(datastore)


def test_answers_carry_the_lowest_position(told: Datastore) -> None:
    first, second = workers_of(told, 2, batch_size=10)
    while first.step():
        pass
    with snapshot(told) as cursor:
        assert channels(cursor, as_of=at("2025-01-01")).position == 0
    second.step()
    lowest = min(positions_of(told).values())
    with snapshot(told) as cursor:
        assert channels(cursor, as_of=at("2025-01-01")).position == lowest
    assert 0 < lowest < 401


def test_a_runner_of_everybodys_part_helps_all(told: Datastore) -> None:
    """As commands do while a program with several workers runs."""
    first, *_ = workers_of(told, 3)
    first.step()
    assert runner(told).catch_up() == 401
    assert set(positions_of(told).values()) == {401}
    assert everything_in(told, LIVE) == everything_in(told, "known_expected")


def test_policies_are_the_first_workers(told: Datastore) -> None:
    _, second = workers_of(told, 2)
    while second.step():
        pass
    with read_schema(told) as cursor:
        cursor.execute("SELECT count(*) FROM service_levels")
        assert cursor.fetchone() == (0,)


def test_workers_that_are_too_many_have_nothing_to_do(told: Datastore) -> None:
    *_, last = workers_of(told, 3)
    workers_of(told, 2)
    assert last.step() == 0


@contextmanager
def following(datastore: Datastore, count: int) -> Iterator[tuple[Workers, list[Progress]]]:
    prepared = runner(datastore)
    prepared.prepare(count)
    progress: list[Progress] = []
    job = Follow(datastore, all_models)
    with Workers(job, count, Together(prepared.positions(count), progress.append).heard) as workers:
        yield workers, progress


def test_processes_follow_the_ledger_together(told: Datastore) -> None:
    with following(told, 2) as (workers, progress):
        wait_until(lambda: set(positions_of(told).values()) == {401})
        tell(told, [inbound("2024-05-01 09:00", f"N{n}", customer_id=f"new {n}") for n in range(9)])
        wait_until(lambda: set(positions_of(told).values()) == {410})
        wait_until(lambda: bool(progress) and progress[-1].position == 410)
        assert workers.alive
    assert sum(step.events for step in progress) == 410
    expected = Runner(told, read_models(), schema="known_expected")
    expected.catch_up()
    assert everything_in(told, LIVE) == everything_in(told, "known_expected")


def test_started_again_they_tell_of_what_is_new_only(told: Datastore) -> None:
    """One has gone on alone before the end: where both are is where the other one begins."""
    ahead, *_ = workers_of(told, 2, batch_size=1_000)
    ahead.step()
    with following(told, 2) as (_, progress):
        wait_until(lambda: bool(progress) and progress[-1].position == 401)
    assert sum(step.events for step in progress) == 401
    with following(told, 2) as (_, progress):
        tell(told, [inbound("2024-05-01 09:00", f"N{n}", customer_id=f"new {n}") for n in range(9)])
        wait_until(lambda: bool(progress) and progress[-1].position == 410)
    assert sum(step.events for step in progress) == 9


def test_a_process_that_dies_is_started_again(told: Datastore) -> None:
    with following(told, 2) as (workers, _):
        wait_until(lambda: set(positions_of(told).values()) == {401})
        for number in (signal.SIGKILL, signal.SIGTERM):
            before = pids(workers)
            os.kill(min(before), number)
            wait_until(lambda old=before: workers.alive and pids(workers) != old)
        tell(told, [inbound("2024-05-01 09:00", f"N{n}", customer_id=f"new {n}") for n in range(9)])
        wait_until(lambda: set(positions_of(told).values()) == {410})
        last = pids(workers)
    for pid in last:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def pids(workers: Workers) -> set[int]:
    return set(workers.pids)


@dataclass(frozen=True)
class Replaced:
    """A job that ends as one whose read model was replaced does."""

    def __call__(self, _worker: int, _stop: threading.Event, tell: Tell) -> None:
        tell("began")
        raise ReadModelReplaced("by another version")


def test_one_whose_read_model_was_replaced_is_not_started_again() -> None:
    heard: list[object] = []
    with Workers(Replaced(), 1, lambda _, what: heard.append(what)) as workers:
        wait_until(lambda: workers.given_up)
        assert not workers.alive
    assert heard == ["began"]


@dataclass(frozen=True)
class Telling:
    """A job that tells its parent something, and then goes on until it is asked to end."""

    def __call__(self, _worker: int, stop: threading.Event, tell: Tell) -> None:
        tell("began")
        stop.wait()


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_all_are_ended_when_nobody_can_listen(error: type[Exception]) -> None:
    """As when what shows the progress was closed."""

    def heard(_worker: int, _what: object) -> None:
        raise error("nobody looks any more")

    with Workers(Telling(), 2, heard) as workers:
        last = pids(workers)
        wait_until(lambda: not workers.busy)
        assert workers.given_up
        assert not workers.alive
    for pid in last:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between looks, not instead of them
