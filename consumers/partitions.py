"""The partitions that are ours, and where to read on in each: as the database says."""

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal

import structlog
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import IllegalStateError
from kafka.structs import TopicPartition

from consumers.cluster import Cluster
from ledger.datastore import Datastore
from ledger.positions import Claim, claim

_log = structlog.get_logger(__name__)
_TIMEOUT_MS = 10_000


class Partitions(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Claims each partition that the group assigns, and seeks to the database's position in it.

    The group tells of its decisions on kafka-python's own thread, which must not wait for the
    database. There a new partition is only paused; `settle`, called between polls, does the rest.
    """

    def __init__(self, kafka: KafkaConsumer, cluster: Cluster, datastore: Datastore) -> None:
        self._kafka = kafka
        self._cluster = cluster
        self._datastore = datastore
        self._told: deque[tuple[Literal["assigned", "gone"], frozenset[TopicPartition]]] = deque()
        self._unsettled: set[TopicPartition] = set()
        self._refused: set[TopicPartition] = set()
        self.claims: dict[TopicPartition, Claim] = {}

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Hold new partitions back until they are settled."""
        partitions = frozenset(assigned)
        for partition in partitions:
            self._kafka.pause(partition)
            # Any position will do while it is paused. Without one, the client would ask for one.
            self._kafka.seek(partition, 0)
        self._told.append(("assigned", partitions))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget partitions that are given to another consumer, or that were already."""
        self._told.append(("gone", frozenset(revoked)))

    def heed(self) -> None:
        """Note what the group decided since."""
        while self._told:
            what, partitions = self._told.popleft()
            for partition in partitions:
                self.claims.pop(partition, None)
            if what == "assigned":
                self._unsettled |= partitions
            else:
                self._unsettled -= partitions
                self._refused -= partitions

    def settle(self) -> bool:
        """Claim what is new, and begin to read it. Says whether anything was.

        Raises the errors of `eventsourcing.persistence` and of kafka-python; call it again then.
        """
        self.heed()
        if not self._unsettled:
            return False
        partitions = sorted(self._unsettled)
        names = self._cluster.log_names(partitions)
        claims = claim(self._datastore, names.values())
        first = self._kafka.beginning_offsets(partitions, timeout_ms=_TIMEOUT_MS)
        end = self._kafka.end_offsets(sorted(self._refused), timeout_ms=_TIMEOUT_MS)
        for partition in partitions:
            held = claims[names[partition]]
            offset = _within(partition, held.position, first[partition], end.get(partition))
            with _unless_gone():
                self._kafka.seek(partition, offset)
                self._kafka.resume(partition)
            self.claims[partition] = held
            _log.info(
                "reading",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
            )
        self._unsettled.clear()
        self._refused.clear()
        return True

    def refused(self, partitions: Iterable[TopicPartition]) -> None:
        """The brokers have nothing at our position in these. Claim them anew, as far as they are
        still ours: the topic may be another one by now, or its log shorter.
        """
        self.heed()
        for partition in partitions:
            if self.claims.pop(partition, None) is not None:
                with _unless_gone():
                    self._kafka.pause(partition)
                self._unsettled.add(partition)
                self._refused.add(partition)

    def rewind(self, partitions: Iterable[TopicPartition]) -> None:
        """Read again what was read, but not taken, of those partitions that are still ours."""
        self.heed()
        for partition in partitions:
            if partition in self.claims:
                with _unless_gone():
                    self._kafka.seek(partition, self.claims[partition].position)

    def reached(self, partition: TopicPartition) -> int:
        """The offset from which the client fetches on. Once all that was polled is taken, nothing
        that may be read lies between this and the claim's position. (0: given away meanwhile.)
        """
        with suppress(IllegalStateError):
            return int(self._kafka.position(partition, timeout_ms=0) or 0)
        return 0

    def end(self, partition: TopicPartition) -> int | None:
        """The offset that the next record will have, as far as the client was told."""
        with suppress(IllegalStateError):
            end: int | None = self._kafka.highwater(partition)
            return end
        return None

    def hold(self) -> None:
        """Fetch nothing for the time being."""
        for partition in self.claims:
            with _unless_gone():
                self._kafka.pause(partition)

    def release(self) -> None:
        """Fetch again."""
        for partition in self.claims:
            with _unless_gone():
                self._kafka.resume(partition)

    def moved(self, claims: Mapping[TopicPartition, Claim]) -> None:
        """The database has moved on to these."""
        for partition, held in claims.items():
            if partition in self.claims:
                self.claims[partition] = held


def _unless_gone() -> "suppress":
    # The group may have taken a partition away this very moment; `heed` will tell.
    return suppress(KeyError, ValueError)


def _within(partition: TopicPartition, position: int, first: int, end: int | None) -> int:
    """The offset to read from. A position outside of what the log holds is said aloud.

    `end` is None as long as the brokers take the position. (Some of them tell an end for readers of
    committed records that lies before records that they have delivered.)
    """
    where = {"topic": partition.topic, "partition": partition.partition}
    if position < first:
        if position > 0:
            _log.error("records were deleted before they were read", **where,
                       first_lost=position, last_lost=first - 1)  # fmt: skip
        return first
    if end is not None and position > end:
        _log.error("the log ends before what was read already", **where,
                   position=position, end=end)  # fmt: skip
        return end
    return position
