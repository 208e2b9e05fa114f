"""Everything that decisions about a batch rest on, looked up in a handful of queries."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from psycopg2.extensions import cursor as PgCursor

from domain import EVENT_TYPES, Stream
from domain.facts import Follows, Opens
from ledger import kept
from ledger.candidates import Candidate, Read
from ledger.deciding import Queue, Snapshot
from ledger.keys import Keyring, customer_subject
from ledger.recorded import Recorded
from ledger.sql import named_queries, text_array
from schemas import codec
from schemas.event import Event

_SQL = named_queries(Path(__file__).with_name("lookup.sql"))

_DECIDED = {name for name, fact in EVENT_TYPES.items() if issubclass(fact, Opens | Follows)}
"""The types whose streams are looked into before a fact is added."""


class LookUp:
    """Reads, for a batch of candidates, what the ledger and the intake know about them."""

    def __init__(self, keyring: Keyring, read: Read) -> None:
        self._keyring = keyring
        self._read = read

    def snapshot(
        self,
        cursor: PgCursor,
        candidates: Sequence[Candidate],
        now: datetime,
        withdrawn: Collection[kept.Parked] = (),
    ) -> Snapshot:
        """Everything as of one moment: what is recorded later has a higher position, and what
        changes a queue later a higher number. What is `withdrawn` counts as gone from its queue.
        """
        events = [c.event for c in candidates if c.event is not None]
        position, queue_change = seen(cursor)
        event_ids = [event.event_id for event in events]
        reopened = {row.stream_id for row in withdrawn}
        held: dict[str, kept.Parked] = {}
        parked: dict[str, list[kept.Parked]] = {}
        if queue_change:
            held = kept.parked_events(cursor, event_ids)
            parked = kept.parked_of(cursor, {e.stream_id for e in events} | reopened)
        for row in withdrawn:
            held.pop(row.event_id, None)
            rows = parked.get(row.stream_id, [])
            parked[row.stream_id] = [r for r in rows if r.kept_id != row.kept_id]
        streams = self._streams(cursor, events, reopened)
        queues = {stream_id: rows for stream_id, rows in parked.items() if rows}
        wanted = self._brought(events, queues) | (reopened & queues.keys())
        to_load = [p for stream_id in wanted for p in queues[stream_id]]
        waiting = self._reopen(cursor, [*held.values(), *to_load], now)
        return Snapshot(
            position=position,
            queue_change=queue_change,
            recorded=self._recorded(cursor, event_ids),
            held={
                event_id: waiting[row.kept_id]
                for event_id, row in held.items()
                if row.kept_id in waiting
            },
            streams=streams,
            queues={
                stream_id: Queue(
                    waits_for=rows[0].waits_for,
                    loaded=stream_id in wanted,
                    candidates=[waiting[row.kept_id] for row in rows if row.kept_id in waiting]
                    if stream_id in wanted
                    else [],
                )
                for stream_id, rows in queues.items()
            },
            reopened=reopened,
        )

    def _recorded(self, cursor: PgCursor, event_ids: Sequence[str]) -> dict[str, Recorded]:
        cursor.execute(_SQL["recorded"], {"event_ids": text_array(event_ids)})
        rows = cursor.fetchall()
        if not rows:
            return {}
        subjects = {customer_subject(row[3]) for row in rows if row[8] is not None}
        keys = self._keyring.for_opening(cursor, subjects)
        recorded = {}
        for row in rows:
            event_id, position, type_, customer, at, assumed, fingerprint, facts, sealed = row
            key = keys.get(customer_subject(customer))
            personal = None
            if sealed is not None and key is not None:
                personal = json.loads(key.open(bytes(sealed), event_id.encode()))
            recorded[event_id] = Recorded(
                position,
                type_,
                at,
                assumed,
                bytes(fingerprint),
                bytes(facts),
                personal,
                erased=sealed is not None and key is None,
            )
        return recorded

    def _streams(
        self, cursor: PgCursor, events: Sequence[Event], reopened: Collection[str]
    ) -> dict[str, Stream]:
        """The streams of the events, and of the queues `reopened`, that exist.

        Where facts are decided upon, the stream is rebuilt from all of its events; a customer's or
        a policy's may be long and is only continued.
        """
        decided: set[str] = set(reopened)
        continued: set[str] = set()
        for event in events:
            (decided if event.type in _DECIDED else continued).add(event.stream_id)
        streams: dict[str, Stream] = {}
        if decided:
            cursor.execute(_SQL["streams"], {"stream_ids": text_array(decided)})
            for stream_id, version, type_, customer_id, at, fingerprint, facts in cursor.fetchall():
                data = codec.decode(bytes(fingerprint), bytes(facts))
                fact = EVENT_TYPES[type_](stream_id, version, at, customer_id, data)
                stream = fact.mutate(streams.get(stream_id))
                assert stream is not None
                streams[stream_id] = stream
        if continued:
            cursor.execute(_SQL["heads"], {"stream_ids": text_array(continued)})
            for stream_id, version, customer_id, at in cursor.fetchall():
                streams[stream_id] = Stream.resumed(stream_id, version, at, customer_id)
        return streams

    def _brought(
        self, events: Sequence[Event], parked: Mapping[str, Sequence[kept.Parked]]
    ) -> set[str]:
        """The streams whose first waiting event gets what it waits for in this batch."""
        if not parked:
            return set()
        supplied = {
            EVENT_TYPES[e.type](e.stream_id, 1, e.occurred_at, e.customer_id, e.data).supplies()
            for e in events
            if e.stream_id in parked
        }
        return {stream_id for stream_id, rows in parked.items() if rows[0].waits_for in supplied}

    def _reopen(
        self, cursor: PgCursor, rows: Collection[kept.Parked], now: datetime
    ) -> dict[int, Candidate]:
        """Parked inputs, read again with today's schemas, by kept id."""
        if not rows:
            return {}
        by_id = {row.kept_id: row for row in rows}
        return {
            kept_id: Candidate(message, now, self._read, parked=by_id[kept_id])
            for kept_id, message in kept.messages(cursor, self._keyring, by_id).items()
        }


def seen(cursor: PgCursor) -> tuple[int, int]:
    """The last position, and the last change to a queue, that this transaction can see."""
    cursor.execute(_SQL["seen"])
    position, queue_change = cursor.fetchone() or (0, 0)
    return position, queue_change


def advanced(cursor: PgCursor, stream_ids: Collection[str], position: int) -> bool:
    """Whether any of the streams has an event after the position."""
    cursor.execute(_SQL["advanced"], {"stream_ids": text_array(stream_ids), "position": position})
    return cursor.fetchone() is not None


def queues_changed(
    cursor: PgCursor, since: int, *, any_: Collection[str], taken_out: Collection[str]
) -> bool:
    """Whether, after the change numbered `since`, a queue of the streams `any_` was changed, or
    something was taken out of one of the streams `taken_out`."""
    cursor.execute(
        _SQL["queues_changed"],
        {"since": since, "any": text_array(any_), "taken_out": text_array(taken_out)},
    )
    return cursor.fetchone() is not None
