"""The partitions that are ours, and where to read on in each: as the database says."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from typing import Literal
from uuid import UUID

import structlog
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import IllegalStateError, KafkaError, TopicAuthorizationFailedError
from kafka.structs import OffsetAndMetadata, TopicPartition

from consumers.cluster import Cluster
from consumers.taking import Reached
from consumers.threads import Abandoned, unless
from ledger.datastore import Datastore
from ledger.positions import Claim, PositionHeld, claim, move, positions
from ledger.rejected import look

_log = structlog.get_logger(__name__)
_TIMEOUT_MS = 10_000
_LAG_TIMEOUT_MS = 1_000
_LOCK_SECONDS = 1.0
_NEXT_LOCK_SECONDS = 0.1
_NO_ID = UUID(int=0)
_MADE_ANEW = "topic made anew"

_Offsets = Mapping[TopicPartition, int]


class Partitions(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Claims each partition that the group assigns, and seeks to the database's position in it.

    The group tells of its decisions on kafka-python's own thread, which must not wait for the
    database. There a new partition is only paused; `settle`, called between polls, does the rest.
    """

    def __init__(
        self,
        kafka: KafkaConsumer,
        cluster: Cluster,
        datastore: Datastore,
        stopping: Event,
        on_claimed: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        """`stopping` ends `settle`. `on_claimed` is called with topic, partition and position
        before a partition is read.
        """
        self._kafka = kafka
        self._cluster = cluster
        self._datastore = datastore
        self._stopping = stopping
        self._on_claimed = on_claimed
        self._told: deque[tuple[Literal["assigned", "gone"], frozenset[TopicPartition]]] = deque()
        self._unsettled: set[TopicPartition] = set()
        self._refused: dict[TopicPartition, int | None] = {}
        self._logs: dict[TopicPartition, str] = {}
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
                for partition in partitions:
                    self._refused.pop(partition, None)

    def settle(self) -> None:
        """Claim what is new, and begin to read it.

        A partition whose former owner is about to move on in it waits for another call, and the
        others do not wait for it: `unsettled` says that there are any. Raises the errors of
        `eventsourcing.persistence` and of kafka-python; call it again then. Raises `Abandoned` when
        it is time to stop and brokers do not answer, or somebody else holds positions.
        """
        self.heed()
        if not self._unsettled:
            return
        partitions = sorted(self._unsettled)
        refused = sorted(self._refused)
        names, first, end = unless(self._stopping, lambda: self._asked(partitions, refused))
        if any(self._logs.get(partition, name) != name for partition, name in names.items()):
            self._forget_fetched()
        self._logs |= names
        patience_seconds = _LOCK_SECONDS
        for partition in partitions:
            held = self._claimed(partition.topic, names[partition], patience_seconds)
            if held is None:
                if self._stopping.is_set():
                    raise Abandoned
                patience_seconds = _NEXT_LOCK_SECONDS
                continue
            cut = self._refused.get(partition)
            offset = _where(partition, held, first[partition], end.get(partition), cut)
            if offset != held.position or partition in self._refused:
                # Now, and not with the first batch: whoever comes next must begin here as well. And
                # without the epoch, which may be what was refused.
                moved = held.to(offset)
                with self._datastore.transaction() as cursor:
                    move(cursor, [moved])
                held = held.moved(moved)
            self._on_claimed(partition.topic, partition.partition, offset)
            with _unless_gone():
                self._seek(partition, held)
                self._kafka.resume(partition)
            self.claims[partition] = held
            self._unsettled.discard(partition)
            self._refused.pop(partition, None)
            _log.info(
                "reading",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
            )

    def _asked(
        self, partitions: Sequence[TopicPartition], refused: Sequence[TopicPartition]
    ) -> tuple[Mapping[TopicPartition, str], _Offsets, _Offsets]:
        """The names of the partitions' logs, where these begin, and where the refused ones end."""
        names = self._cluster.log_names(partitions)
        first = self._kafka.beginning_offsets(partitions, timeout_ms=_TIMEOUT_MS)
        return names, first, self._kafka.end_offsets(refused, timeout_ms=_TIMEOUT_MS)

    def _forget_fetched(self) -> None:
        """Let the client fetch anew whatever it did not give away yet, or is still being sent.

        Of a topic that was made anew, what came of the former log looks as if it came of the new
        one, where both are read from the same offset. (Its own way of forgetting, `seek`, compares
        offsets.) What a former fetcher is sent reaches nobody.
        """
        kafka = self._kafka
        kafka._fetcher = Fetcher(kafka._client, kafka._subscription, **kafka.config)

    @property
    def unsettled(self) -> int:
        """How many of our partitions are not read, because they are not claimed yet."""
        return len(self._unsettled)

    def _claimed(self, topic: str, name: str, patience_seconds: float) -> Claim | None:
        """The claim; None if somebody else holds the position for longer than that."""
        self._heed_former_logs(topic, name)
        try:
            return claim(self._datastore, [name], lock_timeout_seconds=patience_seconds)[name]
        except PositionHeld:
            _log.warning("the former owner of a partition still works on it, waiting", log=name)
            return None

    def _heed_former_logs(self, topic: str, name: str) -> None:
        """Before a log is read first: what was rejected of another of its name, at offsets that may
        come again, says nothing of this one.
        """
        place, _, _ = name.partition("@")
        with self._datastore.transaction() as cursor:
            former = positions(cursor, f"{place}@")
            if former and name not in former:
                look(cursor, topic, _MADE_ANEW)
        if former and name not in former:
            _log.warning(
                "another topic of this name was read before, so this one was made anew, or is "
                "another cluster's: reading it from its beginning",
                log=name,
                read_before=former,
            )

    def refused(
        self, partitions: Iterable[TopicPartition], cut: Mapping[TopicPartition, int] | None = None
    ) -> None:
        """The brokers have nothing at our position in these. Claim them anew, as far as they are
        still ours: the topic may be another one by now, or its log was cut off, at the offsets
        `cut` where the brokers know, and was written on from there.
        """
        self.heed()
        for partition in partitions:
            if self.claims.pop(partition, None) is not None:
                with _unless_gone():
                    self._kafka.pause(partition)
                self._unsettled.add(partition)
                self._refused[partition] = None if cut is None else cut.get(partition, 0)

    def check_allowed(self) -> None:
        """Raise `TopicAuthorizationFailedError` for topics that we may not see, of which the client
        says nothing by itself: it waits for them.
        """
        topics = self._kafka._cluster.unauthorized_topics
        if topics:
            raise TopicAuthorizationFailedError(set(topics))

    def heed_new_logs(self) -> None:
        """Begin anew where a topic was deleted and made again: its offsets count from 0, and ours
        may lie in the midst of them. (Brokers before 2.8 do not tell.)
        """
        cluster = self._kafka._cluster
        anew = []
        for partition, held in self.claims.items():
            topic_id = cluster.topic_id(partition.topic)
            if topic_id in (None, _NO_ID) or held.name.endswith(f"@{topic_id}"):
                continue
            _log.warning("the topic was made anew", topic=partition.topic)
            anew.append(partition)
        if anew:
            # What the client knows may also be older than the claim.
            cluster.request_update()
            self.refused(anew)

    def rewind(self, partitions: Iterable[TopicPartition]) -> None:
        """Read again what was read, but not taken, of those partitions that are still ours."""
        self.heed()
        for partition in partitions:
            if partition in self.claims:
                with _unless_gone():
                    self._seek(partition, self.claims[partition])

    def _seek(self, partition: TopicPartition, held: Claim) -> None:
        """Read on from there, if brokers agree that what was read stands before it.

        The client's own seek takes no epoch (kafka-python 3.0.12).
        """
        epoch = -1 if held.leader_epoch is None else held.leader_epoch
        position = OffsetAndMetadata(held.position, "", epoch)
        self._kafka._subscription.assignment[partition].seek(position)

    def reached(self, partition: TopicPartition) -> Reached | None:
        """From where the client fetches on. Once all that was polled is taken, nothing that may be
        read lies between this and the claim's position. None: given away meanwhile.
        """
        state = self._kafka._subscription.assignment.get(partition)
        if state is None or state.position is None:
            return None
        return Reached.by(state.position.offset, state.position.leader_epoch)

    def end(self, partition: TopicPartition) -> int | None:
        """The offset that the next record will have, as far as the client was told."""
        with suppress(IllegalStateError):
            end: int | None = self._kafka.highwater(partition)
            return end
        return None

    def ends(self) -> Mapping[TopicPartition, int]:
        """The same, asked of the brokers: what is not fetched from, the client is not told of.
        Empty if they do not answer.
        """
        with suppress(KafkaError):
            ends: dict[TopicPartition, int] = self._kafka.end_offsets(
                sorted(self.claims), timeout_ms=_LAG_TIMEOUT_MS
            )
            return ends
        return {}

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


def _where(
    partition: TopicPartition, held: Claim, first: int, end: int | None, cut: int | None
) -> int:
    """The offset to read from. A position outside of what the log holds is said aloud.

    `end` is None as long as the brokers take the position. (Some of them tell an end for readers of
    committed records that lies before records that they have delivered.) Where the log was cut off
    before the position, what was written there since is read from `cut` on, or from the beginning
    if nobody knows where that was: behind the end of the log, or when brokers refuse what is within
    it, because they never heard of the epoch. What is read twice counts as duplicate.
    """
    where = {"topic": partition.topic, "partition": partition.partition}
    position = held.position
    if cut is None and end is not None:
        unheard_of = held.leader_epoch is not None and position >= first
        cut = 0 if position > end or unheard_of else None
    if cut is not None and cut < position:
        again = max(first, cut)
        _log.error("the log was cut off before what was read already, reading again", **where,
                   position=position, end=end, offset=again)  # fmt: skip
        return again
    if position < first:
        if position > 0 or held.number > 1:
            _log.error("records were deleted before they were read", **where,
                       first_lost=position, last_lost=first - 1)  # fmt: skip
        return first
    return position
