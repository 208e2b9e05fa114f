"""An application of the eventsourcing library, with the ledger as its persistence module."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import InfrastructureFactoryError, IntegrityError, StoredEvent

from ledger import reading
from ledger.datastore import Datastore
from ledger.factory import Factory
from ledger.recorders import ApplicationRecorder
from ledger.sql import named_queries
from schemas.codec import event_id
from tests.conftest import DatabaseUrls


class Apology(Aggregate):
    """Words that are said once more and once more."""

    @event("Started")
    def __init__(self, words: str) -> None:
        self.words = words

    @event("Repeated")
    def repeat(self) -> None:
        self.words += " again"


class Apologies(Application[UUID]):
    is_snapshotting_enabled = True
    snapshotting_intervals = {Apology: 3}  # noqa: RUF012 (so the library wants it)


@pytest.fixture
def environment(database_urls: DatabaseUrls) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "ledger.factory",
        "SERVICETRAIL_DATABASE_URL": database_urls.owner,
    }


@pytest.fixture
def apologies(environment: dict[str, str]) -> Iterator[Apologies]:
    with closing(Apologies(environment)) as application:
        yield application


def test_an_application_keeps_its_aggregates_in_the_ledger(
    apologies: Apologies, datastore: Datastore
) -> None:
    apology = Apology("sorry")
    for _ in range(4):
        apology.repeat()
    apologies.save(apology)
    assert apologies.repository.get(apology.id).words == "sorry" + " again" * 4
    assert apologies.repository.get(apology.id, version=2).words == "sorry again"
    assert apologies.snapshots is not None
    assert [snapshot.originator_version for snapshot in apologies.snapshots.get(apology.id)] == [3]
    with datastore.transaction() as cursor:
        first = reading.event_by_position(cursor, 1)
        assert reading.last_position(cursor) == 5
    assert first is not None
    assert (first.source, first.id) == ("servicetrail", f"{apology.id}/1")
    assert first.event_id == event_id(first.source, first.id)
    assert (first.originator_id, first.customer_id) == (str(apology.id), None)
    assert first.type.endswith("Apology.Started")


def test_two_who_change_the_same_aggregate_do_not_both_succeed(apologies: Apologies) -> None:
    apology = Apology("sorry")
    apologies.save(apology)
    one: Apology = apologies.repository.get(apology.id)
    other: Apology = apologies.repository.get(apology.id)
    one.repeat()
    apologies.save(one)
    other.repeat()
    with pytest.raises(IntegrityError):
        apologies.save(other)
    assert apologies.repository.get(apology.id).words == "sorry again"


@pytest.mark.parametrize("originator_id", [UUID(int=7), "promise:7"])
def test_originators_are_found_by_uuid_or_by_name(
    originator_id: UUID | str, datastore: Datastore
) -> None:
    recorder = ApplicationRecorder(datastore)
    recorder.insert_events([StoredEvent(originator_id, 1, "promise.made", b"\x00\xff")])
    assert recorder.select_events(originator_id) == [
        StoredEvent(str(originator_id), 1, "promise.made", b"\x00\xff")
    ]


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("SERVICETRAIL_DATABASE_URL", "", "must name the database"),
        ("SERVICETRAIL_DATABASE_POOL_SIZE", "plenty", "plenty is no number"),
        ("PROCESS_RECORDER_TOPIC", "ledger.recorders:TrackingRecorder", "is no ProcessRecorder"),
    ],
)
def test_a_wrong_setting_is_named(
    variable: str, value: str, word: str, environment: dict[str, str]
) -> None:
    def make() -> None:
        with closing(Factory({**environment, variable: value})) as factory:
            factory.process_recorder()

    with pytest.raises(InfrastructureFactoryError, match=rf"{variable}.*{word}|{word}"):
        make()


def test_every_statement_has_a_name_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "some.sql"
    file.write_text("-- What it is about.\n-- name: one\nSELECT 1\n\n-- name: two\nSELECT\n  2\n")
    assert named_queries(file) == {"one": "SELECT 1", "two": "SELECT\n  2"}
    for wrong in ("SELECT 1", "-- name: one\nSELECT 1\n-- name: one\nSELECT 2"):
        file.write_text(wrong)
        with pytest.raises(ValueError, match="must name every statement"):
            named_queries(file)
