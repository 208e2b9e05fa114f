"""Data keys: made once, wrapped, gone when destroyed."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from ledger.datastore import Datastore
from ledger.keys import DataKey, Keyring, MasterKey, MasterKeyError
from tests.intake.door import MASTER
from tests.own_postgres import postgres_of_its_own

PATIENCE_SECONDS = 30


def test_a_subjects_key_is_made_once_and_found_again(datastore: Datastore) -> None:
    sealed = (
        Keyring(datastore, MASTER)
        .for_sealing(["customer:C-1"])["customer:C-1"]
        .seal(b"plain", b"here")
    )
    again = Keyring(datastore, MASTER)
    assert again.for_sealing(["customer:C-1"])["customer:C-1"].open(sealed, b"here") == b"plain"
    with datastore.transaction() as cursor:
        keys = again.for_opening(cursor, ["customer:C-1", "customer:C-2"])
    assert list(keys) == ["customer:C-1"]


def test_two_writers_at_once_get_the_same_key(datastore: Datastore) -> None:
    subjects = [f"customer:C-{number}" for number in range(50)]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(
            lambda keyring: keyring.for_sealing(subjects),
            [Keyring(datastore, MASTER), Keyring(datastore, MASTER)],
        )
    for subject in subjects:
        assert other[subject].open(one[subject].seal(b"plain", b""), b"") == b"plain"


def test_the_database_alone_opens_nothing(datastore: Datastore) -> None:
    Keyring(datastore, MASTER).for_sealing(["customer:C-1"])
    stranger = Keyring(datastore, MasterKey(bytes(32)))
    with pytest.raises(MasterKeyError, match="another master key"):
        stranger.check()
    Keyring(datastore, MASTER).check()
    with pytest.raises(MasterKeyError, match="SERVICETRAIL_MASTER_KEY"):
        stranger.for_sealing(["customer:C-1"])


def test_a_destroyed_key_opens_nothing_and_is_not_made_again(datastore: Datastore) -> None:
    keyring = Keyring(datastore, MASTER)
    sealed = keyring.for_sealing(["customer:C-1"])["customer:C-1"].seal(b"plain", b"")
    with datastore.transaction() as cursor:
        cursor.execute("UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()")
        assert keyring.for_opening(cursor, ["customer:C-1"]) == {}
    later = Keyring(datastore, MASTER).for_sealing(["customer:C-1"])["customer:C-1"]
    with pytest.raises(InvalidTag):
        later.open(sealed, b"")


def test_a_key_that_another_program_destroyed_is_not_remembered_for_long(
    datastore: Datastore,
) -> None:
    """What is sealed with it could be read with an older copy of the database."""
    keyring = Keyring(datastore, MASTER, remembered_seconds=0.2)
    destroyed = keyring.for_sealing(["customer:C-1"])["customer:C-1"]
    assert keyring.for_sealing(["customer:C-1"])["customer:C-1"] is destroyed
    with datastore.transaction() as cursor:
        cursor.execute("UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while keyring.for_sealing(["customer:C-1"])["customer:C-1"] is destroyed:
        assert time.monotonic() < deadline
    sealed = keyring.for_sealing(["customer:C-1"])["customer:C-1"].seal(b"plain", b"")
    with pytest.raises(InvalidTag):
        destroyed.open(sealed, b"")


def test_sealed_bytes_open_only_unaltered_and_in_their_place() -> None:
    key = DataKey(bytes(32))
    sealed = key.seal(b"plain", b"event 1")
    for altered, context in [
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"event 1"),
        (sealed, b"event 2"),
    ]:
        with pytest.raises(InvalidTag):
            key.open(altered, context)


def test_the_master_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "master.key"
    made = MasterKey.from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert MasterKey.from_file(path).name == made.name
    path.chmod(0o644)
    with pytest.raises(MasterKeyError, match="chmod 600"):
        MasterKey.from_file(path)


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_master_key_that_is_none_says_what_to_do(text: str) -> None:
    with pytest.raises(MasterKeyError, match="32"):
        MasterKey.from_base64(text)


def test_a_key_that_may_be_sealed_with_survives_a_crash_of_the_server() -> None:
    """Or else what is sealed after the crash, with the key that the process remembers, is lost."""
    with postgres_of_its_own() as postgres, closing(Datastore(postgres.url)) as datastore:
        keyring = Keyring(datastore, MASTER)
        for number in range(5):
            subject = f"customer:C-{number}"
            sealed = keyring.for_sealing([subject])[subject].seal(b"note", b"event")
            postgres.crash()
            with datastore.transaction() as cursor:
                key = keyring.for_opening(cursor, [subject])[subject]
            assert key.open(sealed, b"event") == b"note"
