"""What was polled, cut into batches: records that are taken together, in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from kafka.structs import TopicPartition

from consumers.records import Record
from ledger.candidates import Candidate
from ledger.positions import Claim


class Batch(NamedTuple):
    """Records that are taken together, and under which claims on their partitions they were polled,
    by name and number: not to be taken under another one, which begins to read where it finds the
    position. `read` is there for what was polled ahead, and is read while others are taken.
    """

    records: list[Record]
    claims: dict[TopicPartition, tuple[str, int] | None]
    read: "Future[Sequence[Candidate]] | None" = None

    def held(self, claims: Mapping[TopicPartition, Claim]) -> "Batch":
        """Of these records, those whose partitions are held as they were."""
        stale = {
            partition
            for partition, polled in self.claims.items()
            if (now := claims.get(partition)) is None or (now.name, now.number) != polled
        }
        if not stale:
            return self
        kept = [r for r in self.records if TopicPartition(r.topic, r.partition) not in stale]
        return Batch(kept, {tp: polled for tp, polled in self.claims.items() if tp not in stale})


def cut(
    polled: Mapping[TopicPartition, Sequence[Record]],
    claims: Mapping[TopicPartition, tuple[str, int]],
    *,
    events: int,
    size: int,
) -> Iterator[Batch]:
    """Batches of at most that many events, and bytes of values; one larger event is a batch of its
    own. `claims` are those that are held, by name and number.
    """
    batch = Batch([], {})
    length = 0
    for partition, records in polled.items():
        for record in records:
            more = len(record.value or b"")
            full = len(batch.records) == events or length + more > size
            if batch.records and full:
                yield batch
                batch, length = Batch([], {}), 0
            batch.records.append(record)
            batch.claims[partition] = claims.get(partition)
            length += more
    if batch.records:
        yield batch
