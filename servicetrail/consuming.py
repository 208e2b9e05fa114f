"""The Kafka consumer in the program: what it consumes, what it tells, when it gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import structlog
from eventsourcing.persistence import PersistenceError

from consumers.consumer import Consumer, ConsumerFailed, State
from consumers.consuming import Consuming
from consumers.dead_topics import DeadTopics
from consumers.taking import Taken
from consumers.threads import Abandoned, unless
from consumers.watching import BrokersAway, BrokersRefuse, create_topics, missing_topics
from ledger.datastore import Datastore
from ledger.rejected import rejected_lately
from servicetrail.settings import PREFIX, Settings, SettingsWrong
from servicetrail.system import System

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 5.0
_TELL_AGAIN_SECONDS = 30.0


class TooManyRejected(Exception):
    """So many of a partition's newest records were rejected that somebody has to look first."""


def consuming_of(settings: Settings) -> Consuming:
    """What to consume, and how. Raises SettingsWrong."""
    if settings.kafka_bootstrap_servers is None:
        raise SettingsWrong(
            f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS is not set, and no --brokers are given"
        )
    try:
        return Consuming(
            settings.kafka_bootstrap_servers,
            settings.kafka_topics,
            group=settings.kafka_group,
            instance=settings.kafka_instance,
            batch_events=settings.kafka_batch_events,
            batch_bytes=settings.kafka_batch_bytes,
            dead_topics=settings.kafka_dead_topics,
            options=settings.kafka_options,
        )
    except ValueError as error:
        raise SettingsWrong(f"{PREFIX}KAFKA_TOPICS or _KAFKA_OPTIONS: {error}") from None


class RejectedShare:
    """Watches, partition by partition, how many of the newest `window` records were rejected.

    A channel that is deployed with a mistake rejects all of its records. Then it is better to stop
    while they are still in the topic than to have them all in the dead letters. What was rejected
    is asked of the database: whoever starts again, or gets the partition next, stops as well, until
    somebody has looked.
    """

    def __init__(self, datastore: Datastore, most: float, window: int) -> None:
        self._datastore = datastore
        self._most = most
        self._window = window

    def taken(self, taken: Taken) -> None:
        """After a batch. Raises TooManyRejected, and the errors of `eventsourcing.persistence`."""
        rejected = {
            (record.topic, record.partition)
            for record, receipt in zip(taken.records, taken.receipts, strict=True)
            if receipt.outcome == "rejected"
        }
        for (topic, partition), held in taken.claims.items():
            if (topic, partition) in rejected:
                self.check(topic, partition, held.position)

    def check(self, topic: str, partition: int, position: int) -> None:
        """Before a partition is read on from a position. Raises what `taken` raises."""
        with self._datastore.transaction() as cursor:
            count, reason = rejected_lately(cursor, topic, partition, position, self._window)
        if count > self._most * self._window:
            raise TooManyRejected(
                f"{count:,} of the newest {self._window:,} records in partition {partition} of the "
                f"topic {topic} were rejected, more than {self._most:.0%}, most of them with "
                f"{reason}: consuming stopped. Look at them with servicetrail dead-letters list "
                f"--topic {topic}; when the cause is mended, say so with servicetrail dead-letters "
                f"seen --topic {topic}, and start again"
            )


class Consumption:
    """A consumer at work in threads of its own, until `stop` or until it gives up.

    `on_taken` is called after each batch. `create_partitions` creates missing topics first, with
    that many partitions. `error` says why it gave up: a TooManyRejected, a `ConsumerFailed`, or a
    mistake of the program; it is None while all is well.
    """

    def __init__(
        self,
        system: System,
        *,
        on_taken: Callable[[Taken], None] | None = None,
        create_partitions: int | None = None,
    ) -> None:
        settings = system.settings
        self.consuming = consuming_of(settings)
        self.error: BaseException | None = None
        self._share = RejectedShare(
            system.datastore, settings.max_rejected_share, settings.max_rejected_window
        )
        self._told_taken = on_taken
        self._create_partitions = create_partitions
        self._consumer = Consumer(
            self.consuming,
            system.intake,
            system.datastore,
            system.keyring,
            on_claimed=self._on_claimed,
            on_taken=self._on_taken,
        )
        self._dead_topics: DeadTopics | None = None
        if self.consuming.dead_topics != "off":
            self._dead_topics = DeadTopics(
                self.consuming,
                system.datastore,
                system.keyring,
                create_partitions=create_partitions,
            )
        self._reading = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="consumer"),
            threading.Thread(target=self._watch, name="consumer-watch", daemon=True),
        ]
        if self._dead_topics is not None:
            self._threads.append(threading.Thread(target=self._dead_topics.run, name="dead-topics"))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, leave the group, tell of what was not taken, and wait until
        that is done.
        """
        self._stopping.set()
        self._consumer.stop()
        self._threads[0].join()
        if self._dead_topics is not None:
            self._dead_topics.stop()
            self._threads[-1].join()

    def wait_until_reading(self) -> bool:
        """Wait until partitions are read, or for the end: then False."""
        while not self._reading.wait(_LOOK_SECONDS):
            if self._ended.is_set():
                return False
        return True

    def wait(self) -> None:
        """Wait for the end."""
        self._ended.wait()

    @property
    def state(self) -> State:
        """What the consumer is doing."""
        return State.STOPPED if self._ended.is_set() else self._consumer.state

    @property
    def why(self) -> str | None:
        """Why it gave up, in words that quote no record; None while it works."""
        if not self._ended.is_set() or self.error is None:
            return None
        if isinstance(self.error, TooManyRejected | ConsumerFailed):
            return str(self.error)
        return f"consuming stopped: {type(self.error).__name__}; see the log"

    @property
    def notices_given_up(self) -> int:
        """How many notices the brokers refused for good, of records that were not taken."""
        return 0 if self._dead_topics is None else self._dead_topics.given_up

    def lags(self) -> dict[tuple[str, int], int]:
        """Records behind the end of the log, by topic and partition, of the partitions read
        here.
        """
        return dict(self._consumer.lags)

    def _on_claimed(self, topic: str, partition: int, position: int) -> None:
        with self._giving_up():
            self._share.check(topic, partition, position)

    def _on_taken(self, taken: Taken) -> None:
        if self._told_taken is not None:
            self._told_taken(taken)
        # A database that is away now is asked again after the next batch.
        with suppress(PersistenceError), self._giving_up():
            self._share.taken(taken)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except TooManyRejected as error:
            self.error = error
            self._consumer.stop()

    def _run(self) -> None:
        try:
            if self._create_partitions is not None:
                self._create_topics(self._create_partitions)
            self._consumer.run()
        except ConsumerFailed as error:
            self.error = error
        except Exception as error:
            log.exception("the consumer fails")
            self.error = error
        finally:
            self._ended.set()
            if isinstance(self.error, TooManyRejected | ConsumerFailed):
                log.error("consuming stopped", reason=str(self.error))

    def _create_topics(self, partitions: int) -> None:
        tell_at = 0.0
        while not self._stopping.is_set():
            try:
                asked = partial(create_topics, self.consuming, partitions)
                for topic in unless(self._stopping, asked):
                    log.info("topic created", topic=topic, partitions=partitions)
                return
            except Abandoned:
                return
            except BrokersRefuse as refusal:
                raise ConsumerFailed(f"topics cannot be created: {refusal}") from refusal
            except BrokersAway as away:
                if time.monotonic() >= tell_at:
                    log.warning("topics cannot be created, trying again", reason=str(away))
                    tell_at = time.monotonic() + _TELL_AGAIN_SECONDS
                self._stopping.wait(1)

    def _watch(self) -> None:
        """Tell what changes, and what is waited for while nothing does."""
        told: State | None = None
        tell_at = time.monotonic() + _TELL_SECONDS
        while not self._ended.wait(_LOOK_SECONDS):
            state = self.state
            if state is not told:
                if state is State.READING:
                    self._reading.set()
                    log.info("consuming", group=self.consuming.group)
                elif state is State.WAITING:
                    log.warning(
                        "the database or the schema registry is away: partitions are held, "
                        "nothing is lost, trying again"
                    )
                told, tell_at = state, time.monotonic() + _TELL_SECONDS
            elif state is State.JOINING and time.monotonic() > tell_at:
                self._tell_what_is_missing()
                tell_at = time.monotonic() + _TELL_AGAIN_SECONDS

    def _tell_what_is_missing(self) -> None:
        try:
            missing = missing_topics(self.consuming)
        except BrokersAway as away:
            log.warning(
                "the brokers do not answer, trying again",
                brokers=str(self.consuming.bootstrap_servers),
                reason=str(away),
            )
            return
        if missing:
            log.warning(
                "topics do not exist yet, waiting for them; --create-topics creates them",
                topics=", ".join(missing),
            )
        else:
            log.info("waiting for partitions from the group", group=self.consuming.group)


@contextmanager
def consuming(
    system: System,
    *,
    on_taken: Callable[[Taken], None] | None = None,
    create_partitions: int | None = None,
) -> Iterator[Consumption]:
    """Consume until the end of the block. Raises SettingsWrong."""
    consumption = Consumption(system, on_taken=on_taken, create_partitions=create_partitions)
    consumption.start()
    try:
        yield consumption
    finally:
        consumption.stop()
