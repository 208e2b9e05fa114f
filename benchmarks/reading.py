"""A large ledger: rebuilding its read models, and what each question takes while eight ask at once.

    python -m benchmarks.reading --events 1000000 --seconds 10

fills a ledger, rebuilds beside the library's own runner (`benchmarks.rebuild`), asks every route of
`servicetrail up`, measures how far read models are behind meanwhile, and writes all of that into
docs/benchmarks.md.
"""

import argparse
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2

from benchmarks.asking import (
    READERS,
    YEAR,
    Connection,
    Processes,
    Refused,
    alone,
    as_of_now,
    latency,
    percentile,
    targets,
)
from benchmarks.freshness import Watch, wait_for
from benchmarks.importing import batches_of
from benchmarks.page import PAGE, with_sections
from benchmarks.programs import servicetrail
from benchmarks.rebuild import rebuild
from benchmarks.rebuild import report as rebuild_report
from benchmarks.workload import Database, database, server, simulating
from ledger.garbage import ease_garbage_collection
from ledger.reading import last_position
from questions.channels import CHANNELS
from questions.promises import PROMISE
from questions.question import Question
from questions.registry import QUESTIONS
from schemas.message import Message

LAG_RATE, LAG_BATCH, LAG_SECONDS = 1_000, 50, 20
_PATIENCE_SECONDS = 600
_WARM_SECONDS = 10


class Lag(NamedTuple):
    """How far all read models are behind the ledger, at every batch of a steady import."""

    seconds: list[float]
    events: list[int]
    rate: float


def sections(events: int, seconds: float, workers: int) -> Iterator[str]:
    """What the page says of a ledger of so many events, each route asked for so many seconds."""
    live = 2 * LAG_RATE * LAG_SECONDS
    with (
        server() as postgres,
        database(postgres, "reading") as company,
        simulating(events + live) as simulated,
    ):
        for batch in batches_of(islice(simulated, events)):
            company.intake.take(batch)
        later = list(simulated)
        rebuilt = rebuild(postgres, company, workers=workers)
        yield f"## Rebuilding from {events:,} events"
        yield ""
        yield from rebuild_report(rebuilt, events, workers)
        # What autovacuum does where there is time for it.
        with closing(psycopg2.connect(company.owner_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("VACUUM (ANALYZE)")
        yield from _asking(company, later, seconds)


def _asking(company: Database, live: Sequence[Message], seconds: float) -> Iterator[str]:
    with company.datastore.transaction() as cursor:
        events = last_position(cursor)
        cursor.execute(
            "SELECT count(*) FILTER (WHERE occurred_at >= (SELECT max(occurred_at) FROM"
            " ledger.events) - %s), count(DISTINCT customer_id) FROM ledger.events",
            (YEAR,),
        )
        in_year, customers = cursor.fetchone() or (0, 0)
    yield f"## Asking {events:,} events"
    yield ""
    yield (
        f"{READERS} readers ask one route of `servicetrail up` at once, without a pause, with "
        f"{customers:,} customers in the ledger; figures are of its last year, {in_year:,} events. "
        "No question is asked twice but under “the same”: there all ask one and the same, as of "
        "now. Alone: one request with nothing else going on. CPU: processor time of a request, "
        f"in the program and in PostgreSQL. So many readers have asked for {_WARM_SECONDS} seconds "
        "before, about promises, so that the processes that answer are there."
    )
    yield ""
    yield (
        "| route | requests | refused | alone, ms | p50, ms | p99, ms | the same: p50 | p99 "
        "| CPU of the program, ms | of PostgreSQL, ms | bytes |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    with _up(company) as (port, processes):
        latency(port, targets(company, PROMISE), _WARM_SECONDS, processes)
        for question in QUESTIONS:
            yield _row(company, question, port, processes, seconds)
        behind = lag(company, live[: len(live) // 2])
        with ThreadPoolExecutor(1) as importing:
            importing_too = importing.submit(lag, company, live[len(live) // 2 :])
            same = repeat(as_of_now(company, CHANNELS))
            found = latency(port, same, LAG_SECONDS, processes)
            behind_too = importing_too.result()
    yield ""
    yield (
        f"Read models while events are imported into that ledger in batches of {LAG_BATCH}, "
        f"through the projector of `servicetrail up`: {behind.rate:,.0f} events/s with nobody "
        f"asking, then {behind_too.rate:,.0f} while {READERS} readers ask `{CHANNELS.path}` of the "
        f"year, all the same; each of their answers is of the position then reached, p50 "
        f"{found.ms(50):,.0f} ms, p99 {found.ms(99):,.0f} ms."
    )
    yield ""
    yield "| behind | p50 | p99 | most |"
    yield "| --- | ---: | ---: | ---: |"
    for when, one in (("", behind), (", asked meanwhile", behind_too)):
        ms = [each * 1_000 for each in one.seconds]
        yield _line(f"from recorded to projected, ms{when}", ms)
        yield _line(f"events not projected yet{when}", one.events)
    yield ""


def _row(
    company: Database, question: Question[Any], port: int, processes: Processes, seconds: float
) -> str:
    route = f"| `{question.shown_path}`"
    requests = targets(company, question)
    try:
        one = alone(port, requests)
    except Refused:
        return f"{route} | 1 | 1 | | | | | | | | |"
    found = latency(port, requests, seconds, processes)
    same = "| |"
    if question.subject is None:
        again = latency(port, repeat(as_of_now(company, question)), seconds / 4, processes)
        same = f"| {again.ms(50):,.1f} | {again.ms(99):,.1f}"
    return (
        f"{route} | {len(found.seconds):,} | {found.refused:,} | {one * 1_000:,.1f} "
        f"| {found.ms(50):,.1f} | {found.ms(99):,.1f} {same} "
        f"| {found.program_seconds * 1_000:,.1f} | {found.database_seconds * 1_000:,.1f} "
        f"| {found.answer_bytes:,} |"
    )


def lag(company: Database, events: Sequence[Message]) -> Lag:
    """Import at a steady rate into the ledger of a running program, and watch its read models."""
    with company.datastore.transaction() as cursor:
        before = last_position(cursor)
    recorded: list[tuple[int, float]] = []
    behind: list[int] = []
    with Watch(company.owner_url) as watch:
        began = time.perf_counter()
        for start in range(0, len(events), LAG_BATCH):
            time.sleep(max(0.0, began + start / LAG_RATE - time.perf_counter()))
            company.intake.take(events[start : start + LAG_BATCH])
            with company.datastore.transaction() as cursor:
                position = last_position(cursor)
            recorded.append((position, time.perf_counter()))
            behind.append(position - max(watch.positions[-1], before))
        wait_for(company, "SELECT min(position) >= %s FROM read.position", recorded[-1][0])
        time.sleep(1.0)
    took = recorded[-1][1] - began
    return Lag([watch.seen(position) - at for position, at in recorded], behind, len(events) / took)


@contextmanager
def _up(company: Database) -> Iterator[tuple[int, Processes]]:
    """`servicetrail up` on a port of its own, once it answers and has sealed everything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    with servicetrail(company, None, "up", "--port", str(port)) as program:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _settled(company, program, port):
            if time.monotonic() > deadline:
                raise TimeoutError("the program does not answer, or does not come to an end")
            time.sleep(0.2)
        with company.datastore.transaction() as cursor:
            backend = psutil.Process(cursor.connection.info.backend_pid)
        database_server = backend.parent()
        assert database_server is not None
        yield port, Processes(psutil.Process(program.pid), database_server)


def _settled(company: Database, program: "subprocess.Popen[bytes]", port: int) -> bool:
    if program.poll() is not None:
        raise RuntimeError("the program has ended")
    try:
        with closing(Connection(port)) as connection:
            json.loads(connection.get("/health"))
    except OSError:
        return False
    with company.datastore.transaction() as cursor:
        head = last_position(cursor)
        cursor.execute("SELECT coalesce(max(size), 0) >= %s FROM seal.checkpoints", (head,))
        return bool((cursor.fetchone() or (False,))[0])


def _line(name: str, values: Sequence[float]) -> str:
    p50, p99 = percentile(values, 50), percentile(values, 99)
    return f"| {name} | {p50:,.0f} | {p99:,.0f} | {max(values):,.0f} |"


def main() -> None:
    """Measure, print the sections, and write them into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the ledger")
    parser.add_argument("--seconds", type=float, default=10, help="for each route")
    parser.add_argument("--workers", type=int, default=2, help="processes that build read models")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page that they go into")
    options = parser.parse_args()
    lines = []
    for line in sections(options.events, options.seconds, options.workers):
        print(line, flush=True)
        lines.append(line)
    options.out.write_text(with_sections(options.out.read_text(), lines))


if __name__ == "__main__":
    ease_garbage_collection()
    main()
