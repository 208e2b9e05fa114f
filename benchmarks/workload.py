"""What the benchmarks work on: a simulated company's events, on a durable embedded PostgreSQL.

    python -m benchmarks.workload 1000000 > events.avro

writes so many of them as an Avro container.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import psycopg2

from ledger.datastore import PROGRAM_ROLE, Datastore
from ledger.intake import Intake
from ledger.keys import Keyring, MasterKey
from ledger.migrations import migrate
from schemas.catalogue import SHIPPED
from schemas.containers import write_container
from schemas.files import messages_from, messages_in
from schemas.json_data import from_json
from schemas.message import Message
from servicetrail.embedded import EmbeddedPostgres
from servicetrail.simulate import simulate

SEED = 7
BATCH = 1_000
EVENTS_PER_DAY = 1_000
END = datetime(2026, 7, 1, tzinfo=UTC)
MASTER_KEY = bytes(32)


class Database(NamedTuple):
    """One database of the server, with the newest schema, and an intake on it."""

    url: str
    owner_url: str
    datastore: Datastore
    keyring: Keyring
    intake: Intake


def simulated_file(events: int, directory: Path) -> Path:
    """An Avro container file of that many events."""
    path = directory / f"simulated-{events}-{SEED}.avro"
    with path.open("wb") as stream:
        write_simulated(events, stream)
    return path


def write_simulated(events: int, stream: BinaryIO) -> None:
    """Write that many events as an Avro container."""
    days = max(1, events // EVENTS_PER_DAY)
    # They end on one day, however many there are: what lies ahead of now is not taken.
    simulated = simulate(events, SEED, start=END - timedelta(days=days), days=days)
    write_container(stream, map(_typed, simulated))


@contextmanager
def simulating(events: int) -> Iterator[Iterator[Message]]:
    """The messages of such a container, which another process writes meanwhile."""
    command = [sys.executable, "-m", "benchmarks.workload", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield messages_from(cast(BinaryIO, process.stdout), "simulated")


def _typed(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "data": from_json(SHIPPED.by_type[event["type"]], event["data"])}


def simulated_messages(events: int) -> list[Message]:
    """The messages of such a file."""
    with tempfile.TemporaryDirectory() as directory:
        return list(messages_in(str(simulated_file(events, Path(directory)))))


def batches(messages: list[Message]) -> Iterator[list[Message]]:
    """The messages in batches of 1,000."""
    for start in range(0, len(messages), BATCH):
        yield messages[start : start + BATCH]


@contextmanager
def server() -> Iterator[EmbeddedPostgres]:
    """A durable embedded PostgreSQL with the settings that `servicetrail up` gives it."""
    with (
        tempfile.TemporaryDirectory(prefix="servicetrail-benchmark-") as directory,
        EmbeddedPostgres(Path(directory)) as postgres,
    ):
        yield postgres


@contextmanager
def database(postgres: EmbeddedPostgres, name: str) -> Iterator[Database]:
    """A new database on the server."""
    connection = psycopg2.connect(postgres.database_url("postgres"))
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    owner_url = postgres.database_url(name)
    migrate(owner_url)
    url = postgres.database_url(name, PROGRAM_ROLE)
    datastore = Datastore(url)
    try:
        keyring = Keyring(datastore, MasterKey(MASTER_KEY))
        yield Database(url, owner_url, datastore, keyring, Intake(datastore, keyring))
    finally:
        datastore.close()


if __name__ == "__main__":
    write_simulated(int(sys.argv[1]), sys.stdout.buffer)
