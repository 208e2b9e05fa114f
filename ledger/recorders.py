"""The eventsourcing library's recorders, on the ledger's tables.

Originator ids are text: a UUID comes back as its text.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

from eventsourcing import persistence
from eventsourcing.persistence import (
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    StoredEvent,
    Tracking,
)
from psycopg2.extras import execute_values

from ledger.datastore import Datastore, PgCursor, retry_on_loss
from ledger.listening import Wakeups
from ledger.reading import last_position
from ledger.rows import NewEvent, append, shard_of
from ledger.sql import named_queries
from schemas.codec import event_id

OWN_SOURCE = "servicetrail"
"""The source of events that the library's applications record without naming one."""

NO_SCHEMA = bytes(8)
"""The fingerprint of facts that are no Avro datum, but whatever the application's mapper made."""

_SQL = named_queries(Path(__file__).with_name("recorders.sql"))


class AggregateRecorder(persistence.AggregateRecorder):
    """Events per aggregate, outside the ledger's order: for snapshots. One recorder per purpose."""

    def __init__(self, datastore: Datastore, *, purpose: str = "snapshots") -> None:
        self._datastore = datastore
        self._purpose = purpose

    @retry_on_loss
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """Record all events or none. `IntegrityError` says that a version is there already."""
        rows = [
            (self._purpose, str(e.originator_id), e.originator_version, e.topic, e.state)
            for e in stored_events
        ]
        if rows:
            with self._datastore.transaction() as cursor:
                execute_values(cursor, _SQL["insert_snapshots"], rows)

    @retry_on_loss
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One aggregate's events with `gt` < version <= `lte`, in order (`desc`: backwards)."""
        parameters = {
            "purpose": self._purpose,
            "originator_id": str(originator_id),
            "gt": gt,
            "lte": lte,
            "limit": limit,
        }
        with self._datastore.transaction() as cursor:
            return _select_events(cursor, "select_snapshots", desc, parameters)


class ApplicationRecorder(persistence.ApplicationRecorder):
    """Events in the ledger. Notification ids are the ledger's positions."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append all events or none; the answer is their positions.

        Raises `IntegrityError` for a version that is there already. When the connection is lost
        during the commit, the ledger tells whether it happened: nothing is appended twice, and
        nothing that was appended is reported as refused.
        """
        events = [_new_event(stored) for stored in stored_events]
        attempts = itertools.count(1)

        @retry_on_loss
        def insert() -> Sequence[int]:
            with self._datastore.transaction() as cursor:
                if next(attempts) > 1 and (positions := _recorded_already(cursor, events)):
                    return positions
                self._insert_more(cursor, **kwargs)
                if not events:
                    return []
                first = append(cursor, events).first_position
                return list(range(first, first + len(events)))

        positions: Sequence[int] = insert()
        return positions

    def _insert_more(self, cursor: PgCursor, **kwargs: Any) -> None:
        """What else is to be written in the same transaction, before the ledger is locked."""

    @retry_on_loss
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One aggregate's events with `gt` < version <= `lte`, in order (`desc`: backwards)."""
        parameters = {"originator_id": str(originator_id), "gt": gt, "lte": lte, "limit": limit}
        with self._datastore.transaction() as cursor:
            return _select_events(cursor, "select_events", desc, parameters)

    @retry_on_loss
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """At most `limit` events from position `start` to `stop`, of these `topics` (none: all)."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        parameters = {
            "first": first,
            "stop": stop,
            "topics": list(topics) or None,
            "limit": limit,
        }
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["select_notifications"], parameters)
            return [
                Notification(
                    originator_id=originator_id,
                    originator_version=version,
                    topic=topic,
                    state=bytes(state),
                    id=position,
                )
                for originator_id, version, topic, state, position in cursor.fetchall()
            ]

    @retry_on_loss
    def max_notification_id(self) -> int | None:
        """The position of the last event, None for an empty ledger."""
        with self._datastore.transaction() as cursor:
            return last_position(cursor) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LedgerSubscription":
        """All events behind position `gt`, those to come included. Use it as a context manager."""
        return LedgerSubscription(self, Wakeups(self._datastore), gt, topics)


class LedgerSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Follows the ledger, woken by the database at each append. Survives its restarts."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        wakeups: Wakeups,
        gt: int | None,
        topics: Sequence[str],
    ) -> None:
        # Listens before the first look, so that nothing is appended unnoticed between the two.
        self._wakeups = wakeups
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._listen_thread = Thread(target=self._listen, name="ledger subscription")
        self._listen_thread.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listen_thread.join()

    def stop(self) -> None:
        """Stop the subscription; an iteration under way ends."""
        super().stop()
        self._wakeups.wake()

    def _listen(self) -> None:
        with self._wakeups:
            while not self._has_been_stopped:
                if self._wakeups.wait():
                    self._has_been_notified.set()


class TrackingRecorder(persistence.TrackingRecorder):
    """How far each upstream application was followed: one row per application."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    @retry_on_loss
    def insert_tracking(self, tracking: Tracking) -> None:
        """Move the position forward; `IntegrityError` says that it was there already."""
        with self._datastore.transaction() as cursor:
            insert_tracking(cursor, tracking)

    @retry_on_loss
    def max_tracking_id(self, application_name: str) -> int | None:
        """The application's position, None if it has none yet."""
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["max_tracking_id"], {"application_name": application_name})
            row = cursor.fetchone()
            return None if row is None else row[0]


class ProcessRecorder(TrackingRecorder, ApplicationRecorder, persistence.ProcessRecorder):
    """Events in the ledger, and the position they were made from, in one transaction.

    Pass `tracking` to `insert_events`; `IntegrityError` says that the position was passed already.
    """

    def _insert_more(self, cursor: PgCursor, *, tracking: Tracking | None = None, **_: Any) -> None:
        if tracking is not None:
            insert_tracking(cursor, tracking)


def insert_tracking(cursor: PgCursor, tracking: Tracking) -> None:
    """Move an application's position forward, in the caller's transaction.

    Raises `eventsourcing.persistence.IntegrityError` when the position is there or behind already:
    somebody else has processed what the caller is about to record.
    """
    cursor.execute(_SQL["insert_tracking"], vars(tracking))
    if cursor.rowcount != 1:
        raise IntegrityError(
            f"{tracking.application_name} was followed up to {tracking.notification_id} already"
        )


def _select_events(
    cursor: PgCursor, query: str, desc: bool, parameters: Mapping[str, Any]
) -> list[StoredEvent]:
    cursor.execute(_SQL[query].replace("{direction}", "DESC" if desc else "ASC"), parameters)
    return [
        StoredEvent(originator_id, version, topic, bytes(state))
        for originator_id, version, topic, state in cursor.fetchall()
    ]


def _new_event(stored: StoredEvent) -> NewEvent:
    own_id = f"{stored.originator_id}/{stored.originator_version}"
    return NewEvent(
        event_id=event_id(OWN_SOURCE, own_id),
        originator_id=str(stored.originator_id),
        originator_version=stored.originator_version,
        type=stored.topic,
        customer_id=None,
        shard=shard_of(None),
        source=OWN_SOURCE,
        id=own_id,
        occurred_at=datetime.now(UTC),
        time_assumed=False,
        sequence=None,
        correlation_id=None,
        causation_id=None,
        fingerprint=NO_SCHEMA,
        facts=stored.state,
        personal=None,
    )


def _recorded_already(cursor: PgCursor, events: Iterable[NewEvent]) -> list[int]:
    """The positions of exactly these events, if every one of them is in the ledger; else none."""
    wanted = {event.event_id: (event.type, event.facts) for event in events}
    cursor.execute(_SQL["recorded_already"], {"event_ids": list(wanted)})
    found = {id_: ((type_, bytes(facts)), at) for id_, type_, facts, at in cursor.fetchall()}
    if {id_: content for id_, (content, _) in found.items()} != wanted:
        return []
    return [found[id_][1] for id_ in wanted]
