"""How long it takes from producing an event until every read model holds it."""

import bisect
import itertools
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from threading import Event, Thread
from typing import NamedTuple

import psycopg2

from benchmarks.programs import servicetrail
from benchmarks.topic import PARTITIONS, producer, records, send
from benchmarks.workload import Database
from consumers.producing import Record
from schemas.message import Message

RATE = 2_000
"""Events per second."""
WARM_UP_SECONDS = 5
_TICK_SECONDS = 0.01
_LOOK_SECONDS = 0.002
_PATIENCE_SECONDS = 120


class Freshness(NamedTuple):
    """Seconds from producing to being in all read models, and how many events a second were
    really produced.
    """

    seconds: list[float]
    rate: float

    def quantile(self, share: float) -> float:
        """Within how many seconds that share of the events was there."""
        return statistics.quantiles(self.seconds, n=1_000, method="inclusive")[
            round(share * 1_000) - 1
        ]

    def within(self, seconds: float) -> float:
        """The share of the events that was there in time."""
        return sum(each <= seconds for each in self.seconds) / len(self.seconds)


class Watch:
    """Looks again and again up to which position all read models hold everything."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = Event()
        self._thread = Thread(target=self._look)
        self.positions: list[int] = [0]
        self.seen_at: list[float] = [0.0]

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def seen(self, position: int) -> float:
        """When the position was first seen to be held."""
        return self.seen_at[bisect.bisect_left(self.positions, position)]

    def _look(self) -> None:
        with closing(psycopg2.connect(self._url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            while not self._ended.wait(_LOOK_SECONDS):
                cursor.execute("SELECT coalesce(min(position), 0) FROM read.position")
                [position] = cursor.fetchone() or (0,)
                if position > self.positions[-1]:
                    self.positions.append(position)
                    self.seen_at.append(time.perf_counter())


def freshness(
    database: Database, bootstrap_servers: str, messages: Iterable[Message], seconds: int
) -> Freshness:
    """Publish at a steady rate to `servicetrail up`, which consumes and projects.

    Events of the first seconds are not counted. The topic must be empty.
    """
    uncounted = RATE * WARM_UP_SECONDS
    made = list(records(itertools.islice(messages, uncounted + RATE * seconds)))
    produced_at: dict[tuple[str, str], float] = {}
    with servicetrail(database, bootstrap_servers, "up", "--port", "0"):
        wait_for(database, "SELECT count(*) = %s FROM ledger.tracking", PARTITIONS)
        with Watch(database.owner_url) as watch:
            to = producer(bootstrap_servers)
            for record in _paced(made):
                headers = dict(record.headers)
                name = headers["ce_source"].decode(), headers["ce_id"].decode()
                produced_at[name] = time.perf_counter()
                send(to, record)
            to.flush()
            wait_for(database, "SELECT min(position) = %s FROM read.position", len(made))
    positions = _positions(database)
    counted = list(itertools.islice(produced_at.items(), uncounted, None))
    took = counted[-1][1] - counted[0][1]
    return Freshness(
        [watch.seen(positions[name]) - at for name, at in counted], len(counted) / took
    )


def _paced(made: Sequence[Record]) -> Iterator[Record]:
    """The records, each when it is due."""
    began = time.perf_counter()
    for number, record in enumerate(made):
        while (early := began + number / RATE - time.perf_counter()) > 0:
            time.sleep(max(early, _TICK_SECONDS))
        yield record


def wait_for(database: Database, condition: str, value: int) -> None:
    """Until a statement with one placeholder for the value is true; raises TimeoutError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with database.datastore.transaction() as cursor:
            cursor.execute(condition, (value,))
            if (cursor.fetchone() or (False,))[0]:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(condition % value)
        time.sleep(_TICK_SECONDS)


def _positions(database: Database) -> dict[tuple[str, str], int]:
    with database.datastore.transaction() as cursor:
        cursor.execute("SELECT source, id, position FROM ledger.events")
        return {(source, event_id): position for source, event_id, position in cursor}
