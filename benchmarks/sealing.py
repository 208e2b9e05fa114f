"""What sealing costs, how fast it is verified, and how fast evidence is made and checked.

`python -m benchmarks.sealing [--events N]` prints it and writes its section of docs/benchmarks.md.
"""

import argparse
import gc
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import psycopg2

from audit.evidence import About, write_evidence
from audit.outside import Directory
from audit.sealer import INTERVAL_SECONDS, Sealer
from audit.signing import SigningKeys
from audit.standalone.command import check_file
from audit.whole import check_ledger
from audit.whole_checkpoints import Outside
from benchmarks.page import PAGE, with_sections
from benchmarks.workload import Database, batches, database, server, simulated_messages
from ledger.garbage import ease_garbage_collection
from ledger.keys import MasterKey
from ledger.rows import NewEvent, append, shard_of
from schemas.catalogue import SHIPPED
from schemas.codec import encode, event_id
from schemas.message import Message

HEADING = "## Sealing and proof"
TURN_BATCHES = 20
LARGE_CUSTOMER, LARGE_CUSTOMER_EVENTS = "C-large", 1_000
CUSTOMERS = 100_000
EVENTS, INGESTED, OF_ONE_CUSTOMER, PROCESSES = 1_000_000, 200_000, 100_000, 2


class Rate(NamedTuple):
    """So many events in so many seconds."""

    events: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.events / self.seconds:,.0f} events/s"


class Evidence(NamedTuple):
    """How long it took to make evidence and to check it, and its size in bytes."""

    made: Rate
    checked: Rate
    archive_bytes: int


class Measured(NamedTuple):
    """Everything. `ingest` is without and with sealing, `waited` the seconds until a checkpoint."""

    ingest: tuple[Rate, Rate]
    waited: list[float]
    sealed: Rate
    verified: Rate
    processes: int
    evidence: Evidence
    of_one_customer: Evidence


def main() -> None:
    """Measure, print the section, and put it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealing", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="in the large ledger")
    parser.add_argument("--ingest", type=int, default=INGESTED, help="events to take in both ways")
    parser.add_argument(
        "--one-customer", type=int, default=OF_ONE_CUSTOMER, help="events of a single customer"
    )
    parser.add_argument("--processes", type=int, default=PROCESSES, help="that verify the ledger")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page with the section")
    options = parser.parse_args()
    measured = measure(options.events, options.ingest, options.one_customer, options.processes)
    lines = list(section(measured))
    print("\n".join(lines))
    options.out.write_text(with_sections(options.out.read_text(), lines))


def measure(events: int, ingested: int, of_one_customer: int, processes: int) -> Measured:
    """Measure everything, one after the other."""
    with tempfile.TemporaryDirectory() as directory, server() as postgres:
        folder = Path(directory)
        with (
            database(postgres, "plain") as plain,
            database(postgres, "sealed") as sealed,
        ):
            ingest_rates, waited = ingest(plain, sealed, folder / "ingest", ingested)
        with database(postgres, "large") as large:
            keys, checkpoints = SigningKeys.made(), Directory(folder / "large")
            append_events(large, events, customers=CUSTOMERS, also=LARGE_CUSTOMER)
            sealed_rate = seal(large, keys, checkpoints)
            verified = verify(large, keys, checkpoints, processes)
            of_large = evidence(large, LARGE_CUSTOMER, folder / "evidence.zip")
        with database(postgres, "one_customer") as one:
            keys = SigningKeys.made()
            append_events(one, of_one_customer, customers=1)
            seal(one, keys, Directory(folder / "one"))
            of_one = evidence(one, "C-0", folder / "many.zip")
    return Measured(ingest_rates, waited, sealed_rate, verified, processes, of_large, of_one)


def section(measured: Measured) -> Iterator[str]:
    """The section of the page."""
    plain, sealed = measured.ingest
    share = (sealed.seconds / sealed.events) / (plain.seconds / plain.events) - 1
    waited = quantiles(measured.waited, n=100)[98]
    made, many = measured.evidence.made, measured.of_one_customer
    events = measured.verified.events
    yield f"{HEADING} of {events:,} events"
    yield ""
    yield (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.sealing`. Ingest with "
        f"and without sealing take turns of {TURN_BATCHES * 1_000:,} events on one server, "
        f"{plain.events:,} each; a turn with sealing ends when everything is under a checkpoint."
    )
    yield ""
    yield "| | measured | goal |"
    yield "| --- | ---: | ---: |"
    yield f"| ingest without sealing | {plain} | |"
    yield f"| ingest with sealing | {sealed} | |"
    yield f"| what sealing adds to the time of ingest | {share:+.1%} | at most 10 % |"
    yield f"| from the append to the checkpoint, 99 % | {waited:.2f} s | at most 2 s |"
    yield f"| sealing what is there, {measured.sealed.events:,} events | {measured.sealed} | |"
    yield (
        f"| `servicetrail verify` of {events:,} events in {measured.processes} processes | "
        f"{measured.verified.seconds:.1f} s, {measured.verified} | "
        "under 120 s for 1,000,000 events |"
    )
    yield (
        f"| evidence about a customer of {made.events:,} events among {events:,} | "
        f"{made.seconds:.2f} s | under 2 s |"
    )
    yield f"| verifying it offline | {measured.evidence.checked.seconds:.2f} s | |"
    yield (
        f"| evidence about a customer of {many.made.events:,} events, "
        f"{many.archive_bytes / 1e6:.1f} MB | {many.made.seconds:.2f} s | |"
    )
    yield f"| verifying it offline | {many.checked} | at least 100,000 events/s |"
    yield ""


def ingest(
    plain: Database, sealed: Database, folder: Path, events: int
) -> tuple[tuple[Rate, Rate], list[float]]:
    """Two databases take the same batches by turns; a sealer runs while it is the second's turn.

    The rates without and with it, and for each event the seconds until it was under a checkpoint.
    The first turn is not measured.
    """
    keys = SigningKeys.made()
    sealer = Sealer(sealed.datastore, lambda: keys, [Directory(folder)])
    seconds: Counter[str] = Counter()
    ways = {"plain": plain, "sealed": sealed}
    measured = 0
    for turn, batch in enumerate(_turns(list(batches(simulated_messages(events))))):
        for way, of in ways.items():
            began = time.perf_counter()
            with sealing(sealer) if of is sealed else nullcontext():
                for messages in batch:
                    of.intake.take(messages)
            if turn > 0:
                seconds[way] += time.perf_counter() - began
            gc.collect()
        measured += sum(map(len, batch)) if turn > 0 else 0
    with closing(psycopg2.connect(sealed.owner_url)) as connection, connection.cursor() as cursor:
        cursor.execute(_WAITED)
        waited = [float(row[0]) for row in cursor.fetchall()]
    rates = Rate(measured, seconds["plain"]), Rate(measured, seconds["sealed"])
    return rates, waited


_WAITED = """
SELECT extract(epoch FROM c.sealed_at - e.recorded_at)
FROM ledger.events AS e
CROSS JOIN LATERAL (
    SELECT sealed_at FROM seal.checkpoints WHERE size >= e.position ORDER BY size, number LIMIT 1
) AS c
"""


@contextmanager
def sealing(sealer: Sealer) -> Iterator[None]:
    """A sealer at work as in `servicetrail up`, and at the end what is left."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(INTERVAL_SECONDS):
            sealer.step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sealer.seal()


def _turns(items: list[list[Message]]) -> Iterator[list[list[Message]]]:
    for start in range(0, len(items), TURN_BATCHES):
        yield items[start : start + TURN_BATCHES]


def seal(of: Database, keys: SigningKeys, checkpoints: Directory) -> Rate:
    """Seal everything there is."""
    sealer = Sealer(of.datastore, lambda: keys, [checkpoints])
    began = time.perf_counter()
    sealer.seal()
    seconds = time.perf_counter() - began
    with of.datastore.transaction() as cursor:
        cursor.execute("SELECT max(size) FROM seal.checkpoints")
        [(events,)] = cursor.fetchall()
    return Rate(events, seconds)


def append_events(of: Database, events: int, *, customers: int, also: str | None = None) -> None:
    """Events straight into the ledger."""
    schema = SHIPPED.by_type["complaint.restated.v1"]
    every = max(1, events // LARGE_CUSTOMER_EVENTS)
    for start in range(0, events, 5_000):
        rows = []
        for number in range(start, min(start + 5_000, events)):
            customer = also if also and number % every == 0 else f"C-{number * 7919 % customers}"
            data = {"complaint_id": f"K-{number}", "customer_id": customer, "channel": "mail"}
            rows.append(_row(schema.fingerprint, number, customer, encode(schema.type, data)))
        with of.datastore.transaction() as cursor:
            append(cursor, rows)


def _row(fingerprint: bytes, number: int, customer: str, facts: bytes) -> NewEvent:
    return NewEvent(
        event_id=event_id("benchmark", str(number)),
        originator_id=f"complaint:K-{number}",
        originator_version=1,
        type="complaint.restated.v1",
        customer_id=customer,
        shard=shard_of(customer),
        source="benchmark",
        id=str(number),
        occurred_at=datetime(2026, 3, 1, 12, 0, 0, number % 1_000_000, tzinfo=UTC),
        time_assumed=False,
        sequence=number,
        correlation_id=None,
        causation_id=None,
        fingerprint=fingerprint,
        facts=facts,
        personal=None,
    )


def verify(of: Database, keys: SigningKeys, checkpoints: Directory, processes: int) -> Rate:
    """Check the whole ledger."""
    began = time.perf_counter()
    found = check_ledger(
        of.datastore,
        keys=[str(key) for key in keys.public],
        outside=[Outside(str(path), str(note)) for path, note, _ in checkpoints.all(keys.origin)],
        unwrap=MasterKey(bytes(32)).unwrap,
        processes=processes,
    )
    assert not found.faults, found.faults
    return Rate(found.events, time.perf_counter() - began)


def evidence(of: Database, customer: str, path: Path) -> Evidence:
    """Make evidence and verify it."""
    began = time.perf_counter()
    with path.open("wb") as stream:
        events = write_evidence(of.datastore, About("customer", customer), stream).events
    made = Rate(events, time.perf_counter() - began)
    began = time.perf_counter()
    check_file(str(path))
    checked = Rate(events, time.perf_counter() - began)
    with zipfile.ZipFile(path) as archive:
        size = sum(each.compress_size for each in archive.infolist())
    return Evidence(made, checked, size)


if __name__ == "__main__":
    ease_garbage_collection()
    main()
