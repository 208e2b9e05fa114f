"""Databases that are empty, older, newer, or not ours to change."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest
from eventsourcing.persistence import OperationalError

from ledger.datastore import Datastore
from ledger.migrations import (
    Migration,
    MigrationRefused,
    SchemaTooNew,
    known_migrations,
    migrate,
)
from tests.conftest import Cluster, DatabaseUrls
from tests.ledger.events import appended, new_event

NEXT_VERSION = len(known_migrations()) + 1
NEXT = Migration(NEXT_VERSION, "next", "ALTER TABLE ledger.events ADD COLUMN remark text;")
BROKEN = Migration(NEXT_VERSION, "broken", "CREATE TABLE ledger.half (); SELECT 1 FROM nowhere;")


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[str]:
    """The name of a database in which nothing is."""
    with cluster.database() as name:
        yield name


@pytest.fixture
def stranger(cluster: Cluster) -> Iterator[str]:
    """A login that may do nothing in particular."""
    cluster.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    yield "stranger"
    cluster.execute("DROP ROLE stranger")


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def versions(url: str) -> list[int]:
    return [row[0] for row in query(url, "SELECT version FROM ledger.migrations ORDER BY 1")]


def test_shipped_migrations_are_numbered_without_gaps() -> None:
    shipped = known_migrations()
    assert [migration.version for migration in shipped] == list(range(1, len(shipped) + 1))


def test_migrating_again_changes_nothing(database_urls: DatabaseUrls, datastore: Datastore) -> None:
    appended(datastore, new_event("shop", 1))
    migrate(database_urls.owner)
    migrate(database_urls.program)
    assert versions(database_urls.owner) == list(range(1, NEXT_VERSION))
    assert appended(datastore, new_event("shop", 2)).first_position == 2


def test_an_older_database_is_upgraded(database_urls: DatabaseUrls, datastore: Datastore) -> None:
    appended(datastore, new_event("shop", 1))
    migrate(database_urls.owner, [*known_migrations(), NEXT])
    assert versions(database_urls.owner) == list(range(1, NEXT_VERSION + 1))
    assert query(database_urls.owner, "SELECT id, remark FROM ledger.events") == [("1", None)]


def test_a_newer_database_is_refused(database_urls: DatabaseUrls) -> None:
    migrate(database_urls.owner, [*known_migrations(), NEXT])
    for url in database_urls:
        with pytest.raises(SchemaTooNew, match=f"version {NEXT_VERSION}.*newer program"):
            migrate(url)


def test_a_migration_that_fails_leaves_the_version_before(database_urls: DatabaseUrls) -> None:
    with pytest.raises(Exception, match="nowhere"):
        migrate(database_urls.owner, [*known_migrations(), BROKEN])
    assert query(database_urls.owner, "SELECT to_regclass('ledger.half')") == [(None,)]
    migrate(database_urls.owner)


def test_programs_that_start_together_migrate_once(cluster: Cluster) -> None:
    with ExitStack() as databases, ThreadPoolExecutor(12) as programs:
        names = [databases.enter_context(cluster.database()) for _ in range(3)]
        urls = [cluster.owner_url(name) for name in names]
        for done in [programs.submit(migrate, url) for url in urls * 4]:
            done.result()
        assert [versions(url) for url in urls] == [list(range(1, NEXT_VERSION))] * 3


def test_the_program_cannot_upgrade_by_itself(
    database_urls: DatabaseUrls, cluster: Cluster
) -> None:
    if not cluster.is_embedded:
        pytest.skip("on a server of your own the program may be the owner")
    with pytest.raises(MigrationRefused, match="must own the database"):
        migrate(database_urls.program, [*known_migrations(), NEXT])


def test_who_may_not_grant_the_role_is_told_what_to_run(
    empty_database: str, stranger: str, cluster: Cluster
) -> None:
    url = psycopg2.extensions.make_dsn(
        cluster.owner_url(empty_database), user=stranger, password="stranger"
    )
    with pytest.raises(MigrationRefused, match="GRANT servicetrail_writer TO stranger;"):
        migrate(url)
    cluster.execute("GRANT servicetrail_writer TO stranger")
    with pytest.raises(
        MigrationRefused, match=f"ALTER DATABASE {empty_database} OWNER TO stranger;"
    ):
        migrate(url)
    cluster.execute(f"ALTER DATABASE {empty_database} OWNER TO stranger")
    migrate(url)
    with closing(Datastore(url)) as datastore:
        assert appended(datastore, new_event("shop", 1)).first_position == 1
    cluster.execute(f"ALTER DATABASE {empty_database} OWNER TO CURRENT_USER")
    with closing(psycopg2.connect(cluster.owner_url(empty_database))) as connection:
        connection.cursor().execute("DROP OWNED BY stranger CASCADE")
        connection.commit()


def test_a_database_in_another_encoding_is_refused(cluster: Cluster) -> None:
    cluster.execute(
        "CREATE DATABASE servicetrail_latin1 ENCODING 'LATIN1' LOCALE_PROVIDER libc "
        "LOCALE 'C' TEMPLATE template0"
    )
    try:
        with pytest.raises(MigrationRefused, match="UTF8"):
            migrate(cluster.owner_url("servicetrail_latin1"))
    finally:
        cluster.execute("DROP DATABASE servicetrail_latin1")


def test_an_unreachable_server_is_an_operational_error() -> None:
    with pytest.raises(OperationalError):
        migrate("postgresql://nobody@/nothing?host=/nowhere")
