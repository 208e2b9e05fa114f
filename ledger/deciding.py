"""What becomes of a batch, decided on what was looked up for it. No database here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from domain import Fact, NotYet, Refused, Stream
from domain.settling import next_version, queued_behind, settle
from ledger.candidates import Candidate
from ledger.recorded import Recorded, same_content


@dataclass
class Queue:
    """What waits of one stream. `waits_for` is what its first event waits for.

    `candidates` holds the waiting events; of those in the database only if this batch brings what
    they wait for (`loaded`), because otherwise nobody looks at them.
    """

    waits_for: str
    loaded: bool
    candidates: list[Candidate] = field(default_factory=list)


@dataclass
class Snapshot:
    """What the ledger and the intake knew about the events of a batch when it was looked up.

    `queue_change` is the last change to the queues. `reopened` are the queues out of which
    somebody takes an input: they are looked through again before anything is placed.
    """

    position: int
    queue_change: int
    recorded: Mapping[str, Recorded]
    held: Mapping[str, Candidate]
    streams: dict[str, Stream]
    queues: dict[str, Queue]
    reopened: Collection[str] = ()


@dataclass
class Decisions:
    """What to write.

    `appended` stands in the order of the positions to come, and `parked` are the messages of the
    batch that have to wait. Of what waited in the database already, `refused` leaves the queue
    without being appended, and `still_waiting` waits for something else now.
    """

    appended: list[tuple[Candidate, Fact]] = field(default_factory=list)
    parked: list[Candidate] = field(default_factory=list)
    refused: list[Candidate] = field(default_factory=list)
    still_waiting: list[Candidate] = field(default_factory=list)


def decide(candidates: Sequence[Candidate], snapshot: Snapshot) -> Decisions:
    """Decide about each candidate, in order, and leave the outcome on it."""
    return _Batch(snapshot).decide(candidates)


class _Batch:
    def __init__(self, snapshot: Snapshot) -> None:
        self._known = snapshot
        self._streams = snapshot.streams
        self._queues = snapshot.queues
        self._earlier: dict[str, Candidate] = {}
        self._decisions = Decisions()

    def decide(self, candidates: Sequence[Candidate]) -> Decisions:
        for stream_id in self._known.reopened:
            if (queue := self._queues.get(stream_id)) is not None:
                self._settle(stream_id, queue.candidates)
        for candidate in candidates:
            candidate.undecide()
            if candidate.event is not None and not self._seen_before(candidate):
                self._place(candidate)
        self._decisions.parked = [c for c in candidates if c.outcome == "parked"]
        self._decisions.still_waiting = [
            candidate
            for queue in self._queues.values()
            for candidate in queue.candidates
            if candidate.parked is not None
            and candidate.outcome == "parked"
            and (candidate.waits_for, candidate.reason)
            != (candidate.parked.waits_for, candidate.parked.reason)
        ]
        return self._decisions

    def _seen_before(self, candidate: Candidate) -> bool:
        """Whether the event is there already: recorded, parked, or earlier in this batch."""
        event_id = candidate.event_id
        if (recorded := self._known.recorded.get(event_id)) is not None:
            if recorded.same_content(candidate.read_event):
                candidate.duplicate(
                    "already_appended",
                    f"recorded at position {recorded.position}",
                    recorded.position,
                )
            else:
                candidate.conflict(
                    "id_reused",
                    f"this source and id were recorded at position {recorded.position} with other "
                    "content; an id names one event for ever, so use a new one",
                    recorded.position,
                )
            return True
        before = self._known.held.get(event_id) or self._earlier.get(event_id)
        if before is None or before.event is None or before.outcome in ("rejected", "conflict"):
            self._earlier[event_id] = candidate
            return False
        if not same_content(before.event, candidate.read_event):
            candidate.conflict(
                "id_reused",
                "this source and id were received before with other content; an id names one event "
                "for ever, so use a new one",
                None,
            )
        elif before.outcome == "appended":
            candidate.duplicate("already_appended", "received before in the same batch", None)
        else:
            candidate.duplicate("already_held", "received before; it waits to be appended", None)
        return True

    def _place(self, candidate: Candidate) -> None:
        stream_id = candidate.read_event.stream_id
        queue = self._queues.get(stream_id)
        if queue is None:
            self._decide_alone(stream_id, candidate)
        elif candidate.fact(1).supplies() == queue.waits_for and queue.loaded:
            self._settle(stream_id, [*queue.candidates, candidate])
        else:
            candidate.park(queued_behind(stream_id, queue.waits_for))
            queue.candidates.append(candidate)

    def _decide_alone(self, stream_id: str, candidate: Candidate) -> None:
        stream = self._streams.get(stream_id)
        fact = candidate.fact(next_version(stream))
        try:
            fact.check(stream)
        except Refused as refused:
            candidate.refuse(refused)
        except NotYet as missing:
            candidate.park(missing)
            self._queues[stream_id] = Queue(missing.waits_for, True, [candidate])
        else:
            self._append(candidate, fact)
            self._streams[stream_id] = _after(fact, stream)

    def _settle(self, stream_id: str, queue: Sequence[Candidate]) -> None:
        settlement = settle(self._streams.get(stream_id), queue)
        for candidate, fact in settlement.appended:
            self._append(candidate, fact)
        for candidate, refused in settlement.refused:
            candidate.refuse(refused)
            if candidate.parked is not None:
                self._decisions.refused.append(candidate)
        for candidate, missing in settlement.waiting:
            candidate.park(missing)
        if settlement.stream is not None:
            self._streams[stream_id] = settlement.stream
        if settlement.waiting:
            self._queues[stream_id] = Queue(
                settlement.waiting[0][1].waits_for, True, [c for c, _ in settlement.waiting]
            )
        else:
            self._queues.pop(stream_id, None)

    def _append(self, candidate: Candidate, fact: Fact) -> None:
        candidate.append()
        self._decisions.appended.append((candidate, fact))


def _after(fact: Fact, stream: Stream | None) -> Stream:
    after = fact.mutate(stream)
    assert after is not None
    return after
