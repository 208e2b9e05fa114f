"""What sealing costs, how fast it is verified, and how fast evidence is made.

`python -m benchmarks.sealing [--events N] [--ingest N]`
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

import psycopg2

from audit.evidence import About, write_evidence
from audit.outside import Directory
from audit.sealer import INTERVAL_SECONDS, Sealer
from audit.signing import SigningKeys
from audit.standalone.command import check_file
from audit.whole import check_ledger
from audit.whole_checkpoints import Outside
from benchmarks.workload import Database, batches, database, server, simulated_messages
from ledger.keys import MasterKey
from ledger.rows import NewEvent, append, shard_of
from schemas.catalogue import SHIPPED
from schemas.codec import encode, event_id
from schemas.message import Message
from servicetrail.system import ease_garbage_collection

TURN_BATCHES = 10
LARGE_CUSTOMER, LARGE_CUSTOMER_EVENTS = "C-large", 1_000
CUSTOMERS = 100_000


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealing", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the large ledger")
    parser.add_argument("--ingest", type=int, default=100_000, help="events to take in both ways")
    parser.add_argument("--processes", type=int, default=2, help="that verify the whole ledger")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, server() as postgres:
        folder = Path(directory)
        with (
            database(postgres, "plain") as plain,
            database(postgres, "sealed") as sealed,
        ):
            ingest(plain, sealed, folder / "ingest", options.ingest)
        with database(postgres, "large") as large:
            keys = SigningKeys.made()
            checkpoints = Directory(folder / "large")
            fill(large, keys, checkpoints, options.events)
            verify(large, keys, checkpoints, options.processes)
            evidence(large, LARGE_CUSTOMER, folder / "evidence.zip")
        with database(postgres, "one_customer") as one:
            keys = SigningKeys.made()
            append_events(one, 100_000, customers=1)
            Sealer(one.datastore, lambda: keys, [Directory(folder / "one")]).seal()
            evidence(one, "C-0", folder / "many.zip")


def ingest(plain: Database, sealed: Database, folder: Path, events: int) -> None:
    """Two databases take the same batches by turns; a sealer runs while it is the second's turn."""
    keys = SigningKeys.made()
    sealer = Sealer(sealed.datastore, lambda: keys, [Directory(folder)])
    seconds: Counter[str] = Counter()
    ways = {"without sealing": plain, "with sealing": sealed}
    for turn, batch in enumerate(_turns(list(batches(simulated_messages(events))))):
        for way, of in ways.items():
            with sealing(sealer) if of is sealed else nullcontext():
                began = time.perf_counter()
                for messages in batch:
                    of.intake.take(messages)
                if turn > 0:
                    seconds[way] += time.perf_counter() - began
            gc.collect()
    measured = events - TURN_BATCHES * 1_000
    for way, spent in seconds.items():
        print(f"ingest {way}: {measured / spent:,.0f} events/s")
    share = seconds["with sealing"] / seconds["without sealing"] - 1
    print(f"sealing takes {share:+.1%} of the time of ingest")
    with closing(psycopg2.connect(sealed.owner_url)) as connection, connection.cursor() as cursor:
        cursor.execute(_WAITED)
        waited = [float(row[0]) for row in cursor.fetchall()]
    print(f"append to checkpoint: 99 % within {quantiles(waited, n=100)[98]:.2f} s")


_WAITED = """
SELECT extract(epoch FROM min(c.sealed_at) - e.recorded_at)
FROM ledger.events AS e JOIN seal.checkpoints AS c ON c.size >= e.position
GROUP BY e.position
"""


@contextmanager
def sealing(sealer: Sealer) -> Iterator[None]:
    """A sealer at work as in `servicetrail up`; what is left at the end is not measured."""
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


def fill(of: Database, keys: SigningKeys, checkpoints: Directory, events: int) -> None:
    """A large ledger of many customers, one of them with a thousand events spread over it."""
    sealer = Sealer(of.datastore, lambda: keys, [checkpoints])
    append_events(of, events, customers=CUSTOMERS, also=LARGE_CUSTOMER)
    began = time.perf_counter()
    made = sealer.seal()
    print(f"sealed {events:,} events: {_rate(events, began)}, {made} checkpoints")


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


def verify(of: Database, keys: SigningKeys, checkpoints: Directory, processes: int) -> None:
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
    seconds = time.perf_counter() - began
    print(
        f"verify the whole ledger, {processes} processes: {found.events:,} events "
        f"in {seconds:.1f} s, {found.events / seconds:,.0f} events/s"
    )


def evidence(of: Database, customer: str, path: Path) -> None:
    """Make evidence and verify it."""
    began = time.perf_counter()
    with path.open("wb") as stream:
        made = write_evidence(of.datastore, About("customer", customer), stream)
    seconds = time.perf_counter() - began
    size = made.sealed.checkpoint.size
    print(f"evidence of {made.events:,} events of {size:,}: {seconds:.2f} s")
    began = time.perf_counter()
    check_file(str(path))
    print(f"verify it: {_rate(made.events, began)}")
    with zipfile.ZipFile(path) as archive:
        print(f"its size: {sum(each.compress_size for each in archive.infolist()) / 1e6:.1f} MB")


def _rate(events: int, began: float) -> str:
    seconds = time.perf_counter() - began
    return f"{events / seconds:,.0f} events/s ({seconds:.2f} s)"


if __name__ == "__main__":
    ease_garbage_collection()
    main()
