"""Many writers at once, some of them failing and some killed, and a reader that follows them.

The seed is printed; set SERVICETRAIL_TEST_SEED to run the same numbers again. (The order in which
processes come to their turn is chance all the same.)
"""

import multiprocessing
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import pytest

from ledger.datastore import Datastore
from ledger.listening import Wakeups
from ledger.reading import LedgerEvent, events_after, last_position
from tests.ledger.writers import Writer

AT_LEAST_EVENTS = 50_000
KILLS = 25
TOO_LONG_SECONDS = 120


class Follower:
    """Reads everything in order of position, woken by the database, while others write."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.seen: list[LedgerEvent] = []
        self._chance = chance
        self._progress = threading.Condition()
        self._error: BaseException | None = None
        self._datastore = Datastore(url, pool_size=1)
        self._wakeups = Wakeups(self._datastore)
        self._stopped = False
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            while not self._stopped:
                while self._read():
                    pass
                self._wakeups.wait(TOO_LONG_SECONDS)
        except BaseException as error:
            with self._progress:
                self._error = error
                self._progress.notify_all()

    def _read(self) -> bool:
        with self._datastore.transaction() as cursor:
            events = events_after(cursor, len(self.seen), self._chance.randint(1, 2_000))
        with self._progress:
            self.seen += events
            self._progress.notify_all()
        return bool(events)

    def wait_for(self, position: int) -> None:
        """Until the follower has seen so many events."""
        with self._progress:
            reached = self._progress.wait_for(
                lambda: len(self.seen) >= position or self._error is not None, TOO_LONG_SECONDS
            )
            if self._error is not None:
                raise self._error
            assert reached, f"stuck at {len(self.seen)}, waiting for {position}"

    def stop(self) -> None:
        self._stopped = True
        self._wakeups.wake()
        self._thread.join()
        self._wakeups.close()
        self._datastore.close()


class Running(NamedTuple):
    """A writer's process and what it reports."""

    process: BaseProcess
    commits: Connection

    def reported(self) -> list[str]:
        """The batches whose commits returned, once the process has ended."""
        self.process.join(TOO_LONG_SECONDS)
        batches = []
        with self.commits as commits:
            try:
                while True:
                    batches.append(commits.recv_bytes().decode())
            except EOFError:
                return batches


@pytest.fixture
def follower(database_url: str, chance: random.Random) -> Iterator[Follower]:
    following = Follower(database_url, chance)
    yield following
    following.stop()


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("SERVICETRAIL_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"SERVICETRAIL_TEST_SEED={seed}")  # noqa: T201 (shown when the test fails)
    return random.Random(seed)


@contextmanager
def started(url: str, name: str, method: str, argument: object) -> Iterator[Running]:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.ledger.writers"])
    receiver, sender = processes.Pipe(duplex=False)
    writer = Writer(url, name, sender)
    process = processes.Process(target=getattr(writer, method), args=(argument,))
    process.start()
    sender.close()
    try:
        yield Running(process, receiver)
    finally:
        process.kill()
        process.join()
        process.close()


def test_nothing_is_lost_doubled_or_out_of_order(
    database_url: str, datastore: Datastore, follower: Follower, chance: random.Random
) -> None:
    reported: dict[str, list[str]] = {}
    with ExitStack() as running:

        def start(name: str, method: str, argument: object) -> Running:
            return running.enter_context(started(database_url, name, method, argument))

        steady = {
            **{f"single {n}": ("write", [1] * 300) for n in range(3)},
            **{
                f"batch {n}": ("write", [chance.randint(200, 600) for _ in range(25)])
                for n in range(3)
            },
            **{f"failing {n}": ("write_and_fail", [40] * 30) for n in range(2)},
        }
        steady_writers = {name: start(name, *work) for name, work in steady.items()}
        doomed = {f"doomed {n}": start(f"doomed {n}", "write_until_killed", n) for n in range(3)}
        killed = 0
        while killed < KILLS or len(follower.seen) < AT_LEAST_EVENTS:
            follower.wait_for(len(follower.seen) + chance.randint(1, 2_500))
            name = chance.choice(sorted(doomed))
            victim = doomed.pop(name)
            victim.process.kill()
            reported[name] = victim.reported()
            killed += 1
            name = f"doomed {killed + 2}"
            doomed[name] = start(name, "write_until_killed", killed)
        for name, writer in doomed.items():
            writer.process.kill()
            reported[name] = writer.reported()
        for name, writer in steady_writers.items():
            reported[name] = writer.reported()
            assert writer.process.exitcode == 0, name

    with datastore.transaction() as cursor:
        last = last_position(cursor)
        ledger = events_after(cursor, 0, last + 1)
    follower.wait_for(last)

    assert last >= AT_LEAST_EVENTS
    assert [event.position for event in ledger] == list(range(1, last + 1))
    assert follower.seen == ledger
    assert all(one.recorded_at <= next_.recorded_at for one, next_ in pairwise(ledger))
    for stream in by(ledger, "originator_id").values():
        versions = [event.originator_version for event in stream]
        assert versions == list(range(1, len(versions) + 1))
    batches = by(ledger, "correlation_id")
    for events in batches.values():
        assert len(events) == int(events[0].causation_id or 0)
        assert events[-1].position - events[0].position == len(events) - 1
    for name, commits in reported.items():
        present = [batch for batch in batches if batch.startswith(f"{name} ")]
        # One that was killed may have committed without getting round to say so.
        unsaid = present[len(commits) :]
        assert present[: len(commits)] == commits
        assert len(unsaid) <= (1 if name.startswith("doomed") else 0), unsaid


def by(events: list[LedgerEvent], field: str) -> dict[str, list[LedgerEvent]]:
    groups: dict[str, list[LedgerEvent]] = {}
    for event in events:
        groups.setdefault(getattr(event, field), []).append(event)
    return groups
