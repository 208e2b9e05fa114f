"""Readers that ask a running program over HTTP, on connections that stay open.

They are threads of this process, which do no more than send the request and read the answer to its
end.
"""

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import psutil

from benchmarks.workload import Database
from questions.parameters import Window
from questions.question import Question
from schemas.codec import instant_text

READERS = 8
YEAR = timedelta(days=365)
_MOST_REQUESTS, _LEAST_REQUESTS = 2_000, 24
_SUBJECTS_ASKED = 1_000
_SUBJECTS = {
    "customer_id": "customer_id FROM (SELECT DISTINCT customer_id FROM read.timeline) AS timeline",
    "promise_id": "promise_id FROM read.promises",
    "complaint_id": "complaint_id FROM read.complaints",
    "position": "position FROM ledger.events",
}
_ASKED = {"/explain": {"question": "channels", "channel": "call_centre"}}


class Latency(NamedTuple):
    """Seconds of each request, and bytes of one answer."""

    seconds: list[float]
    answer_bytes: int
    refused: int
    """Answered by 503: the database took longer than the program waits."""
    program_seconds: float
    """Of a processor, for each request."""
    database_seconds: float

    def ms(self, percent: int) -> float:
        """Within how many milliseconds so many percent were answered."""
        return percentile(self.seconds, percent) * 1_000


class Processes(NamedTuple):
    """The program and the server of its database, of which processor time is told."""

    program: psutil.Process
    database: psutil.Process

    def seconds(self) -> tuple[float, float]:
        """What each has taken so far."""
        program, database = (
            sum(
                each.cpu_times().user + each.cpu_times().system
                for each in (root, *root.children(recursive=True))
            )
            for root in self
        )
        return program, database


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


def targets(company: Database, question: Question[Any]) -> Iterator[str]:
    """Requests without end: another subject each time, and another instant, so that none is the
    same as one before. Figures are of the last year of the ledger.
    """
    end = last_instant(company)
    subjects = _subjects(company, question)
    for number in count():
        asked = _asked(question, end - timedelta(milliseconds=number), end)
        subject = quote(str(subjects[number % len(subjects)]), safe="")
        before, _, after = question.path.partition("{")
        yield (
            f"{before}{subject}{after.partition('}')[2]}?{asked}" if after else f"{before}?{asked}"
        )


def as_of_now(company: Database, question: Question[Any]) -> str:
    """One request about no single thing, as of now, as dashboards ask it again and again."""
    return f"{question.path}?{_asked(question, None, last_instant(company))}"


def last_instant(company: Database) -> datetime:
    """When the last of all events happened."""
    with company.datastore.transaction() as cursor:
        cursor.execute("SELECT max(occurred_at) FROM ledger.events")
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise LookupError("the ledger is empty")
    end: datetime = row[0]
    return end


def _subjects(company: Database, question: Question[Any]) -> list[Any]:
    if question.subject is None:
        return [""]
    with company.datastore.transaction() as cursor:
        cursor.execute(
            f"SELECT {_SUBJECTS[question.subject]}"
            f" ORDER BY md5({question.subject}::text) LIMIT {_SUBJECTS_ASKED}"
        )
        return [row[0] for row in cursor]


def _asked(question: Question[Any], as_of: datetime | None, end: datetime) -> str:
    asked = dict(_ASKED.get(question.path, {}))
    if as_of is not None:
        asked["as_of"] = instant_text(as_of)
    if issubclass(question.parameters, Window):
        asked |= {"from": instant_text(end - YEAR), "to": instant_text(end)}
    return urlencode(asked)


def alone(port: int, requests: Iterator[str]) -> float:
    """How long one request takes with nothing else going on; the second one counts.

    Raises Refused.
    """
    with closing(Connection(port)) as connection:
        connection.get(next(requests))
        began = time.perf_counter()
        connection.get(next(requests))
        return time.perf_counter() - began


def latency(port: int, requests: Iterator[str], seconds: float, processes: Processes) -> Latency:
    """Of as many requests as fit into so many seconds, from the fewest to the most, by READERS at
    once.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(Connection(port))) for _ in range(READERS)]
        each = [[next(requests) for _ in range(_MOST_REQUESTS // READERS)] for _ in connections]
        before = processes.seconds()
        until = time.perf_counter() + seconds
        with ThreadPoolExecutor(READERS) as threads:
            readers = list(threads.map(partial(_ask, until), connections, each))
        after = processes.seconds()
    took = [seconds for reader in readers for seconds in reader.seconds]
    program, database = ((b - a) / len(took) for a, b in zip(before, after, strict=True))
    largest = max(reader.answer_bytes for reader in readers)
    return Latency(took, largest, sum(reader.refused for reader in readers), program, database)


class _Asked(NamedTuple):
    seconds: list[float]
    """Of each request; those that were refused count as well."""
    refused: int
    answer_bytes: int


def _ask(until: float, connection: Connection, requests: Sequence[str]) -> _Asked:
    took: list[float] = []
    refused = longest = 0
    for target in requests:
        asked_at = time.perf_counter()
        if len(took) >= _LEAST_REQUESTS // READERS and asked_at > until:
            break
        try:
            longest = max(longest, len(connection.get(target)))
        except Refused:
            refused += 1
        took.append(time.perf_counter() - asked_at)
    return _Asked(took, refused, longest)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
