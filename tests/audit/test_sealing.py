"""The sealer: what is sealed when, by whom, with which key, and what it refuses."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from audit.customers import bucket_number, key_of
from audit.files import write_whole
from audit.notes import Checkpoint, Note
from audit.sealer import Sealer, SealRefused
from audit.signing import SigningKeyError, SigningKeys, keys_from_file
from ledger.datastore import Datastore, PgConnection
from ledger.keys import Keyring, MasterKey
from tests.audit.sealed import Ledger, a_day, ledger, policy
from tests.conftest import Cluster, DatabaseUrls
from tests.intake.door import MASTER, touchpoint

PATIENCE_SECONDS = 60


def sizes(of: Ledger) -> list[int]:
    return [size for (size,) in of.query("SELECT size FROM seal.checkpoints ORDER BY number")]


def test_an_empty_ledger_is_sealed_with_its_first_event(fresh: Ledger) -> None:
    fresh.take(policy(1))
    assert fresh.sealer.seal() == 1
    assert fresh.sealer.seal() == 0
    found = fresh.check()
    assert (found.faults, found.sealed, found.customers) == ([], 1, 1)


def test_what_is_not_sealed_yet_is_said_and_is_no_fault(sealed: Ledger) -> None:
    sealed.take(*a_day(4))
    found = sealed.check()
    assert (found.faults, found.events, found.sealed) == ([], 64, 48)


def test_events_are_sealed_in_portions_and_by_several_sealers_in_turn(fresh: Ledger) -> None:
    one, other = fresh.new_sealer(most_events=7), fresh.new_sealer(most_events=300)
    fresh.take(*[touchpoint(f"T-{n}", f"C-{n % 40}") for n in range(600)])
    for sealer in (one, other, one, one, other):
        assert sealer.step() is not None
    assert sizes(fresh) == [7, 307, 314, 321, 600]
    assert fresh.check().faults == []


def test_customers_that_share_a_bucket_are_sealed_together_and_one_after_the_other(
    fresh: Ledger,
) -> None:
    buckets: dict[int, list[str]] = {}
    for number in itertools.count():
        customer = f"C-{number}"
        together = buckets.setdefault(bucket_number(key_of(f"customer:{customer}")), [])
        together.append(customer)
        if len(together) == 3:
            break
    one, other, last = together
    for day, customers in enumerate([[one], [other], [one, other], [last, one, last]]):
        for turn, customer in enumerate(customers):
            fresh.take(touchpoint(f"T-{day}-{turn}", customer))
        assert fresh.new_sealer().seal() == 1
        assert fresh.check().faults == []
    assert fresh.check().customers == 3


def test_a_sealer_goes_on_where_another_ended(fresh: Ledger) -> None:
    for number in range(1, 5):
        fresh.take(*a_day(number, customers=30))
        assert fresh.new_sealer().seal() == 1
    found = fresh.check()
    assert (found.faults, found.sealed, found.customers) == ([], 364, 31)


def test_the_newest_checkpoint_is_outside_and_follows_the_one_before(sealed: Ledger) -> None:
    [*_, (before,), (newest,)] = sealed.query("SELECT note FROM seal.checkpoints ORDER BY number")
    [outside] = sealed.outside()
    assert outside.note == newest
    checkpoint = Checkpoint.parse(Note.parse(newest).text)
    assert checkpoint.previous == Note.parse(before).digest
    assert checkpoint.origin == sealed.keys.origin


def test_events_are_under_a_checkpoint_within_two_seconds_while_more_come(fresh: Ledger) -> None:
    """Measured by the database's clock, from the append to the checkpoint."""
    thread = threading.Thread(target=fresh.sealer.run)
    thread.start()
    try:
        for number in range(40):
            fresh.take(*[touchpoint(f"T-{number}-{n}", f"C-{n}") for n in range(50)])
    finally:
        fresh.sealer.stop()
        thread.join()
    assert sizes(fresh)[-1] == 2_000
    waited = fresh.query(
        """
        SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY c.sealed_at - e.recorded_at)
            < interval '2 s'
        FROM ledger.events AS e
        CROSS JOIN LATERAL (
            SELECT min(sealed_at) AS sealed_at FROM seal.checkpoints WHERE size >= e.position
        ) AS c
        """
    )
    assert waited == [(True,)]
    assert fresh.check().faults == []


def test_two_sealers_at_once_make_one_row_of_checkpoints(fresh: Ledger, database_url: str) -> None:
    with ledger(database_url, fresh.directory.path) as second:
        sealers = [fresh.sealer, second.sealer]
        threads = [threading.Thread(target=each.run, args=(0.0,)) for each in sealers]
        for thread in threads:
            thread.start()
        for number in range(30):
            fresh.take(*[touchpoint(f"T-{number}-{n}", f"C-{n}") for n in range(20)])
        for sealer in sealers:
            sealer.stop()
        for thread in threads:
            thread.join()
    assert sizes(fresh)[-1] == 600
    assert fresh.check().faults == []


def test_a_sealer_waits_for_events_and_wakes_up(fresh: Ledger) -> None:
    thread = threading.Thread(target=fresh.sealer.run)
    thread.start()
    try:
        for number in range(1, 4):
            fresh.take(policy(number))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while sizes(fresh)[-1:] != [number]:
                assert time.monotonic() < deadline
    finally:
        fresh.sealer.stop()
        thread.join()


class Counting(Datastore):
    """Counts how often somebody wanted to listen."""

    attempts = 0

    @contextmanager
    def connection(self) -> Iterator[PgConnection]:
        self.attempts += 1
        with super().connection() as opened:
            yield opened


def test_a_database_that_is_away_is_told_of_once_and_asked_less_and_less_often(
    cluster: Cluster, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    name = database_urls.owner.rpartition("/")[2].partition("?")[0]
    with (
        closing(Counting(database_urls.program)) as datastore,
        capture_logs() as logged,
    ):
        of = Ledger(datastore, tmp_path / "checkpoints")
        thread = threading.Thread(target=of.sealer.run)
        thread.start()
        try:
            until(lambda: datastore.attempts == 1)
            began = time.monotonic()
            cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            cluster.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            until(lambda: datastore.attempts >= 3)
            assert time.monotonic() - began > 1.4  # two pauses, the second one longer
            cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            of.take(policy(1))
            until(lambda: bool(sizes(of)) and len(logged) == 2)
        finally:
            of.sealer.stop()
            thread.join()
    assert [each["event"] for each in logged] == ["sealer_lost_database", "sealer_goes_on"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline


def test_a_key_is_replaced_and_both_are_known(sealed: Ledger) -> None:
    old = sealed.keys
    sealed.keys = old.rotated()
    sealed.take(policy(5))
    sealed.sealer.seal()
    sealed.keys = sealed.keys.without_old()
    sealed.take(policy(6))
    sealed.sealer.seal()
    notes = [Note.parse(n) for (n,) in sealed.query("SELECT note FROM seal.checkpoints ORDER BY 1")]
    new = sealed.keys.public[-1]
    signed = [(old.public[0].has_signed(n), new.has_signed(n)) for n in notes]
    assert sorted(signed) == [
        (False, True),
        (True, False),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert sealed.check().faults == []
    assert dict(sealed.query("SELECT * FROM seal.signers")) == {str(old.public[0]): 1, str(new): 4}
    # Who trusts nothing but the old key does not take what it has not signed.
    assert sealed.check(keys=[str(old.public[0])]).faults


def test_a_key_that_was_replaced_signs_no_more(sealed: Ledger) -> None:
    old, sealed.keys = sealed.keys, sealed.keys.rotated()
    both = sealed.keys
    sealed.take(policy(5))
    sealed.sealer.seal()
    sealed.keys = SigningKeys(old.private, both.public[::-1])
    sealed.take(policy(6))
    sealed.sealer.seal()
    sealed.keys = both
    assert any("replaced before" in fault.what for fault in sealed.check().faults)


def test_a_new_master_key_is_no_fault(sealed: Ledger) -> None:
    new = MasterKey(bytes(range(1, 33)))
    sealed.keyring.rewrap(new)
    sealed.sealer.seal()
    keyring = Keyring(sealed.datastore, new)
    assert sealed.check(unwrap=keyring.unwrap).faults == []
    assert sealed.query("SELECT count(*) FROM seal.register WHERE what = 'key_rewrapped'") == [(5,)]
    old = Keyring(sealed.datastore, MASTER)
    assert any("this master key" in fault.what for fault in sealed.check(unwrap=old.unwrap).faults)


def test_another_key_is_refused(sealed: Ledger) -> None:
    sealed.keys = SigningKeys.made()
    with pytest.raises(SealRefused, match="SERVICETRAIL_SEALING_KEYS"):
        sealed.sealer.check()


def test_a_new_database_does_not_take_the_place_of_the_old_one(
    sealed: Ledger, fresh: Ledger
) -> None:
    """An empty database where there was a sealed one: nothing is signed for it."""
    impostor = Sealer(fresh.datastore, lambda: sealed.keys, [sealed.directory])
    with pytest.raises(SealRefused, match="knows of 48 events"):
        impostor.check()


def test_a_damaged_checkpoint_outside_is_refused(sealed: Ledger) -> None:
    [path] = [path for path, _, _ in sealed.directory.all(sealed.keys.origin)]
    path.write_text(path.read_text()[:-20])
    with pytest.raises(SealRefused, match="holds no checkpoint"):
        sealed.new_sealer().check()


def test_a_directory_that_cannot_be_written_is_waited_out(fresh: Ledger, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    fresh.take(policy(1))
    fresh.sealer.seal()
    (tmp_path / "checkpoints").unlink()
    fresh.take(policy(2))
    fresh.sealer.seal()
    assert [outside.note for outside in fresh.outside()] == [
        note for (note,) in fresh.query("SELECT note FROM seal.checkpoints WHERE number = 2")
    ]
    assert fresh.check().faults == []


def test_the_program_may_not_touch_what_was_sealed(sealed: Ledger) -> None:
    for statement in (
        "UPDATE seal.checkpoints SET note = ''",
        "DELETE FROM seal.checkpoints",
        "INSERT INTO seal.register VALUES (99, now(), 'key_made', 'x', '')",
        "UPDATE seal.register_head SET number = 0",
        "DELETE FROM ledger.keys",
        "SELECT seal.enter('{x}', '{x}', '{}')",
    ):
        with pytest.raises(Exception, match="permission denied"):
            sealed.query(statement)


def test_keys_are_kept_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "data" / "sealing.keys"
    keys = keys_from_file(path)
    assert keys_from_file(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    write_whole(path, keys.rotated().to_text().encode(), mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(SigningKeyError, match="chmod 600"):
        keys_from_file(path)


def test_a_long_ledger_is_read_by_several_processes(
    fresh: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.whole.STRETCH_EVENTS", 40)
    fresh.take(*[touchpoint(f"T-{n}", f"C-{n % 40}", note="hello") for n in range(500)])
    fresh.sealer.seal()
    seen: list[tuple[int, int]] = []
    found = fresh.check(processes=2, progress=lambda done, total: seen.append((done, total)))
    assert found.faults == []
    assert seen == [(min(40 * n, 500), 500) for n in range(1, 14)]
