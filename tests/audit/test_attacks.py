"""Somebody with every right in the database changes a sealed ledger: each change is found."""

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from audit.sealer import SealRefused
from audit.signing import SigningKeys
from tests.audit.sealed import Attacker, Ledger, a_day, ledger, policy
from tests.conftest import Cluster, DatabaseUrls

EVENTS = 48  # three days of sixteen
COLUMNS = {
    "position": "position + 1000",
    "originator_version": "originator_version + 100",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "event_id": "encode(pg_temp.flip(uuid_send(event_id), 15), 'hex')::uuid",
    "shard": "shard + 1",
    "time_assumed": "NOT time_assumed",
    "originator_id": "originator_id || ' '",
    "type": "upper(type)",
    "source": "source || 'x'",
    "id": "'x' || id",
    "fingerprint": "pg_temp.flip(fingerprint, 0)",
    "facts": "pg_temp.flip(facts, octet_length(facts) - 1)",
    "customer_id": "CASE WHEN customer_id IS NULL THEN 'C-1' END",
    "correlation_id": "CASE WHEN correlation_id IS NULL THEN '' END",
    "causation_id": "CASE WHEN causation_id IS NULL THEN '' END",
    "sequence": "coalesce(-sequence, 0)",
    "personal": "CASE WHEN personal IS NULL THEN ''::bytea ELSE pg_temp.flip(personal, 3) END",
}


def test_the_attacked_ledger_was_right_before(sealed: Ledger) -> None:
    found = sealed.check()
    assert found.faults == []
    assert (found.events, found.sealed, found.customers) == (EVENTS, EVENTS, 6)
    assert (found.checkpoints, found.compared) == (3, 1)


def test_every_column_is_attacked(sealed: Ledger) -> None:
    rows = sealed.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.events'::regclass AND attnum > 0"
    )
    assert {name for (name,) in rows} == COLUMNS.keys()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_of_any_row_is_found(
    column: str, sealed: Ledger, sealed_urls: DatabaseUrls
) -> None:
    attacker = Attacker(sealed_urls.owner)
    for position in (1, 2, 17, 30, EVENTS):
        attacker.does(
            f"CREATE TABLE kept AS SELECT * FROM ledger.events WHERE position = {position}",
            f"UPDATE ledger.events SET {column} = {COLUMNS[column]} WHERE position = {position}",
        )
        assert sealed.check().first_position == position
        attacker.does(
            f"DELETE FROM ledger.events WHERE position IN ({position}, {position} + 1000)",
            "INSERT INTO ledger.events SELECT * FROM kept",
            "DROP TABLE kept",
        )
    assert sealed.check().faults == []


ROWS = {
    "one deleted": (7, ["DELETE FROM ledger.events WHERE position = 7"]),
    "the first deleted": (1, ["DELETE FROM ledger.events WHERE position = 1"]),
    "the last deleted": (48, ["DELETE FROM ledger.events WHERE position = 48"]),
    "the last deleted, and the head set back": (
        48,
        [
            "DELETE FROM ledger.events WHERE position = 48",
            "UPDATE ledger.head SET position = 47, recorded_at = "
            "(SELECT recorded_at FROM ledger.events WHERE position = 47)",
        ],
    ),
    "all deleted": (1, ["DELETE FROM ledger.events", "UPDATE ledger.head SET position = 0"]),
    "deleted, and the others moved up": (
        20,
        [
            "DELETE FROM ledger.events WHERE position = 20",
            "UPDATE ledger.events SET position = -position WHERE position > 20",
            "UPDATE ledger.events SET position = -position - 1 WHERE position < 0",
            "UPDATE ledger.head SET position = 47",
        ],
    ),
    "one inserted in between": (
        20,
        [
            "UPDATE ledger.events SET position = -position WHERE position >= 20",
            "UPDATE ledger.events SET position = -position + 1 WHERE position < 0",
            "INSERT INTO ledger.events SELECT 20, originator_version, occurred_at, recorded_at, "
            "gen_random_uuid(), shard, time_assumed, 'forged', type, source, id, fingerprint, "
            "facts, customer_id FROM ledger.events WHERE position = 19",
            "UPDATE ledger.head SET position = 49",
        ],
    ),
    "two swapped": (
        9,
        [
            "UPDATE ledger.events SET position = -1 WHERE position = 9",
            "UPDATE ledger.events SET position = 9 WHERE position = 10",
            "UPDATE ledger.events SET position = 10 WHERE position = -1",
        ],
    ),
    "contents of two swapped": (
        9,
        [
            "UPDATE ledger.events AS e SET facts = o.facts FROM ledger.events AS o "
            "WHERE (e.position, o.position) IN ((9, 12), (12, 9))",
        ],
    ),
    "times changed": (
        5,
        ["UPDATE ledger.events SET recorded_at = recorded_at - interval '1 h' WHERE position >= 5"],
    ),
    "an impossible time": (
        5,
        ["UPDATE ledger.events SET occurred_at = 'infinity' WHERE position = 5"],
    ),
    "a time before Christ": (
        5,
        ["UPDATE ledger.events SET occurred_at = '4000-01-01 BC' WHERE position = 5"],
    ),
    "a column that was never null": (
        5,
        [
            "ALTER TABLE ledger.events ALTER facts DROP NOT NULL",
            "UPDATE ledger.events SET facts = NULL WHERE position = 5",
        ],
    ),
    "a row twice": (
        13,
        [
            "ALTER TABLE ledger.events DROP CONSTRAINT events_pkey",
            "ALTER TABLE ledger.events DROP CONSTRAINT event_recorded_once",
            "ALTER TABLE ledger.events DROP CONSTRAINT one_event_per_version",
            "INSERT INTO ledger.events SELECT * FROM ledger.events WHERE position = 13",
        ],
    ),
    "a row and its stored hash": (
        18,
        [
            "UPDATE ledger.events SET facts = ''::bytea WHERE position = 18",
            "UPDATE seal.tiles SET hashes = overlay(hashes PLACING sha256('x') FROM 17 * 32 + 1) "
            "WHERE (tree, level, number) = (0, 0, 0)",
        ],
    ),
}


@pytest.mark.parametrize(("position", "attack"), ROWS.values(), ids=ROWS)
def test_a_change_of_rows_is_found(
    position: int, attack: list[str], sealed: Ledger, sealed_urls: DatabaseUrls
) -> None:
    Attacker(sealed_urls.owner).does(*attack)
    assert sealed.check().first_position == position


AROUND = {
    "a row behind the head": (
        "INSERT INTO ledger.events SELECT 99, 99, occurred_at, recorded_at, gen_random_uuid(), "
        "shard, time_assumed, originator_id, type, source, id, fingerprint, facts "
        "FROM ledger.events WHERE position = 1"
    ),
    "a row before the first": "UPDATE ledger.events SET position = 0 WHERE position = 1",
    "the head's time": "UPDATE ledger.head SET recorded_at = recorded_at + interval '1 s'",
    "the head's position": "UPDATE ledger.head SET position = position + 1",
    "a hash of the stored tree": (
        "UPDATE seal.tiles SET hashes = pg_temp.flip(hashes, 40) WHERE tree = 0"
    ),
    "a tile removed": "DELETE FROM seal.tiles WHERE tree = 0",
    "a tile of the register": "UPDATE seal.tiles SET hashes = hashes || hashes WHERE tree = 1",
    "the count of a customer": (
        "UPDATE seal.customers SET entries = pg_temp.flip(entries, 39) "
        "WHERE bucket = (SELECT min(bucket) FROM seal.customers)"
    ),
    "a customer removed": (
        "DELETE FROM seal.customers WHERE bucket = (SELECT max(bucket) FROM seal.customers)"
    ),
    "the hash of customers": "UPDATE seal.customers SET root = sha256(root)",
    "a checkpoint's text": (
        "UPDATE seal.checkpoints SET note = replace(note, 'sealed 2', 'sealed 1')"
    ),
    "a checkpoint's size": "UPDATE seal.checkpoints SET size = size + 1 WHERE number = 2",
    "a checkpoint's time": (
        "UPDATE seal.checkpoints SET sealed_at = sealed_at - interval '1 d' WHERE number = 2"
    ),
    "a checkpoint's signature": (
        "UPDATE seal.checkpoints SET note = left(note, -10) || 'AAAAAAAA' || right(note, 2) "
        "WHERE number = 3"
    ),
    "a checkpoint replaced by another": (
        "UPDATE seal.checkpoints SET note = (SELECT note FROM seal.checkpoints WHERE number = 1) "
        "WHERE number = 2"
    ),
    "a checkpoint removed": "DELETE FROM seal.checkpoints WHERE number = 2",
    "the first checkpoint removed": "DELETE FROM seal.checkpoints WHERE number = 1",
    "the newest checkpoint removed": "DELETE FROM seal.checkpoints WHERE number = 3",
    "all checkpoints removed": "DELETE FROM seal.checkpoints",
    "the name of the ledger": "UPDATE seal.log SET origin = 'servicetrail/other'",
    "who signed since when": "UPDATE seal.signers SET first_checkpoint = 2",
    "a key destroyed": (
        "UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now() WHERE subject = 'customer:C-1'"
    ),
    "a key removed": "DELETE FROM ledger.keys WHERE subject = 'customer:C-1'",
    "a key changed": (
        "UPDATE ledger.keys SET wrapped = pg_temp.flip(wrapped, 20) WHERE subject = 'customer:C-1'"
    ),
    "keys swapped": (
        "UPDATE ledger.keys AS k SET wrapped = o.wrapped FROM ledger.keys AS o "
        "WHERE (k.subject, o.subject) IN (('customer:C-1', 'customer:C-2'))"
    ),
    "a key's master": "UPDATE ledger.keys SET master_key = 'other' WHERE subject = 'customer:C-1'",
    "a key's time": "UPDATE ledger.keys SET created_at = created_at - interval '1 d'",
    "a key added": "INSERT INTO ledger.keys VALUES ('customer:C-9', '\\x00', 'other')",
    "a schema's definition": "UPDATE ledger.schemas SET definition = definition || ' '",
    "a schema's type": (
        "UPDATE ledger.schemas SET type = 'promise.made.v2' WHERE type = 'promise.made.v1'"
    ),
    "a schema removed": "DELETE FROM ledger.schemas WHERE type = 'promise.made.v1'",
    "a schema added": "INSERT INTO ledger.schemas VALUES ('\\x0011223344556677', 'a.b.v1', '{}')",
    "an entry of the register": "UPDATE seal.register SET what = 'key_rewrapped' WHERE number = 40",
    "the last entry of the register": (
        "DELETE FROM seal.register WHERE number = (SELECT max(number) FROM seal.register)"
    ),
    "the register's head": "UPDATE seal.register_head SET number = number + 1",
}


@pytest.mark.parametrize("attack", AROUND.values(), ids=AROUND)
def test_a_change_around_the_rows_is_found(
    attack: str, sealed: Ledger, sealed_urls: DatabaseUrls
) -> None:
    Attacker(sealed_urls.owner).does(attack)
    assert sealed.check().faults


BY_THE_RULES = {
    "a key destroyed without an event": (
        "UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now() WHERE subject = 'customer:C-1'"
    ),
    "a key removed": "DELETE FROM ledger.keys WHERE subject = 'customer:C-1'",
    "a key that the master key did not wrap": (
        "UPDATE ledger.keys SET wrapped = sha256(wrapped) WHERE subject = 'customer:C-1'"
    ),
}


@pytest.mark.parametrize("attack", BY_THE_RULES.values(), ids=BY_THE_RULES)
def test_what_the_register_saw_is_found_as_well(
    attack: str, sealed: Ledger, sealed_urls: DatabaseUrls
) -> None:
    with closing(psycopg2.connect(sealed_urls.owner)) as connection, connection:
        connection.cursor().execute(attack)
    sealed.sealer.seal()
    assert sealed.check().faults


def test_a_destroyed_key_that_was_put_back_is_found(
    sealed: Ledger, sealed_urls: DatabaseUrls
) -> None:
    with closing(psycopg2.connect(sealed_urls.owner)) as connection, connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE backup AS SELECT * FROM ledger.keys")
        cursor.execute("UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()")
        cursor.execute(
            "UPDATE ledger.keys AS k SET wrapped = b.wrapped, destroyed_at = NULL "
            "FROM backup AS b WHERE b.subject = k.subject"
        )
    assert any("put back" in fault.what for fault in sealed.check().faults)


def test_an_old_backup_is_refused_and_found(
    cluster: Cluster, sealed_urls: DatabaseUrls, checkpoints: Path
) -> None:
    backup = sealed_urls.owner.rpartition("/")[2].partition("?")[0]
    with cluster.database(backup) as live:
        with ledger(cluster.program_url(live), checkpoints) as went_on:
            went_on.take(*a_day(4))
            went_on.sealer.seal()
        with ledger(sealed_urls.program, checkpoints) as restored:
            with pytest.raises(SealRefused, match="knows of 64 events"):
                restored.new_sealer().check()
            restored.take(*a_day(5))  # other events than those that were lost
            with pytest.raises(SealRefused, match="restore the newest backup"):
                restored.sealer.step()
            assert restored.check().first_position == 49


def test_a_forked_history_is_refused_and_found(
    cluster: Cluster, sealed_urls: DatabaseUrls, checkpoints: Path, tmp_path: Path
) -> None:
    """Both branches are sealed with the right key; but one of them is known outside."""
    backup = sealed_urls.owner.rpartition("/")[2].partition("?")[0]
    with cluster.database(backup) as other:
        with ledger(cluster.program_url(other), checkpoints) as known:
            known.take(policy(7))
            known.sealer.seal()
        with ledger(sealed_urls.program, tmp_path / "elsewhere") as fork:
            fork.take(*a_day(6))
            fork.sealer.seal()
        with ledger(sealed_urls.program, checkpoints) as fork:
            with pytest.raises(SealRefused, match="knows of other 49 events"):
                fork.new_sealer().check()
            assert fork.check().first_position == 49


def test_a_ledger_sealed_anew_with_another_key_is_found(
    sealed: Ledger, sealed_urls: DatabaseUrls, tmp_path: Path
) -> None:
    Attacker(sealed_urls.owner).does(
        "UPDATE ledger.events SET facts = ''::bytea WHERE position = 4",
        "TRUNCATE seal.checkpoints, seal.cosignatures, seal.tiles, seal.customers, seal.signers",
        "UPDATE seal.log SET origin = NULL",
    )
    with ledger(sealed_urls.program, tmp_path / "elsewhere", SigningKeys.made()) as forged:
        forged.sealer.seal()
        assert forged.check().faults == []  # by its own word it is right
    assert sealed.check().faults
    with pytest.raises(SealRefused, match="is sealed as"):
        sealed.new_sealer().check()
