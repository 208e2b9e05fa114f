"""A batch of records goes through the intake: patiently, in the order given, none left behind."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from threading import Event
from typing import NamedTuple, TypeVar

import structlog
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    PersistenceError,
)
from kafka.structs import TopicPartition

from consumers.records import Record, message_of
from consumers.threads import Abandoned
from ledger.candidates import Candidate, Receipt
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from ledger.positions import Advance, Claim, PositionTaken, move
from ledger.setting_aside import set_aside
from schemas.avro_data import RegistryUnavailable
from schemas.message import Message

_log = structlog.get_logger(__name__)
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0

Claims = Mapping[TopicPartition, Claim]
Result = TypeVar("Result")


class Reached(NamedTuple):
    """Where to read on, and the epoch of the leader that wrote what stands before; None where
    brokers tell none.
    """

    offset: int
    leader_epoch: int | None

    @classmethod
    def by(cls, offset: int, leader_epoch: int) -> "Reached":
        """The same of what kafka-python says, to which no epoch is a negative one."""
        return cls(offset, leader_epoch if leader_epoch >= 0 else None)


class Taken(NamedTuple):
    """What became of records: a receipt for each, and where their partitions stand now."""

    records: Sequence[Record]
    receipts: Sequence[Receipt]
    claims: Claims


class Taker:
    """Takes batches through the intake, each with its partitions' positions in one transaction.

    As long as the database (or a schema registry) is away, it tries again, more and more slowly.
    `waiting` says so; `stopping` ends it.
    """

    def __init__(
        self, intake: Intake, datastore: Datastore, keyring: Keyring, stopping: Event
    ) -> None:
        self._intake = intake
        self._datastore = datastore
        self._keyring = keyring
        self._stopping = stopping
        self.waiting = False

    def read(self, records: Sequence[Record]) -> Sequence[Candidate]:
        """The records as far as they can be read, for `take`: nothing is decided, nothing written.

        Raises `schemas.avro_data.RegistryUnavailable`, and whatever the program fails with.
        """
        now = datetime.now(UTC)
        return [self._intake.read(message_of(each, received_at=now), now) for each in records]

    def take(
        self,
        records: Sequence[Record],
        claims: Claims,
        reading: "Future[Sequence[Candidate]] | None" = None,
    ) -> Taken:
        """Take the records; `claims` are those of their partitions. With `reading` they are being
        read elsewhere by `read`; if that fails, they are read here.

        Raises `PositionTaken` when one of the partitions has become another consumer's, and
        `Abandoned`. Nothing is taken then (of a batch that had to be divided, its second part).
        """
        if reading is not None and reading.exception() is None:
            candidates = reading.result()
            return self._take(records, [each.message for each in candidates], claims, candidates)
        now = datetime.now(UTC)
        messages = [message_of(record, received_at=now) for record in records]
        return self._take(records, messages, claims)

    def pass_over(self, ends: Mapping[TopicPartition, Reached], claims: Claims) -> Taken:
        """Move on to these offsets, before which there are no records that anybody may read: the
        ends of transactions, and what was aborted. Raises what `take` raises.
        """
        advances = {partition: claims[partition].to(*end) for partition, end in ends.items()}

        def attempt() -> None:
            with self._datastore.transaction() as cursor:
                move(cursor, advances.values())

        self._patiently(attempt)
        return Taken([], [], _moved(claims, advances))

    def _take(
        self,
        records: Sequence[Record],
        messages: Sequence[Message],
        claims: Claims,
        candidates: Sequence[Candidate] | None = None,
    ) -> Taken:
        # The last of each partition.
        last = {TopicPartition(record.topic, record.partition): record for record in records}
        advances = {
            # Where to read on, not what was read: offsets have gaps (transactions, compaction).
            partition: claims[partition].to(*Reached.by(record.offset + 1, record.leader_epoch))
            for partition, record in last.items()
        }
        tracking = list(advances.values())
        try:
            receipts = self._patiently(
                lambda: self._intake.take(messages, tracking=tracking, candidates=candidates)
            )
        except (PositionTaken, Abandoned):
            raise
        except Exception as error:
            if len(records) > 1:
                return self._take_in_parts(records, messages, claims)
            [record], [message], failure = records, messages, error
            _log.exception(
                "set aside: the program fails on this record",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
            )
            receipts = self._patiently(
                lambda: [
                    set_aside(
                        self._datastore,
                        self._keyring,
                        message,
                        failure,
                        tracking=tracking,
                        noted=self._intake.notices,
                    )
                ]
            )
        return Taken(records, receipts, _moved(claims, advances))

    def _take_in_parts(
        self, records: Sequence[Record], messages: Sequence[Message], claims: Claims
    ) -> Taken:
        """Halve until the record is found that the others must not wait for."""
        half = len(records) // 2
        first = self._take(records[:half], messages[:half], claims)
        second = self._take(records[half:], messages[half:], {**claims, **first.claims})
        return Taken(
            records,
            [*first.receipts, *second.receipts],
            {**first.claims, **second.claims},
        )

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Its result, once the database and the registry let it have one."""
        for delay in delays():
            try:
                result = attempt()
            except (IntegrityError, DataError):
                raise  # the fault of what was to be written
            except (PersistenceError, RegistryUnavailable) as error:
                self.waiting = True
                _log.warning("batch not taken, trying again", reason=str(error), exc_info=error)
                if self._stopping.wait(delay):
                    raise Abandoned from error
            else:
                self.waiting = False
                return result
        raise AssertionError("there is always another attempt")


def _moved(claims: Claims, advances: Mapping[TopicPartition, Advance]) -> Claims:
    return {partition: claims[partition].moved(to) for partition, to in advances.items()}


def delays() -> Iterator[float]:
    """Seconds to wait before each further attempt, without end; spread, so that consumers that lost
    the same database do not all come back at once.
    """
    delay = _FIRST_DELAY_SECONDS
    while True:
        yield delay * random.uniform(0.5, 1)  # noqa: S311 (spreading, not a secret)
        delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
