"""One PostgreSQL server for a test run (for each worker of one), and a database for each test.

Set SERVICETRAIL_TEST_DATABASE_URL to run the tests on a server of your own, as a login that may
create databases and roles there.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg2
import pytest

from ledger.datastore import PROGRAM_ROLE, Datastore
from ledger.migrations import migrate
from servicetrail.embedded import EmbeddedPostgres


class Cluster:
    """A server on which the tests make and drop databases."""

    def __init__(self, url: str, embedded: EmbeddedPostgres | None) -> None:
        self._url = url
        self._embedded = embedded
        self._made = 0

    @property
    def is_embedded(self) -> bool:
        return self._embedded is not None

    def owner_url(self, database: str) -> str:
        """Where the owner of a database connects."""
        if self._embedded is not None:
            return self._embedded.database_url(database)
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def program_url(self, database: str) -> str:
        """Where the program connects: on the embedded server with a login of its own."""
        if self._embedded is not None:
            return self._embedded.database_url(database, PROGRAM_ROLE)
        return self.owner_url(database)

    def execute(self, statement: str) -> None:
        """Run a statement that is about databases, or about the server."""
        with closing(psycopg2.connect(self._url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The name of a new database, dropped at the end whoever is connected."""
        self._made += 1
        name = f"servicetrail_test_{os.getpid()}_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class DatabaseUrls(NamedTuple):
    """The two ways into one database."""

    owner: str
    program: str


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The server all tests use; not durable if it is our own."""
    if url := os.environ.get("SERVICETRAIL_TEST_DATABASE_URL"):
        yield Cluster(url, None)
        return
    with (
        tempfile.TemporaryDirectory(prefix="servicetrail-tests-") as directory,
        EmbeddedPostgres(Path(directory), durable=False) as embedded,
    ):
        yield Cluster(embedded.database_url("postgres"), embedded)


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> Iterator[str]:
    """A database with the newest schema, for others to be copied from. Nobody connects to it."""
    with cluster.database() as name:
        migrate(cluster.owner_url(name))
        yield name


@pytest.fixture
def database_urls(cluster: Cluster, migrated_template: str) -> Iterator[DatabaseUrls]:
    """This test's own database, with the newest schema."""
    with cluster.database(migrated_template) as name:
        yield DatabaseUrls(cluster.owner_url(name), cluster.program_url(name))


@pytest.fixture
def database_url(database_urls: DatabaseUrls) -> str:
    """Where the program connects to this test's own database."""
    return database_urls.program


@pytest.fixture
def datastore(database_url: str) -> Iterator[Datastore]:
    """A datastore on this test's own database."""
    opened = Datastore(database_url)
    yield opened
    opened.close()
