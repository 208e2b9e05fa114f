"""Importing a file of simulated events, and projecting what it brought."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.profiling import shares
from benchmarks.workload import BATCH, Database
from projections.registry import read_models
from projections.runner import Runner
from schemas.files import messages_in
from schemas.message import Message

_IMPORT_STAGES = {
    "reading the file": ("benchmarks/importing.py", "_next_batch"),
    "reading and checking the events": ("ledger/candidates.py", "__init__"),
    "looking up": ("ledger/lookup.py", "snapshot"),
    "deciding": ("ledger/deciding.py", "decide"),
    "data keys": ("ledger/keys.py", "for_sealing"),
    "sealing and making rows": ("ledger/intake.py", "_new_event"),
    "appending (COPY and its preparation)": ("ledger/rows.py", "append"),
    "account": ("ledger/account.py", "enter"),
    "commits": ("~", "method 'commit'"),
}
_PROJECT_STAGES = {
    "reading the ledger": ("ledger/reading.py", "events_after"),
    "decoding": ("projections/events.py", "recorded"),
    "timeline": ("projections/timeline/model.py", "_apply"),
    "conversations and waits": ("projections/conversations/model.py", "_apply"),
    "promises and complaints": ("projections/facts.py", "_apply"),
    "feedback": ("projections/feedback/model.py", "_apply"),
    "commits": ("~", "method 'commit'"),
}


class Measured(NamedTuple):
    """Events per second, and the share of the time that each stage takes under the profiler."""

    rate: float
    shares: dict[str, float]


def import_file(database: Database, path: Path, events: int) -> Measured:
    """Take the whole file; the last fifth under the profiler, the rest by the clock."""
    messages = messages_in(str(path))
    timed = events * 4 // 5
    started = time.perf_counter()
    for batch in batches_of(itertools.islice(messages, timed)):
        database.intake.take(batch)
    seconds = time.perf_counter() - started

    def rest() -> None:
        for batch in batches_of(messages):
            database.intake.take(batch)

    return Measured(timed / seconds, shares(rest, _IMPORT_STAGES))


def project(database: Database, events: int) -> Measured:
    """Project the whole ledger; the last fifth under the profiler, the rest by the clock."""
    runner = Runner(database.datastore, read_models())
    runner.prepare()
    started = time.perf_counter()
    timed = 0
    while timed < events * 4 // 5:
        timed += runner.step()
    seconds = time.perf_counter() - started
    return Measured(timed / seconds, shares(runner.catch_up, _PROJECT_STAGES))


def batches_of(messages: Iterator[Message]) -> Iterator[list[Message]]:
    """The messages in batches of 1,000."""
    while batch := _next_batch(messages):
        yield batch


def _next_batch(messages: Iterator[Message]) -> list[Message]:
    return list(itertools.islice(messages, BATCH))
