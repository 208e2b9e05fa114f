"""The one door by which events enter: decode, check, dedupe, decide, append, in batches.

Every message ends as `appended`, `duplicate`, `conflict`, `parked` or `rejected`, and everything
that belongs to a batch (events, kept inputs, the account, the position of whoever delivered it)
commits in one transaction.

Looking up and deciding happen before the ledger's lock is taken. Once it is held, what the
decisions rest on is checked again: if another writer was faster, the batch is rolled back and
decided anew.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from eventsourcing.persistence import OperationalError, Tracking
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import execute_values

from domain import EVENT_TYPES, Fact
from ledger import account, kept, notices
from ledger.account import Move
from ledger.candidates import Candidate, Receipt
from ledger.datastore import Datastore
from ledger.deciding import Decisions, Snapshot, decide
from ledger.keys import DataKey, Keyring, customer_subject
from ledger.lookup import LookUp, advanced, queues_changed, seen
from ledger.positions import move
from ledger.redriving import TAKEN, Carried, Errand
from ledger.rows import NewEvent, append, shard_of
from ledger.sql import named_queries
from schemas import codec
from schemas.avro_data import SchemaRegistry
from schemas.message import Message
from schemas.reading import MAX_BYTES, read

_SQL = named_queries(Path(__file__).with_name("intake.sql"))
_ATTEMPTS = 20


class _Overtaken(Exception):
    """Another writer changed what this batch was decided on."""


class Intake:
    """Takes messages into the ledger. Safe to use from several threads and processes at once.

    `registry` is where the schemas of the Confluent wire format are looked up. With `notices`, what
    came over Kafka and is refused is noted, to be told to those who published it.
    """

    def __init__(
        self,
        datastore: Datastore,
        keyring: Keyring,
        *,
        max_event_bytes: int = MAX_BYTES,
        registry: SchemaRegistry | None = None,
        notices: bool = False,
    ) -> None:
        self.notices = notices
        self._datastore = datastore
        self._keyring = keyring
        self._read = partial(read, max_bytes=max_event_bytes, registry=registry)
        self._read_ours = partial(self._read, ours=True)
        self._look_up = LookUp(keyring, self._read)
        with datastore.transaction() as cursor:
            execute_values(
                cursor,
                _SQL["register_schemas"],
                [
                    (fingerprint, type_, codec.schema_text(fingerprint))
                    for type_ in EVENT_TYPES
                    for fingerprint in [codec.fingerprint_of(type_)]
                ],
            )

    def take(
        self,
        messages: Sequence[Message],
        *,
        tracking: Sequence[Tracking] = (),
        candidates: Sequence[Candidate] | None = None,
    ) -> list[Receipt]:
        """Take a batch and say what became of each message, in the order given.

        `tracking` are the deliverer's own positions, moved in the same transaction. `candidates`
        are the messages as `read` gave them, if that was done ahead. Raises
        `eventsourcing.persistence.IntegrityError` if one of them was passed already, and its
        `ledger.positions.PositionTaken` if one was claimed by somebody else; nothing of the batch
        is taken then. Raises the library's `OperationalError` when the database cannot be reached:
        nothing was taken, and the same batch may be given again. Whatever the registry raises
        passes through, with nothing taken.
        """
        now = datetime.now(UTC)
        if candidates is None:
            candidates = [self.read(message, now) for message in messages]
        return self._take(candidates, now, tracking)

    def record(self, messages: Sequence[Message]) -> list[Receipt]:
        """Take events of our own, of the types that are refused from outside. As `take`."""
        now = datetime.now(UTC)
        return self._take([Candidate(each, now, self._read_ours) for each in messages], now, ())

    def read(self, message: Message, now: datetime) -> Candidate:
        """The message as far as it can be read; nothing is decided, nothing written."""
        return Candidate(message, now, self._read)

    def carry_out(
        self,
        errand: Errand,
        *,
        dry_run: bool = False,
        ours: bool = False,
        on_record: Sequence[Message] = (),
    ) -> list[Receipt]:
        """Do with kept inputs what a person decided, in one transaction like any other batch.

        Gives a receipt for each input that the errand takes through the door; a `dry_run` writes
        nothing, and its receipts have no positions yet. `ours`: the inputs are events of our own,
        as `record` takes them. `on_record` are events of our own that tell of the errand: they are
        recorded with it, even where its inputs are not taken. Raises what `take` raises, and
        `ledger.kept.Moved` if somebody else did something about one of the inputs meanwhile.
        """
        now = datetime.now(UTC)
        read_ = self._read_ours if ours else self._read
        candidates = [
            Candidate(message, now, read_, again=again, repairs=repairs)
            for message, again, repairs in errand.inputs
        ]
        telling = [Candidate(each, now, self._read_ours) for each in on_record]
        return self._take(candidates, now, (), errand, dry_run, telling)

    def _take(
        self,
        candidates: Sequence[Candidate],
        now: datetime,
        tracking: Sequence[Tracking],
        errand: Errand | None = None,
        dry_run: bool = False,
        telling: Sequence[Candidate] = (),
    ) -> list[Receipt]:
        both = [*candidates, *telling]
        withdrawn = () if errand is None else errand.withdrawn
        for _ in range(_ATTEMPTS):
            with self._datastore.transaction() as cursor:
                snapshot = self._look_up.snapshot(cursor, both, now, withdrawn)
            decisions = decide(both, snapshot)
            if errand is not None and errand.only_if_taken and not _taken(candidates):
                decisions = Decisions([each for each in decisions.appended if each[0] in telling])
            try:
                if not dry_run:
                    self._write(both, decisions, snapshot, tracking, now, errand, len(candidates))
            except _Overtaken:
                continue
            return [candidate.receipt() for candidate in candidates]
        raise OperationalError(
            f"other writers changed the same things {_ATTEMPTS} times in a row; try the batch again"
        )

    def _write(
        self,
        candidates: Sequence[Candidate],
        decisions: Decisions,
        snapshot: Snapshot,
        tracking: Sequence[Tracking],
        now: datetime,
        errand: Errand | None,
        own: int,
    ) -> None:
        """`own`: how many of the candidates, the first ones, are the errand's."""
        received = [c for c in candidates if c.again is None]
        to_keep = [c.to_keep() for c in received if c.outcome in ("parked", "conflict", "rejected")]
        redriven = {c.customer_id for c in candidates if c.again is not None}
        keys = self._keyring.for_sealing(_subjects(decisions.appended, to_keep, redriven))
        new_events = [_new_event(candidate, fact, keys) for candidate, fact in decisions.appended]
        with self._datastore.transaction() as cursor:
            move(cursor, tracking)
            if new_events:
                try:
                    first = append(cursor, new_events).first_position
                except UniqueViolation as error:
                    raise _Overtaken from error
                for position, (candidate, _) in enumerate(decisions.appended, start=first):
                    candidate.position = position
            elif decisions.parked or errand is not None:
                cursor.execute(_SQL["lock_head"])
            self._check_not_overtaken(cursor, decisions, snapshot)
            self._keep(cursor, received, decisions, to_keep, keys, now)
            settled = [
                Move(
                    waited.first_seen, waited.source, "parked", candidate.source, candidate.outcome
                )
                for candidate in [c for c, _ in decisions.appended] + decisions.refused
                if (waited := candidate.parked) is not None
            ]
            if errand is not None:
                try:
                    settled += errand.write(cursor, Carried(candidates[:own], keys, now))
                except UniqueViolation as error:
                    raise _Overtaken from error
            outcomes = Counter([(c.source, c.outcome) for c in received])
            account.enter(cursor, now, outcomes=outcomes, settled=settled)

    def _check_not_overtaken(
        self, cursor: PgCursor, decisions: Decisions, snapshot: Snapshot
    ) -> None:
        """Raise if, since the snapshot, what a parked event waits for was appended, or an event was
        parked that waits for what this batch appends, or something was taken out of a queue. (Two
        writers appending the same, the database's constraints refuse.)"""
        if not decisions.appended and not decisions.parked and not snapshot.reopened:
            return
        _, queue_change = seen(cursor)
        appended = {fact.originator_id for _, fact in decisions.appended}
        parked = {candidate.read_event.stream_id for candidate in decisions.parked}
        if queue_change != snapshot.queue_change and queues_changed(
            cursor,
            snapshot.queue_change,
            any_=appended.union(snapshot.reopened),
            taken_out=parked,
        ):
            raise _Overtaken
        waited_for = parked.union(snapshot.reopened) - appended
        if waited_for and advanced(cursor, waited_for, snapshot.position):
            raise _Overtaken

    def _keep(
        self,
        cursor: PgCursor,
        candidates: Sequence[Candidate],
        decisions: Decisions,
        to_keep: Sequence[kept.Kept],
        keys: Mapping[str, DataKey],
        now: datetime,
    ) -> None:
        refused: list[tuple[int, kept.Kept]] = []
        if to_keep:
            try:
                places = kept.keep(cursor, self._keyring, to_keep, keys, now)
            except (UniqueViolation, kept.Moved) as error:
                raise _Overtaken from error
            refused += notices.with_ids(places, to_keep)
        settled = {
            c.parked.kept_id: c.position for c, _ in decisions.appended if c.parked is not None
        }
        if settled:
            kept.settle(cursor, settled, now)
        for candidate in decisions.refused:
            kept_id = kept.refuse(cursor, candidate.to_keep(), now)
            if kept_id is not None:
                refused.append((kept_id, candidate.to_keep()))
        if self.notices:
            notices.note(cursor, refused, now)
        for candidate in decisions.still_waiting:
            kept.wait_on(cursor, candidate.to_keep())
        duplicates = Counter(
            (c.event_id, c.source, c.id) for c in candidates if c.outcome == "duplicate"
        )
        if duplicates:
            execute_values(
                cursor,
                _SQL["duplicates"],
                [(*key, times, now, now) for key, times in sorted(duplicates.items())],
            )


def _taken(candidates: Sequence[Candidate]) -> bool:
    return all(candidate.outcome in TAKEN for candidate in candidates)


def _subjects(
    appended: Sequence[tuple[Candidate, Fact]],
    to_keep: Sequence[kept.Kept],
    redriven: Set[str | None],
) -> set[str]:
    """Whose keys a batch needs."""
    subjects = {customer_subject(customer_id) for customer_id in redriven}
    subjects |= {customer_subject(kept_input.customer_id) for kept_input in to_keep}
    for candidate, _ in appended:
        if candidate.read_event.personal:
            subjects.add(customer_subject(candidate.read_event.customer_id))
    return subjects


def _new_event(candidate: Candidate, fact: Fact, keys: Mapping[str, DataKey]) -> NewEvent:
    event = candidate.read_event
    personal = None
    if event.personal:
        personal = keys[customer_subject(event.customer_id)].seal(
            json.dumps(event.personal).encode(), event.event_id.encode()
        )
    return NewEvent(
        event.event_id,
        event.stream_id,
        fact.originator_version,
        event.type,
        event.customer_id,
        shard_of(event.customer_id),
        event.source,
        event.id,
        event.occurred_at,
        event.time_assumed,
        event.sequence,
        event.correlation_id,
        event.causation_id,
        event.fingerprint,
        event.facts,
        personal,
    )
