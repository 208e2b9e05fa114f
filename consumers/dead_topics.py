"""Telling those who published what was not taken: notices, in a topic beside each source topic."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from threading import Event

import structlog
from eventsourcing.persistence import PersistenceError
from kafka.errors import KafkaError

from consumers.consuming import Consuming
from consumers.producing import Producing, ProducingFailed, Record, TopicsRefused, options_of
from consumers.records import carried_headers, carried_key
from ledger import kept
from ledger.datastore import Datastore
from ledger.keys import Keyring
from ledger.notices import Notice, oldest, told, waiting
from schemas.codec import instant_text
from schemas.message import Message
from schemas.topics import DEAD, NOTICE_PREFIX

_log = structlog.get_logger(__name__)

_BATCH = 200
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
_LAST_PATIENCE_SECONDS = 1.0
_AWAY_SECONDS = 5.0
_TELL_AGAIN_SECONDS = 60.0


class DeadTopics:
    """Produces the notices that wait in the database, each at least once, in their order by topic.

    Any number of processes may do it at once. Nothing here holds up the consumer: what cannot be
    produced waits in the database. `create_partitions` creates missing topics, with that many
    partitions.
    """

    def __init__(
        self,
        consuming: Consuming,
        datastore: Datastore,
        keyring: Keyring,
        *,
        create_partitions: int | None = None,
    ) -> None:
        self._consuming = consuming
        self._datastore = datastore
        self._keyring = keyring
        self._create_partitions = create_partitions
        self._stopping = Event()
        self._producing: Producing | None = None
        self._complained: dict[str, float] = {}
        self._away = False
        self.failure: str | None = None
        """Why notices wait that could not be produced; None if none do."""
        self.given_up = 0
        """How many notices were refused by the brokers for good, and are told to nobody."""

    def run(self) -> None:
        """Produce what waits, again and again, until `stop`; then once more."""
        while not self._stopping.is_set():
            self.deliver()
            self._stopping.wait(_LOOK_SECONDS if self.failure is None else _AWAY_SECONDS)
        if not self._away:
            self.deliver()
        self._disconnect()

    def stop(self) -> None:
        """End `run`, after a last try. May be called from any thread."""
        self._stopping.set()

    def deliver(self) -> int:
        """Produce what waits now, as far as that is possible, and say how many notices it was."""
        count = 0
        self._away, self.failure = False, None
        try:
            with self._datastore.transaction() as cursor:
                topics = list(waiting(cursor))
            for topic in topics:
                if self._away and self._stopping.is_set():
                    break
                count += self._delivered(topic)
        except PersistenceError as error:  # the consumer says so as well
            self._away, self.failure = True, type(error).__name__
        except ProducingFailed as error:
            self._away = True
            self._complain(str(error))
        return count

    def _delivered(self, topic: str) -> int:
        """Produce what waits for a topic, or complain: no topic holds up another.

        Raises `PersistenceError`, and `ProducingFailed` where nothing can be produced at all.
        """
        producing = self._connected()
        try:
            return self._deliver(topic, producing)
        except TopicsRefused as missing:
            self._complain(f"{missing}; --create-topics creates it")
        except PersistenceError:
            raise
        except (KafkaError, ProducingFailed, OSError, ValueError) as error:
            self._away = True
            self._complain(f"{topic + DEAD}: {error}")
            self._disconnect()
        except Exception as error:  # its text may quote a record
            self._complain(f"{topic + DEAD}: {type(error).__name__}")
            self._disconnect()
        return 0

    def _deliver(self, topic: str, producing: Producing) -> int:
        self._expect(topic + DEAD, producing)
        count = 0
        while True:
            with self._datastore.transaction() as cursor:
                notices = oldest(cursor, topic, _BATCH)
                originals: Mapping[int, Message] = {}
                if self._consuming.dead_topics == "records":
                    ids = {notice.kept_id for notice in notices}
                    originals = kept.messages(cursor, self._keyring, ids)
                done, refused, failure = self._produce(producing, notices, originals)
                told(cursor, [*done, *(notice for notice, _ in refused)])
            count += len(done)
            self._give_up(refused)
            if failure is not None:
                raise ProducingFailed(failure)
            if len(notices) < _BATCH:
                return count

    def _produce(
        self, producing: Producing, notices: Sequence[Notice], originals: Mapping[int, Message]
    ) -> tuple[list[Notice], list[tuple[Notice, str]], str | None]:
        """Those that were acknowledged, those that the brokers will never take and why, and why not
        all were decided. A record that the brokers do not take back, because it is too large with
        what was added, is left out of its notice.
        """
        records = [record_of(notice, originals.get(notice.kept_id)) for notice in notices]
        produced = producing.produce(records, self._deadline())
        done = [notices[place] for place in produced.acknowledged]
        if not produced.refused or produced.failure is not None:
            return done, [], produced.failure
        alone = [notices[place] for place in sorted(produced.refused)]
        again = producing.produce([record_of(each, None) for each in alone], self._deadline())
        done += [alone[place] for place in again.acknowledged]
        return done, [(alone[place], why) for place, why in again.refused.items()], again.failure

    def _give_up(self, refused: Sequence[tuple[Notice, str]]) -> None:
        """What no topic takes would hold up all behind it; the dead letter itself stays."""
        for notice, why in refused:
            self.given_up += 1
            _log.error(
                "a notice was refused by the brokers and is given up",
                topic=notice.topic,
                partition=notice.partition,
                offset=notice.offset,
                input=notice.kept_id,
                reason=why,
            )

    def _deadline(self) -> "_Deadline":
        return _Deadline(self._stopping)

    def _connected(self) -> Producing:
        """A connection. Raises `ProducingFailed`."""
        if self._producing is None:
            cluster = self._consuming.cluster
            servers = cluster.bootstrap_servers
            self._producing = Producing(
                servers if isinstance(servers, str) else ",".join(servers),
                {**options_of(cluster), "client_id": "servicetrail-dead-topics"},
            )
        return self._producing

    def _expect(self, topic: str, producing: Producing) -> None:
        """Raise `TopicsRefused` if there is no such topic, and none is to be created."""
        try:
            producing.topic_ids([topic])
        except TopicsRefused:
            if self._create_partitions is None:
                raise
            self._consuming.cluster.create_topics([topic], partitions=self._create_partitions)
            _log.info("topic created", topic=topic, partitions=self._create_partitions)
            producing.topic_ids([topic])

    def _disconnect(self) -> None:
        producing, self._producing = self._producing, None
        if producing is not None:
            producing.close()

    def _complain(self, why: str) -> None:
        """Say it, but not again and again."""
        self.failure = why
        now = time.monotonic()
        if now > self._complained.get(why, 0.0):
            self._complained = {k: at for k, at in self._complained.items() if at > now}
            self._complained[why] = now + _TELL_AGAIN_SECONDS
            _log.warning("those who published are not told what was not taken, yet", reason=why)


class _Deadline:
    """When to give up waiting for the brokers: sooner once it is time to stop."""

    def __init__(self, stopping: Event) -> None:
        self._stopping = stopping
        self._began = time.monotonic()

    def __call__(self) -> bool:
        patience = _LAST_PATIENCE_SECONDS if self._stopping.is_set() else _PATIENCE_SECONDS
        return time.monotonic() > self._began + patience


def record_of(notice: Notice, original: Message | None) -> Record:
    """The record that tells a notice: in its headers, and in a value for people.

    With the `original` it is the record as it was, key, headers and value, with the notice in
    further headers: without those, it can be published again. (What had no key gets its place.)
    """
    headers = [(NOTICE_PREFIX + name, value.encode()) for name, value in _told(notice, original)]
    now = int(time.time() * 1_000)
    topic = notice.topic + DEAD
    place = f"{notice.topic}/{notice.partition}/{notice.offset}".encode()
    if original is not None:
        own = [each for each in carried_headers(original) if not each[0].startswith(NOTICE_PREFIX)]
        key = carried_key(original) or place
        return Record(topic, key, original.body, [*own, *headers], now)
    value = json.dumps(_value(notice), ensure_ascii=False).encode()
    headers.append(("content-type", b"application/json"))
    return Record(topic, place, value, headers, now)


def _told(notice: Notice, original: Message | None) -> Iterator[tuple[str, str]]:
    for name, value in _value(notice).items():
        if value is not None:
            yield name, str(value)
    yield "value", "notice" if original is None else "record"


def _value(notice: Notice) -> dict[str, str | int | None]:
    return {
        "notice": notice.name,
        "outcome": notice.outcome,
        "reason": notice.reason,
        "path": notice.path,
        "message": notice.message,
        "topic": notice.topic,
        "partition": notice.partition,
        "offset": notice.offset,
        "source": notice.source,
        "id": notice.id,
        "received_at": instant_text(notice.at),
        "input": notice.kept_id,
    }
