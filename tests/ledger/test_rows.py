"""What is appended is what is read, and what cannot be appended leaves nothing behind."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import psycopg2
import pytest
from eventsourcing.persistence import DataError, IntegrityError
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import reading
from ledger.datastore import Datastore
from ledger.rows import NewEvent, append, shard_of
from tests.conftest import Cluster, DatabaseUrls
from tests.ledger.events import appended, new_event

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
BIGINT = st.integers(-(2**63), 2**63 - 1)
MOMENT = st.integers(0, 7_258_118_400_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
EVENT = st.builds(
    NewEvent,
    event_id=st.just(""),
    originator_id=TEXT,
    originator_version=BIGINT,
    type=TEXT,
    customer_id=st.none() | TEXT,
    shard=st.integers(-1, 63),
    source=TEXT,
    id=TEXT,
    occurred_at=MOMENT,
    time_assumed=st.booleans(),
    sequence=st.none() | BIGINT,
    correlation_id=st.none() | TEXT,
    causation_id=st.none() | TEXT,
    fingerprint=st.binary(min_size=8, max_size=8),
    facts=st.binary(max_size=2_000),
    personal=st.none() | st.binary(max_size=2_000),
)
EVENT_IDS = itertools.count(1)
ODD = "\\N \\. \t\n\r\v\x01\"' é 🙂 \\x41 NULL"


@pytest.fixture(scope="module")
def shared(cluster: Cluster, migrated_template: str) -> Iterator[Datastore]:
    """One ledger for all examples of a property."""
    with (
        cluster.database(migrated_template) as name,
        closing(Datastore(cluster.program_url(name))) as datastore,
    ):
        yield datastore


@settings(deadline=None, max_examples=100)
@given(st.lists(EVENT, min_size=1, max_size=20))
def test_what_is_appended_is_what_is_read(shared: Datastore, events: list[NewEvent]) -> None:
    # All examples share a ledger, in which nothing may have the id or stream of an earlier one.
    ids = [f"{next(EVENT_IDS):032x}" for _ in events]
    events = [
        event._replace(event_id=id_, originator_id=event.originator_id + id_)
        for event, id_ in zip(events, ids, strict=True)
    ]
    place = appended(shared, *events)
    with shared.transaction() as cursor:
        read = reading.events_after(cursor, place.first_position - 1, len(events))
        assert reading.last_position(cursor) == place.first_position + len(events) - 1
    fields = [name for name in NewEvent._fields if name != "shard"]
    assert [[getattr(e, f) for f in fields] for e in read] == [
        [getattr(e, f) for f in fields] for e in events
    ]
    assert {e.recorded_at for e in read} == {place.recorded_at}


def test_text_that_looks_like_something_else_stays_as_it_is(datastore: Datastore) -> None:
    odd = new_event(
        "shop",
        1,
        originator_id=ODD,
        type=ODD,
        customer_id=ODD,
        id=ODD,
        correlation_id="",
        causation_id="\\N",
        personal=b"",
    )
    appended(datastore, odd)
    with datastore.transaction() as cursor:
        [read] = reading.events_of_customer(cursor, ODD)
    assert (read.originator_id, read.type, read.id) == (ODD, ODD, ODD)
    assert (read.correlation_id, read.causation_id, read.personal) == ("", "\\N", b"")


def test_an_instant_is_kept_whatever_zone_it_was_given_in(datastore: Datastore) -> None:
    boston = datetime(2026, 3, 1, 7, 30, 15, 123456, tzinfo=timezone(timedelta(hours=-5)))
    appended(datastore, new_event("shop", 1, occurred_at=boston))
    with datastore.transaction() as cursor:
        [read] = reading.events_after(cursor, 0, 1)
    assert read.occurred_at == boston
    assert read.occurred_at.tzinfo is UTC


def test_positions_go_on_from_batch_to_batch(datastore: Datastore) -> None:
    first = appended(datastore, new_event("shop", 1), new_event("shop", 2))
    second = appended(datastore, new_event("shop", 3))
    assert (first.first_position, second.first_position) == (1, 3)
    assert first.recorded_at <= second.recorded_at


def test_two_batches_of_one_transaction_follow_each_other(datastore: Datastore) -> None:
    with datastore.transaction() as cursor:
        assert append(cursor, [new_event("shop", 1)]).first_position == 1
        assert append(cursor, [new_event("shop", 2)]).first_position == 2


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (new_event("shop", 1, originator_id="other"), IntegrityError),
        (new_event("mail", 1, originator_id="complaint:shop"), IntegrityError),
        (new_event("mail", 1, id="nul \0"), DataError),
        (new_event("mail", 1, customer_id="half a pair \ud83d"), DataError),
    ],
    ids=["event recorded twice", "version taken twice", "NUL", "surrogate"],
)
def test_a_batch_with_one_bad_event_leaves_nothing(
    refused: NewEvent, error: type[Exception], datastore: Datastore
) -> None:
    appended(datastore, new_event("shop", 1))
    with pytest.raises(error):
        appended(datastore, new_event("web", 1), refused, new_event("web", 2))
    with datastore.transaction() as cursor:
        assert [event.source for event in reading.events_after(cursor, 0, 10)] == ["shop"]
    assert appended(datastore, new_event("web", 1)).first_position == 2


def test_an_empty_batch_is_a_mistake(datastore: Datastore) -> None:
    with pytest.raises(ValueError, match="at least one"):
        appended(datastore)


def test_time_never_goes_back_though_the_clock_does(
    datastore: Datastore, database_urls: DatabaseUrls
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with closing(psycopg2.connect(database_urls.owner)) as owner, owner, owner.cursor() as cursor:
        cursor.execute("UPDATE ledger.head SET recorded_at = %s", [ahead])
    assert appended(datastore, new_event("shop", 1)).recorded_at == ahead
    assert appended(datastore, new_event("shop", 2)).recorded_at == ahead


def test_reading_stops_where_it_is_told_to(datastore: Datastore) -> None:
    appended(datastore, *[new_event("shop", number) for number in range(1, 11)])
    with datastore.transaction() as cursor:
        after = reading.events_after(cursor, 3, 100, until=5)
        limited = reading.events_after(cursor, 3, 2)
        of_customer = reading.events_of_customer(cursor, "customer-1")
        later = reading.events_of_customer(cursor, "customer-1", 1, 5, until=9)
        assert reading.event_by_position(cursor, 7) == reading.events_after(cursor, 6, 1)[0]
        assert reading.event_by_position(cursor, 11) is None
    assert [event.position for event in after] == [4, 5]
    assert [event.position for event in limited] == [4, 5]
    assert [event.position for event in of_customer] == [1, 8]
    assert [event.position for event in later] == [8]


def test_shards_are_fixed_for_ever() -> None:
    assert [shard_of(customer) for customer in (None, "C-1", "C-2", "Zoë")] == [-1, 30, 36, 42]
