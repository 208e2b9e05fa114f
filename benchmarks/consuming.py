"""Consuming a topic that was filled in advance: one process, two, and the client alone."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from threading import Event

from kafka.structs import TopicPartition

from benchmarks.profiling import shares
from benchmarks.programs import servicetrail
from benchmarks.topic import PARTITIONS, TOPIC
from benchmarks.workload import Database
from consumers.consuming import Consuming
from consumers.records import Record
from consumers.taking import Claims, Taker
from ledger.positions import claim

_LOOK_SECONDS = 0.1
_POLL_MS = 250
_FROM, _TO = 0.2, 0.95
"""Between which shares of the topic the time is taken: all have joined, and none is done yet."""

_STAGES = {
    "a message of each record": ("consumers/records.py", "message_of"),
    "reading and checking the events": ("ledger/candidates.py", "__init__"),
    "looking up": ("ledger/lookup.py", "snapshot"),
    "deciding": ("ledger/deciding.py", "decide"),
    "data keys": ("ledger/keys.py", "for_sealing"),
    "sealing and making rows": ("ledger/intake.py", "_new_event"),
    "positions": ("ledger/positions.py", "move"),
    "appending (COPY and its preparation)": ("ledger/rows.py", "append"),
    "account": ("ledger/account.py", "enter"),
    "commits": ("~", "method 'commit'"),
}


def read_only(bootstrap_servers: str, events: int) -> float:
    """Records per second of the consumer's own client, which reads the topic and does nothing."""
    samples = [(time.perf_counter(), 0)]
    for records in _polled(bootstrap_servers, events):
        samples.append((time.perf_counter(), samples[-1][1] + len(records)))
    return _rate(samples, events)


def consume(database: Database, bootstrap_servers: str, events: int, processes: int) -> float:
    """Events per second into the ledger, by that many `servicetrail consume` together."""
    samples = [(time.perf_counter(), 0)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(servicetrail(database, bootstrap_servers, "consume"))
            for _ in range(processes)
        ]
        while samples[-1][1] < events:
            time.sleep(_LOOK_SECONDS)
            samples.append((time.perf_counter(), _taken(database)))
            if any(process.poll() is not None for process in running):
                raise RuntimeError("a consumer ended by itself")
    return _rate(samples, events)


def profile(database: Database, bootstrap_servers: str, events: int) -> dict[str, float]:
    """Where the time of taking batches goes, without the client that reads them."""
    batches = list(_polled(bootstrap_servers, events))
    taker = Taker(database.intake, database.datastore, database.keyring, Event())
    partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    names = {partition: f"profile/{partition.partition}" for partition in partitions}
    held = claim(database.datastore, names.values())
    claims: Claims = {partition: held[name] for partition, name in names.items()}

    def take_all() -> None:
        nonlocal claims
        for records in batches:
            claims = {**claims, **taker.take(records, claims).claims}

    return shares(take_all, _STAGES)


def _polled(bootstrap_servers: str, events: int) -> Iterator[list[Record]]:
    """That many records from the beginning of the topic, in what comes of one poll."""
    partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    with closing(Consuming(bootstrap_servers, [TOPIC]).client()) as client:
        client.assign(partitions)
        client.seek_to_beginning(*partitions)
        while events > 0:
            records = [r for polled in client.poll(_POLL_MS).values() for r in polled]
            if records:
                yield records
            events -= len(records)


def _taken(database: Database) -> int:
    with database.datastore.transaction() as cursor:
        cursor.execute("SELECT coalesce(sum(notification_id), 0) FROM ledger.tracking")
        [taken] = cursor.fetchone() or (0,)
        return int(taken)


def _rate(samples: list[tuple[float, int]], events: int) -> float:
    """Events per second between two shares of all."""

    def reached(count: float) -> tuple[float, float]:
        for (before, fewer), (after, more) in pairwise(samples):
            if more >= count:
                return before + (after - before) * (count - fewer) / (more - fewer), count
        raise ValueError(f"{count:.0f} events were never reached")

    (began, first), (ended, last) = reached(_FROM * events), reached(_TO * events)
    return (last - first) / (ended - began)
