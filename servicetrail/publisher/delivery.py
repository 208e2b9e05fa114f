"""The thread that takes records from an outbox to the brokers, however long that takes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from traceback import extract_tb
from typing import Any, NamedTuple

from consumers.producing import Produced, Producing, ProducingFailed, Record, TopicsRefused
from servicetrail.publisher.errors import OutboxFailed, PublisherClosed
from servicetrail.publisher.outbox import Outbox, Waiting

_BATCH = 1_000
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_LONG_SECONDS = 10.0
_CLOSED_SECONDS = 5.0
_TIME = "ce_time"

_log = logging.getLogger("servicetrail.publisher")


@dataclass(frozen=True)
class _Settlement:
    """What became of a batch: numbers of records, and hashes of what was acknowledged."""

    acknowledged: list[int]
    remembered: list[int]
    refused: dict[int, str]
    hashes: list[bytes]


class _Closed(NamedTuple):
    """A topic that cannot be written to, and until when that is not tried again."""

    why: str
    until: float


class Delivery(threading.Thread):
    """Delivers what waits in an outbox until it is stopped.

    A batch is produced, acknowledged and taken out of the outbox before the next one is begun, so
    that the records of a key are first seen by consumers in the order of publishing, whatever
    fails in between. What was decided is noted before anything else is produced, so that an outbox
    that cannot be written for a while makes nothing be sent twice. `again` sends also what is
    remembered as delivered.

    A topic that is missing, or that we may not write to, holds up its own records only: it is tried
    again every 5 seconds.

    acknowledged: how many records the brokers have acknowledged to this delivery.
    remembered: how many were not sent, because the outbox remembers their delivery.
    failure: why nothing is acknowledged at the moment; None when all is well.
    """

    def __init__(
        self,
        outbox: Outbox,
        bootstrap_servers: str,
        options: Mapping[str, Any],
        *,
        again: bool = False,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="servicetrail-delivery", daemon=True)
        self._outbox = outbox
        self._servers = bootstrap_servers
        self._options = options
        self._again = again
        self._on_progress = on_progress
        self._stopped = threading.Event()
        self.acknowledged = 0
        self.remembered = 0
        self.failure: ProducingFailed | OutboxFailed | None = None
        self._unsettled: _Settlement | None = None
        self._closed_topics: dict[str, _Closed] = {}

    @property
    def closed_topics(self) -> TopicsRefused | None:
        """Topics that could not be written to when it was tried last; None if there are none."""
        closed = {topic: each.why for topic, each in self._closed_topics.items()}
        return TopicsRefused(closed) if closed else None

    def stop(self, seconds: float) -> None:
        """Give up what is in flight, and wait for so long at most until the thread has ended."""
        self._stopped.set()
        self._outbox.wake()
        self.join(seconds)

    def run(self) -> None:
        """Connect and deliver; after a failure, pause and connect again."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            self._outbox.wait_for_records(self._stopped.is_set)
            if self._stopped.is_set():
                with suppress(PublisherClosed, OutboxFailed):
                    self._settle()
                return
            before = self.acknowledged
            try:
                self._settle()
                with closing(Producing(self._servers, self._options)) as producing:
                    self._deliver(producing)
                continue
            except PublisherClosed:
                return
            except (ProducingFailed, OutboxFailed) as failure:
                self._tell(failure)
            except Exception as error:  # whatever it is, events must not wait in silence
                self._tell(ProducingFailed(_unexpected(error)))
            pause = _FIRST_PAUSE_SECONDS if self.acknowledged > before else pause
            self._stopped.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _deliver(self, producing: Producing) -> None:
        """Deliver for as long as the connection is good for it."""
        is_good = True
        while is_good and not self._stopped.is_set():
            puts, now = self._outbox.puts, time.monotonic()
            closed = {
                topic: each for topic, each in self._closed_topics.items() if each.until > now
            }
            batch = self._outbox.next(_BATCH, without=closed)
            if batch:
                is_good = self._deliver_batch(producing, batch)
            elif closed:
                self.failure = self.closed_topics
                until = min(each.until for each in closed.values())
                self._outbox.wait_for_a_put(puts, self._stopped.is_set, until - now)
            else:
                self._outbox.wait_for_records(self._stopped.is_set)

    def _close(self, topics: Mapping[str, str]) -> None:
        """Leave these topics alone for a while."""
        for topic, why in topics.items():
            if topic not in self._closed_topics:
                _log.warning("events wait: %s", why)
            self._closed_topics[topic] = _Closed(why, time.monotonic() + _CLOSED_SECONDS)

    def _deliver_batch(self, producing: Producing, batch: list[Waiting]) -> bool:
        """Whether the connection can be used further."""
        try:
            topic_ids = producing.topic_ids({each.record.topic for each in batch})
        except TopicsRefused as refused:
            self._close(refused.topics)
            return True
        hashes = [_hash(each, topic_ids[each.record.topic]) for each in batch]
        known = set() if self._again else self._outbox.were_delivered(list(filter(None, hashes)))
        done = [each for each, hash_ in zip(batch, hashes, strict=True) if hash_ in known]
        fresh = [pair for pair in zip(batch, hashes, strict=True) if pair[1] not in known]
        begun = time.monotonic()

        def give_up() -> bool:
            if time.monotonic() - begun > _LONG_SECONDS:
                self._tell(ProducingFailed(f"no answer for more than {_LONG_SECONDS:.0f} s"))
            return self._stopped.is_set()

        now = time.time_ns() // 1_000_000
        produced = producing.produce([_stamped(each.record, now) for each, _ in fresh], give_up)
        self._unsettled = _settlement(done, fresh, produced)
        self._settle()
        for place in produced.acknowledged:
            self._closed_topics.pop(fresh[place][0].record.topic, None)
        if produced.topics:
            self._close(produced.topics)
            return False
        if produced.failure is not None:
            raise ProducingFailed(produced.failure)
        self.failure = None
        return True

    def _settle(self) -> None:
        """Note in the outbox what was decided and is not noted yet."""
        settlement = self._unsettled
        if settlement is None:
            return
        self._outbox.settle(
            settlement.acknowledged + settlement.remembered, settlement.refused, settlement.hashes
        )
        self._unsettled = None
        self.acknowledged += len(settlement.acknowledged)
        self.remembered += len(settlement.remembered)
        for why in settlement.refused.values():
            _log.error("a record was refused: %s", why)
        self._on_progress()

    def _tell(self, failure: ProducingFailed | OutboxFailed) -> None:
        is_news = str(failure) != str(self.failure)
        self.failure = failure
        if is_news and not self._stopped.is_set():
            _log.warning("%d events wait: %s", self._outbox.waiting, failure)


def _settlement(
    done: list[Waiting], fresh: list[tuple[Waiting, bytes | None]], produced: Produced
) -> _Settlement:
    acknowledged = [fresh[place] for place in produced.acknowledged]
    return _Settlement(
        [each.number for each, _ in acknowledged],
        [each.number for each in done],
        {fresh[place][0].number: why for place, why in produced.refused.items()},
        [hash_ for _, hash_ in acknowledged if hash_ is not None],
    )


def _unexpected(error: Exception) -> str:
    """An error's name and place; its text may quote a record."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {frame.filename}, line {frame.lineno}"


def _stamped(record: Record, now: int) -> Record:
    """The record with the time of sending, which brokers may compare with their own clock, unless
    it is its own time that tells when the event happened.
    """
    if any(name == _TIME for name, _ in record.headers):
        return record._replace(timestamp=now)
    return record


def _hash(waiting: Waiting, topic_id: str | None) -> bytes | None:
    """What to remember of a delivery; None where topics cannot be told from later ones.

    A topic that was deleted and made again, or another cluster's, has another id: there the record
    was not delivered yet.
    """
    if topic_id is None:
        return None
    return blake2b(waiting.identity + topic_id.encode(), digest_size=16).digest()
