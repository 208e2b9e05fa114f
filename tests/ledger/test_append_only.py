"""Attacks on the ledger: whatever the program tries, what is recorded stays, and stays gapless."""

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from eventsourcing.persistence import IntegrityError, PersistenceError

from ledger.datastore import Datastore
from ledger.migrations import migrate
from tests.conftest import Cluster, DatabaseUrls
from tests.ledger.events import appended, new_event

EVENTS = """ledger.events (
    position, recorded_at, event_id, originator_id, originator_version, type, shard, source, id,
    occurred_at, time_assumed, fingerprint, facts
)"""
FORGED = """
    SELECT {position}, {recorded_at}, gen_random_uuid(), gen_random_uuid(), 1, 'forged', -1,
        'attacker', '1', now(), false, ''::bytea, ''::bytea
"""
INSERT = f"INSERT INTO {EVENTS} {FORGED}"
NOW = "(SELECT greatest(recorded_at, clock_timestamp()) FROM ledger.head)"

REFUSED = (
    "permission denied|must be owner|append-only|must follow the head|duplicate key|violates check"
)

BY_THE_PROGRAM = {
    "update": "UPDATE ledger.events SET facts = 'forged'",
    "delete": "DELETE FROM ledger.events WHERE position = 3",
    "truncate": "TRUNCATE ledger.events",
    "drop": "DROP TABLE ledger.events",
    "drop the schema": "DROP SCHEMA ledger CASCADE",
    "move away": "ALTER TABLE ledger.events RENAME TO other",
    "disable the triggers": "ALTER TABLE ledger.events DISABLE TRIGGER ALL",
    "drop a trigger": "DROP TRIGGER append_only ON ledger.events",
    "replace the trigger's function": (
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'"
    ),
    "a trigger of its own": (
        "CREATE TRIGGER forge BEFORE INSERT ON ledger.events "
        "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "a rule": "CREATE RULE forge AS ON INSERT TO ledger.events DO INSTEAD NOTHING",
    "a policy": "CREATE POLICY forge ON ledger.events USING (false)",
    "pose as a replica": "SET session_replication_role = 'replica'",
    "become a superuser": "ALTER ROLE servicetrail_writer SUPERUSER",
    "grant itself the right": (
        "GRANT UPDATE ON ledger.events TO servicetrail_writer; UPDATE ledger.events SET facts = ''"
    ),
    "overwrite by upsert": (
        "INSERT INTO ledger.events SELECT * FROM ledger.events WHERE position = 3 "
        "ON CONFLICT (position) DO UPDATE SET facts = 'forged'"
    ),
    "overwrite by merge": (
        "MERGE INTO ledger.events AS e USING ledger.head ON e.position = 3 "
        "WHEN MATCHED THEN UPDATE SET facts = 'forged'"
    ),
    "lock everybody out": "LOCK TABLE ledger.events IN ACCESS EXCLUSIVE MODE",
    "drop the role's rights first": "RESET ROLE; UPDATE ledger.events SET facts = 'forged'",
    "move the head back": "UPDATE ledger.head SET position = 1",
    "move the head on": "UPDATE ledger.head SET position = position + 1",
    "a second head": "INSERT INTO ledger.head VALUES (false)",
    "no head": "DELETE FROM ledger.head",
    "forget a schema": "DELETE FROM ledger.schemas",
    "change the version": "UPDATE ledger.migrations SET version = 99",
    "a position again": INSERT.format(position=3, recorded_at=NOW),
    "a position before the first": INSERT.format(position=0, recorded_at=NOW),
    "a position behind a gap": INSERT.format(position=7, recorded_at=NOW),
    "a gap inside a batch": INSERT.format(position="generate_series(6, 8, 2)", recorded_at=NOW),
    "a time before the last": INSERT.format(position=6, recorded_at=f"{NOW} - interval '1 h'"),
    "a time to come": INSERT.format(position=6, recorded_at=f"{NOW} + interval '1 h'"),
}

BY_THE_OWNER = {
    "update": "UPDATE ledger.events SET facts = 'forged'",
    "update of one": "UPDATE ledger.events SET customer_id = 'other' WHERE position = 1",
    "delete": "DELETE FROM ledger.events",
    "truncate": "TRUNCATE ledger.events",
    "update as a replica": (
        "SET session_replication_role = 'replica'; UPDATE ledger.events SET facts = 'forged'"
    ),
    "gap as a replica": (
        "SET session_replication_role = 'replica';" + INSERT.format(position=9, recorded_at=NOW)
    ),
}


@pytest.fixture(scope="module")
def attacked(cluster: Cluster) -> Iterator[DatabaseUrls]:
    """A ledger with five events, for all attacks together."""
    with cluster.database() as name:
        urls = DatabaseUrls(cluster.owner_url(name), cluster.program_url(name))
        migrate(urls.owner)
        with closing(Datastore(urls.program)) as datastore:
            appended(datastore, *[new_event("shop", number) for number in range(1, 6)])
        yield urls


def contents(url: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT e::text, h::text FROM ledger.events AS e, ledger.head AS h ORDER BY 1"
        )
        return cursor.fetchall()


@pytest.mark.parametrize("attack", BY_THE_PROGRAM.values(), ids=BY_THE_PROGRAM.keys())
def test_the_program_cannot(attack: str, attacked: DatabaseUrls) -> None:
    before = contents(attacked.owner)
    with (
        closing(Datastore(attacked.program)) as datastore,
        pytest.raises(PersistenceError, match=REFUSED),
        datastore.transaction() as cursor,
    ):
        cursor.execute(attack)
    assert contents(attacked.owner) == before
    assert len(before) == 5


@pytest.mark.parametrize(
    "escape",
    [
        "SET ROLE NONE",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_the_program_cannot_become_the_owner(
    escape: str, attacked: DatabaseUrls, cluster: Cluster
) -> None:
    if not cluster.is_embedded:
        pytest.skip("on a server of your own the login decides what SET ROLE NONE leads back to")
    before = contents(attacked.owner)
    with (
        closing(Datastore(attacked.program)) as datastore,
        pytest.raises(PersistenceError, match=REFUSED),
        datastore.transaction() as cursor,
    ):
        cursor.execute(f"{escape}; UPDATE ledger.events SET facts = 'forged'")
    assert contents(attacked.owner) == before


@pytest.mark.parametrize("position", [3, 8])
def test_the_program_cannot_copy_rows_to_a_place_of_its_choice(
    position: int, attacked: DatabaseUrls
) -> None:
    before = contents(attacked.owner)
    forged = io.BytesIO()
    with closing(Datastore(attacked.program)) as datastore:
        with datastore.transaction() as cursor:
            query = FORGED.format(position=position, recorded_at=NOW)
            cursor.copy_expert(f"COPY ({query}) TO STDOUT", forged)
        assert forged.tell() > 0
        forged.seek(0)
        with pytest.raises(IntegrityError, match=REFUSED), datastore.transaction() as cursor:
            cursor.copy_expert(f"COPY {EVENTS} FROM STDIN", forged)
    assert contents(attacked.owner) == before


@pytest.mark.parametrize("attack", BY_THE_OWNER.values(), ids=BY_THE_OWNER.keys())
def test_the_owner_is_stopped_too(attack: str, attacked: DatabaseUrls) -> None:
    before = contents(attacked.owner)
    with (
        closing(psycopg2.connect(attacked.owner)) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.Error, match=r"append-only|must follow the head"),
    ):
        cursor.execute(attack)
    assert contents(attacked.owner) == before


def test_what_follows_the_head_is_taken_whoever_writes_it(datastore: Datastore) -> None:
    appended(datastore, new_event("shop", 1), new_event("shop", 2))
    with datastore.transaction() as cursor:
        cursor.execute(INSERT.format(position="generate_series(3, 5)", recorded_at=NOW))
    assert appended(datastore, new_event("shop", 3)).first_position == 6
