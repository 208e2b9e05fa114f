"""What every question takes while eight ask at once, and how far read models are behind meanwhile.

    python -m benchmarks.reading --events 30000

Ask a running `servicetrail up`, over HTTP, on connections that stay open. The readers are threads
of this process, which do no more than send the request and read the answer to its end.
"""

import argparse
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import psycopg2

from benchmarks.freshness import Watch, wait_for
from benchmarks.importing import batches_of
from benchmarks.programs import servicetrail
from benchmarks.workload import Database, database, server, simulated_file
from ledger.garbage import ease_garbage_collection
from ledger.reading import last_position
from projections.rebuilding import Rebuild
from projections.registry import read_models
from projections.runner import Runner
from questions.parameters import Window
from questions.question import Question
from questions.registry import QUESTIONS
from schemas.codec import instant_text
from schemas.files import messages_in
from schemas.message import Message

READERS = 8
MOST_REQUESTS, LEAST_REQUESTS = 2_000, 24
SUBJECTS = 1_000
LAG_RATE, LAG_BATCH, LAG_SECONDS = 1_000, 50, 30
YEAR = timedelta(days=365)
_PATIENCE_SECONDS = 600
_SUBJECTS = {
    "customer_id": "customer_id FROM (SELECT DISTINCT customer_id FROM read.timeline) AS timeline",
    "promise_id": "promise_id FROM read.promises",
    "complaint_id": "complaint_id FROM read.complaints",
    "position": "position FROM ledger.events",
}
_ASKED = {"/explain": {"question": "channels", "channel": "call_centre"}}


class Latency(NamedTuple):
    """Seconds of each request to one route, those of one request alone, and bytes of an answer."""

    seconds: list[float]
    alone: float
    answer_bytes: int
    refused: int
    """Answered by 503: the database took longer than the program waits."""
    client_share: float
    """Of one core, what the readers themselves took."""

    def ms(self, percent: int) -> float:
        """Within how many milliseconds so many percent were answered."""
        return _p(self.seconds, percent) * 1_000


class Lag(NamedTuple):
    """How far all read models are behind the ledger, at every batch of a steady import."""

    seconds: list[float]
    events: list[int]
    rate: float


class Refused(Exception):
    """The program answered 503."""


class Connection:
    """A connection that stays open, on which one request is under way at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, target: str) -> bytes:
        """The answer's body. Raises Refused for 503, and ValueError unless it is 200."""
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = self._socket.recv(1 << 16)
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        parts, missing = [body], length - len(body)
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        if head.startswith(b"HTTP/1.1 503"):
            raise Refused(target)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"{target}: {head[:100]!r} {b''.join(parts)!r}")
        return b"".join(parts)

    def close(self) -> None:
        """Close."""
        self._socket.close()

    def _more(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def build(company: Database, events: Iterator[Message], workers: int) -> None:
    """Import them, and build all read models, with the statistics and the visibility maps that
    autovacuum makes where there is time for it.
    """
    for batch in batches_of(events):
        company.intake.take(batch)
    models = partial(read_models)
    names = [model.name for model in models()]
    Runner(company.datastore, models()).prepare()
    work = Rebuild(company.datastore, models, names, workers=workers, apart=True)
    work.build()
    work.swap()
    with closing(psycopg2.connect(company.owner_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM (ANALYZE)")


def targets(company: Database, question: Question[Any]) -> Iterator[str]:
    """Requests without end: another subject each time, and another instant, so that none is the
    same as one before. Figures are of the last year of the ledger.
    """
    with company.datastore.transaction() as cursor:
        cursor.execute("SELECT max(occurred_at) FROM ledger.events")
        [end] = cursor.fetchone() or (None,)
        subjects = [""]
        if question.subject is not None:
            cursor.execute(
                f"SELECT {_SUBJECTS[question.subject]}"
                f" ORDER BY md5({question.subject}::text) LIMIT {SUBJECTS}"
            )
            subjects = [row[0] for row in cursor]
    for number in count():
        asked = _asked(question, end - timedelta(milliseconds=number), end)
        subject = quote(str(subjects[number % len(subjects)]), safe="")
        before, _, after = question.path.partition("{")
        yield (
            f"{before}{subject}{after.partition('}')[2]}?{asked}" if after else f"{before}?{asked}"
        )


def _asked(question: Question[Any], as_of: datetime, end: datetime) -> str:
    asked = {"as_of": instant_text(as_of), **_ASKED.get(question.path, {})}
    if issubclass(question.parameters, Window):
        asked |= {"from": instant_text(end - YEAR), "to": instant_text(end)}
    return urlencode(asked)


def latency(port: int, requests: Iterator[str], seconds: float) -> Latency:
    """Of as many requests as fit into so many seconds, from the fewest to the most.

    Raises Refused if one alone is not answered.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(Connection(port))) for _ in range(READERS)]
        connections[0].get(next(requests))
        began = time.perf_counter()
        answer = connections[0].get(next(requests))
        alone = time.perf_counter() - began
        each = [[next(requests) for _ in range(MOST_REQUESTS // READERS)] for _ in connections]
        began, client = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(READERS) as threads:
            readers = list(threads.map(partial(_ask, began + seconds), connections, each))
        client_share = (time.process_time() - client) / (time.perf_counter() - began)
    took = [seconds for reader, _ in readers for seconds in reader]
    return Latency(took, alone, len(answer), sum(refused for _, refused in readers), client_share)


def _ask(until: float, connection: Connection, requests: Sequence[str]) -> tuple[list[float], int]:
    """Seconds of each request, and how many were refused, which count with their time as well."""
    took: list[float] = []
    refused = 0
    for target in requests:
        asked_at = time.perf_counter()
        if len(took) >= LEAST_REQUESTS // READERS and asked_at > until:
            break
        try:
            connection.get(target)
        except Refused:
            refused += 1
        took.append(time.perf_counter() - asked_at)
    return took, refused


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
def _up(company: Database) -> Iterator[int]:
    """`servicetrail up` on a port of its own, once it answers and has sealed everything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    with servicetrail(company, None, "up", "--port", str(port)):
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _settled(company, port):
            if time.monotonic() > deadline:
                raise TimeoutError("the program does not answer, or does not come to an end")
            time.sleep(0.2)
        yield port


def _settled(company: Database, port: int) -> bool:
    try:
        with closing(Connection(port)) as connection:
            json.loads(connection.get("/health"))
    except OSError:
        return False
    with company.datastore.transaction() as cursor:
        head = last_position(cursor)
        cursor.execute("SELECT coalesce(max(size), 0) >= %s FROM seal.checkpoints", (head,))
        return bool((cursor.fetchone() or (False,))[0])


def report(company: Database, live: Sequence[Message], seconds: float) -> Iterator[str]:
    """What the page says of it."""
    with company.datastore.transaction() as cursor:
        events = last_position(cursor)
        cursor.execute(
            "SELECT count(*) FILTER (WHERE occurred_at >= (SELECT max(occurred_at) FROM"
            " ledger.events) - %s), count(DISTINCT customer_id) FROM ledger.events",
            (YEAR,),
        )
        in_year, customers = cursor.fetchone() or (0, 0)
    yield (
        f"{READERS} readers ask one route of `servicetrail up` at once, without a pause, no "
        f"question twice. Ledger: {events:,} events of {customers:,} customers; figures are of its "
        f"last year, {in_year:,} events. Alone: one request with nothing else going on."
    )
    yield ""
    yield "| route | requests | refused | alone, ms | p50, ms | p99, ms | bytes | readers' CPU |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    with _up(company) as port:
        for question in QUESTIONS:
            route = f"| `{question.shown_path}` |"
            try:
                found = latency(port, targets(company, question), seconds)
            except Refused:
                yield f"{route} 1 | 1 | | | | | |"
                continue
            yield (
                f"{route} {len(found.seconds):,} | {found.refused:,} "
                f"| {found.alone * 1_000:,.1f} | {found.ms(50):,.1f} | {found.ms(99):,.1f} "
                f"| {found.answer_bytes:,} | {found.client_share:.0%} |"
            )
        behind = lag(company, live)
    yield ""
    yield (
        f"Read models while {behind.rate:,.0f} events/s are imported into that ledger, in batches "
        f"of {LAG_BATCH}, through the projector of `servicetrail up`:"
    )
    yield ""
    yield "| behind | p50 | p99 | most |"
    yield "| --- | ---: | ---: | ---: |"
    yield _line("from recorded to projected, ms", [each * 1_000 for each in behind.seconds])
    yield _line("events not projected yet", behind.events)
    yield ""


def _line(name: str, values: Sequence[float]) -> str:
    return f"| {name} | {_p(values, 50):,.0f} | {_p(values, 99):,.0f} | {max(values):,.0f} |"


def _p(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> None:
    """Fill a ledger, ask, and print what the page would say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the ledger")
    parser.add_argument("--seconds", type=float, default=20, help="for each route")
    parser.add_argument("--workers", type=int, default=2, help="processes that build read models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, server() as postgres:
        path = simulated_file(options.events + LAG_RATE * LAG_SECONDS, Path(directory))
        messages = messages_in(str(path))
        with database(postgres, "reading") as company:
            build(company, (next(messages) for _ in range(options.events)), options.workers)
            for line in report(company, list(messages), options.seconds):
                print(line, flush=True)


if __name__ == "__main__":
    ease_garbage_collection()
    main()
