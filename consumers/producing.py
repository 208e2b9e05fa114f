"""Kafka out: records produced so that none is acknowledged before all in-sync replicas have it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from socket import create_connection
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.cluster import collect_hosts
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from consumers.cluster import Cluster
from consumers.connecting import NotLetIn, producer, told, unauthorized

# For ever, in milliseconds. Where the client gave up on one batch and went on with the next, events
# of one customer would arrive in another order.
_NO_TIMEOUT = 2**31 - 1
_LARGEST_REQUEST_BYTES = 8 * 1024 * 1024
_NO_TOPIC_ID = "00000000-0000-0000-0000-000000000000"
_CONNECT_MS = 5_000
_GIVE_UP_SECONDS = 5
_LOOK_SECONDS = 0.2
_MOMENT_SECONDS = 0.01

DEFAULTS: Mapping[str, Any] = {
    "client_id": "servicetrail-publisher",
    "linger_ms": 5,
    "batch_size": 128 * 1024,
    "max_request_size": _LARGEST_REQUEST_BYTES,
    "reconnect_backoff_max_ms": 2_000,
    "metrics_enabled": False,
}
"""What is set for kafka-python's producer unless options say otherwise."""

_FIXED: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "delivery_timeout_ms": _NO_TIMEOUT,
    "max_block_ms": _CONNECT_MS,
    "bootstrap_timeout_ms": _CONNECT_MS,
    "allow_auto_create_topics": False,
}
# What concerns one record only: sending it again would change nothing.
_REFUSALS = (
    InvalidRecordError, InvalidTimestampError, MessageSizeTooLargeError, PolicyViolationError,
    RecordListTooLargeError,
)  # fmt: skip
# Certificates that are not there, or passwords that are wrong, may be mended while we try.
_AWAY = (KafkaError, OSError, ValueError)


class ProducingFailed(Exception):
    """Records cannot be produced at the moment. The text says why and quotes no record."""


class LoginRefused(ProducingFailed):
    """The brokers do not let us in, or we do not trust them; somebody has to mend it."""


class TopicsRefused(ProducingFailed):
    """The brokers do not have topics, or do not let us write to them: `topics` says why for each.
    Other topics are not concerned.
    """

    def __init__(self, topics: Mapping[str, str]) -> None:
        super().__init__("; ".join(topics.values()))
        self.topics = topics


class Record(NamedTuple):
    """A record to be produced; `timestamp` is in milliseconds since 1970."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp: int


@dataclass
class Produced:
    """What became of records, by their place in what was handed over; the rest is undecided.

    refused: why the brokers will never take a record.
    topics: why they let us write to a topic not at all; its records are undecided, and nothing else
        can be produced on the connection.
    failure: why some are undecided, in words; None if they are only not finished yet.
    """

    acknowledged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)
    failure: str | None = None


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError for what `KafkaProducer` does not know, or what may not be changed here."""
    for name in options:
        if name in _FIXED or name == "bootstrap_servers":
            raise ValueError(f"the option {name} is set by Servicetrail itself")
        if name not in KafkaProducer.DEFAULT_CONFIG:
            raise ValueError(f"kafka-python's producer has no option {name}")


def options_of(cluster: Cluster) -> dict[str, Any]:
    """Those of a cluster's options that a producer knows and may be given."""
    known = KafkaProducer.DEFAULT_CONFIG.keys() - _FIXED.keys()
    return {name: value for name, value in cluster.options.items() if name in known}


class Producing:
    """A connection to brokers on which records are produced in order, by one thread.

    The producer is idempotent and waits for all in-sync replicas; `options` are any other options
    of kafka-python's `KafkaProducer`, such as those for TLS and SASL. Raises `ProducingFailed`
    where no broker answers within 5 seconds, its `LoginRefused` where they do not let us in.
    """

    def __init__(self, bootstrap_servers: str, options: Mapping[str, Any]) -> None:
        self._cluster = Cluster(bootstrap_servers, options)
        self._topic_ids: dict[str, str | None] = {}
        self._settings = {**DEFAULTS, **options, **_FIXED, "bootstrap_servers": bootstrap_servers}
        self._producer = self._connected()

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str | None]:
        """The ids of topics, which tell a topic from another one that has the name later.

        None where the brokers are too old to give any. Raises `TopicsRefused` for those that cannot
        be written to, `ProducingFailed`.
        """
        wanted = sorted(set(topics))
        if unknown := [topic for topic in wanted if topic not in self._topic_ids]:
            self._look_up(unknown)
        return {topic: self._topic_ids[topic] for topic in wanted}

    def produce(self, records: Sequence[Record], give_up: Callable[[], bool]) -> Produced:
        """Produce records in their order, and wait until every one is decided.

        Where the brokers refuse one, those behind it are produced one by one: kafka-python (3.0.12)
        gives an idempotent producer up after a refusal, and lays it on all records in its hands.
        `give_up` is asked several times a second. When it says so, and after a failure, some are
        undecided: then this connection can only be closed, and those have to be produced again on
        another.
        """
        produced, blamed = self._attempt(records, give_up)
        try:
            self._one_by_one(records, blamed, produced, give_up)
        except ProducingFailed as failure:  # what was decided before it stays so
            produced.failure = str(failure)
        if produced.topics:
            produced.failure = str(TopicsRefused(produced.topics))
        return produced

    def close(self) -> None:
        """Close the connection; what is not acknowledged yet is given up."""
        try:
            self._producer.close(timeout=0)
        except KafkaError:
            # The public way waits for all that is unsent, and goes on trying behind our back.
            self._producer._sender.force_close()
            self._producer._sender.join(_GIVE_UP_SECONDS)
            with suppress(KafkaError):
                self._producer.close(timeout=_GIVE_UP_SECONDS)

    def _one_by_one(
        self,
        records: Sequence[Record],
        blamed: Mapping[int, BaseException],
        produced: Produced,
        give_up: Callable[[], bool],
    ) -> None:
        """Produce those again that were blamed. Raises `ProducingFailed` where none can be."""
        reconnect = bool(blamed)
        for place in blamed:
            if produced.failure is not None:
                return
            if reconnect:
                self._reconnect()
            alone, refused = self._attempt([records[place]], give_up)
            reconnect = bool(refused)
            if refused:
                produced.refused[place] = told(refused[0])
            elif alone.acknowledged:
                produced.acknowledged.append(place)
            produced.failure = alone.failure
            produced.topics |= alone.topics
        if reconnect:
            self._reconnect()

    def _attempt(
        self, records: Sequence[Record], give_up: Callable[[], bool]
    ) -> tuple[Produced, dict[int, BaseException]]:
        """What became of records, and those of which the brokers are said to have refused one."""
        produced = Produced()
        blamed: dict[int, BaseException] = {}
        futures = []
        for place, record in enumerate(records):
            if record.topic in produced.topics:
                continue
            try:
                futures.append((place, self._send(record)))
            except TopicAuthorizationFailedError as error:
                produced.topics |= _not_allowed(unauthorized(error))
            except _REFUSALS as error:
                produced.refused[place] = told(error)
            except _AWAY as error:
                produced.failure = told(error)
                break
        finished = self._finish([future for _, future in futures], give_up)
        problems = {place: future.exception for place, future in futures if future.is_done}
        # Where one is refused, those that shared its batch get an error of no particular kind.
        is_refused = any(isinstance(problem, _REFUSALS) for problem in problems.values())
        for place, problem in problems.items():
            if problem is None:
                produced.acknowledged.append(place)
            elif isinstance(problem, _REFUSALS) or (is_refused and type(problem) is KafkaError):
                blamed[place] = problem
            elif isinstance(problem, TopicAuthorizationFailedError):
                # Laid on records of other topics as well, as far as they are not decided.
                produced.topics |= _not_allowed(unauthorized(problem))
            else:
                produced.failure = produced.failure or told(problem)
        if not finished:
            produced.failure = produced.failure or "given up before the brokers acknowledged"
        return produced, blamed

    def _reconnect(self) -> None:
        self.close()
        self._producer = self._connected()

    def _connected(self) -> KafkaProducer:
        servers = self._settings["bootstrap_servers"]
        try:
            _expect_listener(servers, self._settings)
            return producer(self._settings)
        except NotLetIn as error:
            raise LoginRefused(told(error)) from None
        except _AWAY as error:
            raise ProducingFailed(f"no broker answers at {servers}: {told(error)}") from None

    def _send(self, record: Record) -> Any:
        return self._producer.send(
            record.topic,
            record.value,
            key=record.key,
            headers=record.headers,
            timestamp_ms=record.timestamp,
        )

    def _finish(self, futures: Sequence[Any], give_up: Callable[[], bool]) -> bool:
        """Wait until everything sent is decided; whether it is."""
        while True:
            try:
                self._producer.flush(timeout=_LOOK_SECONDS)
                return True
            except KafkaTimeoutError:
                pass
            except KafkaError:  # it gives itself up this moment; the futures will tell why
                if all(future.is_done for future in futures):
                    return True
                time.sleep(_MOMENT_SECONDS)
            if give_up():
                return False

    def _look_up(self, topics: list[str]) -> None:
        try:
            with self._cluster.admin() as admin:
                found = {topic["name"]: topic for topic in admin.describe_topics(topics)}
        except NotLetIn as error:
            raise LoginRefused(told(error)) from None
        except _AWAY as error:
            raise ProducingFailed(f"topics cannot be looked up: {told(error)}") from None
        refused: dict[str, str] = {}
        for name in topics:
            topic = found.get(name, {"error_code": UnknownTopicOrPartitionError.errno})
            if topic["error_code"] == TopicAuthorizationFailedError.errno:
                refused |= _not_allowed({name})
            elif topic["error_code"]:
                refused[name] = f"the brokers have no topic {name}"
            else:
                id_ = str(topic.get("topic_id") or _NO_TOPIC_ID)
                self._topic_ids[name] = None if id_ == _NO_TOPIC_ID else id_
        if refused:
            raise TopicsRefused(refused)


def _not_allowed(topics: Set[str]) -> dict[str, str]:
    told_ = "the brokers do not let us write to the topic {}: allow WRITE and DESCRIBE on it"
    return {topic: told_.format(topic) for topic in topics}


def _expect_listener(bootstrap_servers: str, options: Mapping[str, Any]) -> None:
    """Raise OSError if nobody listens, which the client finds out late, leaving sockets open."""
    if options.get("proxy_url") or options.get("socks5_proxy"):
        return
    failure: OSError | None = None
    for host, port, _ in collect_hosts(bootstrap_servers):
        try:
            create_connection((host, port), timeout=_CONNECT_MS / 1_000).close()
            return
        except OSError as error:
            failure = error
    raise failure or ConnectionError("no address is given")
