"""Connections that break, run out or are closed, and what the program gets to hear of it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from eventsourcing.persistence import (
    ConnectionPoolClosedError,
    ConnectionUnavailableError,
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from psycopg2.extensions import make_dsn

from ledger.datastore import Datastore
from ledger.listening import Wakeups
from ledger.reading import last_position
from ledger.recorders import ApplicationRecorder, ProcessRecorder
from tests.conftest import Cluster, DatabaseUrls
from tests.ledger.events import appended, new_event

RAISED = StoredEvent("complaint:1", 1, "complaint.raised", b"facts")
CONNECTIONS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND application_name = 'servicetrail'"
)


class Owner:
    """What the owner of the database sees of the program's connections, and does to them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def cut_off(self, only: str = "true") -> None:
        """End connections, as a restart of the server would."""
        self._query(f"SELECT pg_terminate_backend(pid, 10000) {CONNECTIONS} AND {only}")

    def wait_for_connection(self, condition: str) -> None:
        """Until a connection is in this state."""
        deadline = time.monotonic() + 30
        while not self._query(f"SELECT 1 {CONNECTIONS} AND {condition}"):
            assert time.monotonic() < deadline, condition

    def count_connections(self) -> int:
        return len(self._query(f"SELECT pid {CONNECTIONS}"))

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


@pytest.fixture
def owner(database_urls: DatabaseUrls) -> Owner:
    return Owner(database_urls.owner)


def head(datastore: Datastore) -> int:
    with datastore.transaction() as cursor:
        return last_position(cursor)


def tracked(datastore: Datastore) -> list[tuple[Any, ...]]:
    with datastore.transaction() as cursor:
        cursor.execute("SELECT application_name, notification_id FROM ledger.tracking")
        return cursor.fetchall()


def test_the_program_takes_its_role_and_utc(datastore: Datastore) -> None:
    settings = ("current_user", "current_setting('TimeZone')", "current_setting('lock_timeout')")
    with datastore.transaction() as cursor:
        cursor.execute(f"SELECT {', '.join(settings)}")
        assert cursor.fetchone() == ("servicetrail_writer", "UTC", "30s")


def test_a_transaction_that_fails_leaves_nothing(datastore: Datastore) -> None:
    def record_and_fail() -> None:
        with datastore.transaction() as cursor:
            cursor.execute("INSERT INTO ledger.tracking VALUES ('here', 1)")
            raise KeyError

    with pytest.raises(KeyError):
        record_and_fail()
    assert tracked(datastore) == []


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 FROM nowhere", ProgrammingError),
        ("DELETE FROM ledger.events", ProgrammingError),
        ("SELECT 1 / 0", DataError),
        ("INSERT INTO ledger.tracking VALUES ('here', NULL)", IntegrityError),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", InternalError),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(10)", OperationalError),
    ],
)
def test_errors_are_the_librarys(
    statement: str, error: type[PersistenceError], datastore: Datastore
) -> None:
    with pytest.raises(error), datastore.transaction() as cursor:
        cursor.execute(statement)
    assert head(datastore) == 0


def test_an_unreachable_server_is_an_operational_error() -> None:
    with (
        closing(Datastore("postgresql://nobody@/nothing?host=/nowhere")) as datastore,
        pytest.raises(OperationalError, match="nowhere"),
    ):
        head(datastore)


def test_idle_connections_that_broke_are_replaced(datastore: Datastore, owner: Owner) -> None:
    with datastore.transaction(), datastore.transaction(), datastore.transaction():
        assert owner.count_connections() == 3
    owner.cut_off()
    assert [head(datastore) for _ in range(5)] == [0] * 5


@pytest.mark.parametrize("statement_after", [True, False], ids=["in between", "at the commit"])
def test_a_connection_that_breaks_takes_its_transaction_along(
    statement_after: bool, datastore: Datastore, owner: Owner
) -> None:
    def record() -> None:
        with datastore.transaction() as cursor:
            cursor.execute("INSERT INTO ledger.tracking VALUES ('here', 1)")
            owner.cut_off()
            if statement_after:
                cursor.execute("SELECT 1")

    with pytest.raises(OperationalError):
        record()
    assert tracked(datastore) == []


def test_a_recorder_tries_again_on_a_new_connection(datastore: Datastore, owner: Owner) -> None:
    recorder = ApplicationRecorder(datastore)
    with ThreadPoolExecutor() as other_thread, datastore.transaction() as cursor:
        cursor.execute("SELECT FROM ledger.head FOR UPDATE")
        recorded = other_thread.submit(recorder.insert_events, [RAISED])
        owner.wait_for_connection("wait_event_type = 'Lock'")
        owner.cut_off("wait_event_type = 'Lock'")
        owner.wait_for_connection("wait_event_type = 'Lock'")
        cursor.connection.rollback()
        assert recorded.result() == [1]
    assert head(datastore) == 1


@pytest.fixture
def commits_that_wait(cluster: Cluster, database_url: str) -> Iterator[Datastore]:
    """A datastore whose commits happen, and then wait for a replica that never answers."""
    if not cluster.is_embedded:
        pytest.skip("changes settings of the server")
    cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    cluster.execute("SELECT pg_reload_conf()")
    with closing(
        Datastore(make_dsn(database_url, options="-c synchronous_commit=on"))
    ) as datastore:
        yield datastore
    cluster.execute("ALTER SYSTEM RESET synchronous_standby_names")
    cluster.execute("SELECT pg_reload_conf()")


def test_a_commit_that_happened_unheard_is_no_conflict(
    commits_that_wait: Datastore, owner: Owner
) -> None:
    recorder = ProcessRecorder(commits_that_wait)
    with ThreadPoolExecutor() as other_thread:
        recorded = other_thread.submit(
            recorder.insert_events, [RAISED], tracking=Tracking("upstream", 7)
        )
        owner.wait_for_connection("wait_event = 'SyncRep'")
        owner.cut_off("wait_event = 'SyncRep'")
        assert recorded.result() == [1]
    assert head(commits_that_wait) == 1
    with pytest.raises(IntegrityError):
        recorder.insert_events([RAISED])


def test_a_full_pool_says_so(database_url: str) -> None:
    with (
        closing(
            Datastore(database_url, pool_size=1, max_overflow=0, pool_timeout=0.01)
        ) as datastore,
        datastore.transaction(),
        pytest.raises(ConnectionUnavailableError),
    ):
        head(datastore)


def test_a_writer_that_stands_still_is_cut_off(database_url: str, datastore: Datastore) -> None:
    def stand_still() -> None:
        with idle.transaction() as cursor:
            cursor.execute("SELECT FROM ledger.head FOR UPDATE")
            assert appended(datastore, new_event("shop", 1)).first_position == 1
            cursor.execute("SELECT 1")

    with (
        closing(Datastore(database_url, idle_in_transaction_timeout=0.05)) as idle,
        pytest.raises(OperationalError),
    ):
        stand_still()


def test_waiting_for_a_lock_ends(database_url: str, datastore: Datastore) -> None:
    with (
        closing(Datastore(database_url, lock_timeout=0.05)) as hasty,
        datastore.transaction() as cursor,
    ):
        cursor.execute("SELECT FROM ledger.head FOR UPDATE")
        with pytest.raises(OperationalError, match="lock timeout"):
            appended(hasty, new_event("shop", 1))


def test_a_closed_datastore_has_no_connections(datastore: Datastore, owner: Owner) -> None:
    with datastore.transaction(), datastore.transaction():
        pass
    datastore.close()
    datastore.close()
    assert owner.count_connections() == 0
    with pytest.raises(ConnectionPoolClosedError):
        head(datastore)


def test_closing_ends_a_transaction_under_way(datastore: Datastore) -> None:
    def go_on_after_closing() -> None:
        with datastore.transaction() as cursor:
            datastore.close()
            cursor.execute("SELECT 1")

    with pytest.raises(PersistenceError):
        go_on_after_closing()


def test_closing_does_not_wait_for_what_runs(datastore: Datastore, owner: Owner) -> None:
    def sleep() -> None:
        with datastore.transaction() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(sleep)
        owner.wait_for_connection("wait_event = 'PgSleep'")
        began = time.monotonic()
        datastore.close()
        assert time.monotonic() - began < 5
        with pytest.raises(PersistenceError):
            sleeping.result(5)
    while owner.count_connections():
        assert time.monotonic() - began < 5


def test_wakeups_come_with_appends(datastore: Datastore) -> None:
    with Wakeups(datastore) as wakeups:
        assert not wakeups.wait(0)
        for number in range(3):
            # One by one: the news of two may come apart, and would be two wakeups.
            appended(datastore, new_event("shop", number + 1))
            assert wakeups.wait(30)
        assert not wakeups.wait(0.01)


def test_wakeups_can_be_asked_for(datastore: Datastore) -> None:
    with Wakeups(datastore) as wakeups:
        waiting = threading.Thread(target=wakeups.wake)
        waiting.start()
        assert wakeups.wait(30)
        waiting.join()
        assert not wakeups.wait(0)
    wakeups.wake()


def test_wakeups_go_on_after_the_connection_broke(datastore: Datastore, owner: Owner) -> None:
    with Wakeups(datastore) as wakeups:
        owner.cut_off()
        assert wakeups.wait(30), "something may have been appended unheard"
        assert wakeups.wait(30), "the same for the time until it listens again"
        assert not wakeups.wait(0)
        appended(datastore, new_event("shop", 1))
        assert wakeups.wait(30)
