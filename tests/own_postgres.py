"""A PostgreSQL server of one test's own, which it may restart and crash."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg2

from ledger.migrations import migrate
from servicetrail.embedded import EmbeddedPostgres


class OwnPostgres:
    """A durable server with an empty ledger. `url` stays the same whatever happens to it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._embedded = EmbeddedPostgres(directory)
        self._embedded.start()
        migrate(self._embedded.owner_url)
        self.url = self._embedded.url

    def restart(self) -> None:
        """Stop it, which ends every connection, and start it."""
        self.close()
        self._embedded.start()

    def crash(self) -> None:
        """End all its processes as a power cut would, and start it."""
        noted = (self._directory / "postgres" / "postmaster.pid").read_text().splitlines()
        server = psutil.Process(int(noted[0]))
        for process in [server, *server.children(recursive=True)]:
            process.kill()
        self.restart()

    def execute(self, statement: str) -> None:
        """Run a statement as the owner of everything."""
        with closing(psycopg2.connect(self._embedded.owner_url)) as connection, connection:
            connection.cursor().execute(statement)

    def close(self) -> None:
        self._embedded.stop()


@contextmanager
def postgres_of_its_own() -> Iterator[OwnPostgres]:
    """Such a server until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="servicetrail-tests-") as directory:
        postgres = OwnPostgres(Path(directory))
        try:
            yield postgres
        finally:
            postgres.close()
