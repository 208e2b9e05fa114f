"""The loop: join the group, poll, take what was polled through the intake, report to Kafka."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future, wait
from contextlib import suppress
from enum import StrEnum
from functools import partial
from threading import Event
from typing import Any

import structlog
from eventsourcing.persistence import PersistenceError
from kafka import KafkaConsumer
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import MemberState, OffsetAndMetadata, TopicPartition

from consumers.batches import Batch, cut
from consumers.connecting import HOPELESS, refusal
from consumers.consuming import Consuming
from consumers.partitions import Partitions
from consumers.records import Record
from consumers.taking import Claims, Reached, Taken, Taker, delays
from consumers.threads import Abandoned, in_thread, unless
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from ledger.positions import PositionTaken

_log = structlog.get_logger(__name__)

_POLL_MS = 250
_SLOW_SECONDS = 1.0
_REPORT_SECONDS = 1.0
_SETTLE_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 4.0
_CLOSE_MS = 1_500


class State(StrEnum):
    """What a consumer is doing."""

    JOINING = "joining"
    """It gets no records: the brokers are away, or the group is being formed."""
    READING = "reading"
    WAITING = "waiting"
    """The database or the schema registry is away. Partitions are held, nothing is lost."""
    STOPPED = "stopped"


class ConsumerFailed(Exception):
    """Kafka refuses this consumer, and trying again would not help; the text says why."""


class Consumer:
    """Takes what is published to topics into the ledger, each record once.

    A batch, and how far its partitions were read, commit in one transaction of the database. Kafka
    is told as well, for lag monitors; nobody reads on from what it was told.

    `run` works in the calling thread until `stop`, which may be called from any thread and from a
    signal handler. In the thread of `run`, `on_claimed` is called with topic, partition and
    position before a partition is read (and not at all, if it calls `stop`), `on_taken` after each
    batch.
    """

    def __init__(
        self,
        consuming: Consuming,
        intake: Intake,
        datastore: Datastore,
        keyring: Keyring,
        *,
        on_claimed: Callable[[str, int, int], None] = lambda *_: None,
        on_taken: Callable[[Taken], None] | None = None,
    ) -> None:
        self._consuming = consuming
        self._datastore = datastore
        self._on_claimed = on_claimed
        self._on_taken = on_taken
        self._stopping = Event()
        self._taker = Taker(intake, datastore, keyring, self._stopping)
        self._state = State.JOINING
        self._ahead: Sequence[Batch] = ()
        self._failure: KafkaError | None = None
        self._reported: dict[TopicPartition, OffsetAndMetadata] = {}
        self._reported_at = 0.0
        self._settle_at = 0.0
        self._away = False
        self.lags: Mapping[tuple[str, int], int] = {}
        """Records behind the end of the log, by topic and partition, of the partitions read here;
        of none while the brokers are away. Replaced as a whole about once a second."""

    @property
    def state(self) -> State:
        """What the consumer is doing at the moment."""
        if self._taker.waiting:
            return State.WAITING
        return State.JOINING if self._away and self._state is State.READING else self._state

    def stop(self) -> None:
        """End `run`, after the batch in hand if the database takes it within seconds."""
        self._stopping.set()

    def run(self) -> None:
        """Consume until `stop`. Raises `ConsumerFailed` when Kafka refuses us for good."""
        again = delays()
        try:
            while not self._stopping.is_set():
                self._state = State.JOINING
                try:
                    self._in_group()
                except Abandoned:
                    return
                except HOPELESS as error:
                    raise ConsumerFailed(refusal(error, self._consuming.group)) from error
                except (KafkaError, PositionTaken) as error:
                    if self._state is State.READING:
                        again = delays()
                    _log.warning("joining the group anew", exc_info=error)
                    self._stopping.wait(next(again))
        finally:
            self._state = State.STOPPED

    def _in_group(self) -> None:
        """Be a member of the group until it has to be joined anew, which is what errors say."""
        kafka = unless(self._stopping, self._consuming.client)
        try:
            partitions = Partitions(
                kafka, self._consuming.cluster, self._datastore, self._stopping, self._on_claimed
            )
            pattern = self._consuming.pattern()
            if pattern is None:
                kafka.subscribe(topics=list(self._consuming.topics), listener=partitions)
            else:
                kafka.subscribe(pattern=pattern, listener=partitions)
            # Whoever joins before it has heard of the topics shares out none of their partitions.
            unless(self._stopping, kafka.topics)
            self._reported.clear()
            self._ahead, self._failure = (), None
            with suppress(Abandoned):
                while not self._stopping.is_set():
                    self._step(kafka, partitions)
            with suppress(KafkaError):
                kafka.commit(self._to_report(partitions), timeout_ms=_CLOSE_MS)
        finally:
            self.lags = {}
            kafka.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def _step(self, kafka: KafkaConsumer, partitions: Partitions) -> None:
        batches, self._ahead = self._ahead, ()
        if not batches:
            batches = self._poll(kafka, partitions, _POLL_MS)
        self._settle(partitions)
        for batch in batches:
            ending = self._stopping.is_set() or self._failure is not None
            if ending or not self._take(batch.held(partitions.claims), kafka, partitions):
                partitions.rewind(
                    {tp for polled in (*batches, *self._ahead) for tp in polled.claims}
                )
                self._ahead = ()
                break
        if self._failure is not None:
            raise self._failure
        self._report(kafka, partitions)

    def _poll(
        self, kafka: KafkaConsumer, partitions: Partitions, milliseconds: int
    ) -> Sequence[Batch]:
        claims = {tp: (held.name, held.number) for tp, held in partitions.claims.items()}
        records: Mapping[TopicPartition, Sequence[Record]] = {}
        try:
            records = kafka.poll(milliseconds)
        except OffsetOutOfRangeError as error:
            _log.warning("the brokers refuse a position", exc_info=error)
            partitions.refused(*error.args)
        except LogTruncationError as error:
            _log.warning("a log was cut off", exc_info=error)
            found = error.divergent_offsets
            partitions.refused(found, {tp: cut.offset for tp, cut in found.items() if cut})
        _finish_join(kafka)
        most = self._consuming
        return list(cut(records, claims, events=most.batch_events, size=most.batch_bytes))

    def _settle(self, partitions: Partitions) -> None:
        if time.monotonic() < self._settle_at:
            return
        try:
            partitions.settle()
        except (PersistenceError, KafkaError) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                raise
            self._taker.waiting = isinstance(error, PersistenceError)
            _log.warning("partitions not claimed, trying again", exc_info=error)
            self._settle_at = time.monotonic() + _SETTLE_AGAIN_SECONDS
            return
        if partitions.unsettled:
            self._settle_at = time.monotonic() + _SETTLE_AGAIN_SECONDS
        self._taker.waiting = partitions.unsettled > 0 and not partitions.claims
        self._state = State.READING if partitions.claims else State.JOINING

    def _take(self, batch: Batch, kafka: KafkaConsumer, partitions: Partitions) -> bool:
        """Whether the batch was taken. Raises `PositionTaken` when it is time to join anew."""
        if not batch.records:  # given away since, or claimed and about to be read anew
            return True
        taken = self._move(
            batch.claims.keys(),
            lambda held: self._taker.take(batch.records, held, batch.read),
            kafka,
            partitions,
        )
        if taken is not None and self._on_taken is not None:
            self._on_taken(taken)
        return taken is not None

    def _move(
        self,
        ours: Set[TopicPartition],
        move: Callable[[Claims], Taken],
        kafka: KafkaConsumer,
        partitions: Partitions,
    ) -> Taken | None:
        """What `move` did with the claims of these partitions; None if nothing could be done."""
        if not ours <= partitions.claims.keys():  # given away while the batch before was taken
            return None
        claims = {partition: partitions.claims[partition] for partition in ours}
        try:
            taken = self._while_polling(in_thread(lambda: move(claims)), kafka, partitions)
        except Abandoned:
            return None
        except PositionTaken:
            partitions.heed()
            if ours <= partitions.claims.keys():
                raise  # the group gave them to another one, and we do not know it yet
            return None
        partitions.moved(taken.claims)
        return taken

    def _while_polling(
        self, taking: "Future[Taken]", kafka: KafkaConsumer, partitions: Partitions
    ) -> Taken:
        """The result. While the database works, the next records are polled and read. While it
        takes long, the partitions are paused and polling goes on, because the group puts out
        whoever does not.
        """
        try:
            if not self._ahead:
                self._ahead = [
                    batch._replace(read=in_thread(partial(self._taker.read, batch.records)))
                    for batch in self._poll(kafka, partitions, 0)
                ]
            if not wait([taking], _SLOW_SECONDS).done:
                partitions.hold()
                self._until(taking, lambda: self._hold(kafka, partitions))
                partitions.release()
        except KafkaError as error:
            # The group is joined anew once it is known what became of the batch.
            self._failure = error
            self._until(taking, lambda: wait([taking], _POLL_MS / 1_000))
        return taking.result()

    def _until(self, taking: "Future[Taken]", meanwhile: Callable[[], object]) -> None:
        """Do that again and again until the batch is through. Raises `Abandoned`."""
        deadline = None
        while not taking.done():
            meanwhile()
            if self._stopping.is_set():
                deadline = deadline or time.monotonic() + _STOP_SECONDS
                if time.monotonic() > deadline:
                    raise Abandoned

    def _hold(self, kafka: KafkaConsumer, partitions: Partitions) -> None:
        if self._poll(kafka, partitions, _POLL_MS):
            raise KafkaError("records came from partitions that are paused")
        partitions.heed()
        if self._is_time() and not self._is_away(kafka):
            self._show(partitions, partitions.ends())

    def _report(self, kafka: KafkaConsumer, partitions: Partitions) -> None:
        """Tell Kafka, and whoever watches the lag, how far we are."""
        if not self._is_time() or self._is_away(kafka):
            return
        partitions.check_allowed()
        partitions.heed_new_logs()
        passed: dict[TopicPartition, Reached] = {}
        if not self._ahead:
            for partition, held in partitions.claims.items():
                reached = partitions.reached(partition)
                if reached is not None and reached.offset > held.position:
                    passed[partition] = reached
        if passed:
            self._move(
                passed.keys(), lambda held: self._taker.pass_over(passed, held), kafka, partitions
            )
        ends = {partition: partitions.end(partition) for partition in partitions.claims}
        self._show(partitions, ends)
        if unreported := self._to_report(partitions):
            kafka.commit_async(unreported, self._was_told)

    def _is_time(self) -> bool:
        """Whether the last look at the lags is long enough ago for another one, from now on."""
        if time.monotonic() < self._reported_at + _REPORT_SECONDS:
            return False
        self._reported_at = time.monotonic()
        return True

    def _is_away(self, kafka: KafkaConsumer) -> bool:
        # Without its coordinator the client goes on polling, and knows nothing of what it lacks.
        self._away = kafka._coordinator.coordinator_unknown()
        if self._away:
            self.lags = {}
        return self._away

    def _show(self, partitions: Partitions, ends: Mapping[TopicPartition, int | None]) -> None:
        self.lags = {
            (partition.topic, partition.partition): max(0, end - held.position)
            for partition, held in partitions.claims.items()
            if (end := ends.get(partition)) is not None
        }

    def _to_report(self, partitions: Partitions) -> dict[TopicPartition, OffsetAndMetadata]:
        """Where we are, as far as Kafka has not acknowledged it yet."""
        offsets = {
            partition: OffsetAndMetadata(held.position, "", -1)
            for partition, held in partitions.claims.items()
        }
        return {tp: offset for tp, offset in offsets.items() if self._reported.get(tp) != offset}

    def _was_told(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], answer: Any) -> None:
        if not isinstance(answer, Exception):
            self._reported.update(offsets)


def _finish_join(kafka: KafkaConsumer) -> None:
    """Let the next poll go on with a join that is under way.

    kafka-python (3.0.12) forgets about a join if a poll ends in the middle of it, and it was news
    of the topics that had made it join: it would wait for records, outside of the group, for ever.
    """
    coordinator = kafka._coordinator
    if kafka.group_metadata().state == MemberState.REBALANCING and not coordinator.need_rejoin():
        coordinator.request_rejoin()
