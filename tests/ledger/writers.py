"""Processes that write to one ledger in different ways, for the concurrency test.

Each writes batches to streams of its own. A batch's name stands in `correlation_id` of its events,
its size in `causation_id`; its name is sent through `commits` once the commit has returned.
"""

import random
from contextlib import closing, suppress
from multiprocessing.connection import Connection

from eventsourcing.persistence import IntegrityError

from ledger.datastore import Datastore
from ledger.rows import NewEvent, append
from tests.ledger.events import new_event


class OnPurpose(Exception):
    """A writer fails after it has appended."""


class Writer:
    """Writes batches with numbers from 1 on, to a stream per writer."""

    def __init__(self, url: str, name: str, commits: Connection) -> None:
        self._url = url
        self._name = name
        self._commits = commits
        self._version = 0

    def write(self, sizes: list[int]) -> None:
        """One batch of each size; every batch is committed."""
        with closing(Datastore(self._url, pool_size=1)) as datastore:
            for number, size in enumerate(sizes, 1):
                events = self._batch(f"{self._name} batch {number}", size)
                with datastore.transaction() as cursor:
                    append(cursor, events)
                self._commits.send_bytes(f"{self._name} batch {number}".encode())

    def write_and_fail(self, sizes: list[int]) -> None:
        """One batch of each size, and after each one that fails, by turns for two reasons."""
        with closing(Datastore(self._url, pool_size=1)) as datastore:
            for number, size in enumerate(sizes, 1):
                events = self._batch(f"{self._name} batch {number}", size)
                with datastore.transaction() as cursor:
                    append(cursor, events)
                self._commits.send_bytes(f"{self._name} batch {number}".encode())
                version = self._version
                failing = self._batch(f"{self._name} failing {number}", size)
                self._version = version
                if number % 2:
                    with suppress(OnPurpose), datastore.transaction() as cursor:
                        append(cursor, failing)
                        raise OnPurpose
                else:
                    again = failing[-1]._replace(originator_version=1)
                    with suppress(IntegrityError), datastore.transaction() as cursor:
                        append(cursor, [*failing[:-1], again])

    def write_until_killed(self, seed: int) -> None:
        """Batches of 1 to 300 events without end."""
        chance = random.Random(seed)
        self.write([chance.randint(1, 300) for _ in range(1_000_000)])

    def _batch(self, batch: str, size: int) -> list[NewEvent]:
        first = self._version + 1
        self._version += size
        return [
            new_event(
                f"{self._name}/{batch}",
                version,
                originator_id=self._name,
                correlation_id=batch,
                causation_id=str(size),
            )
            for version in range(first, first + size)
        ]
