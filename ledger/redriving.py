"""What a person does about kept inputs, as the intake carries it out.

An errand is written in the transaction of a batch, under the ledger's lock: the events that come of
it, the kept inputs, their history and the account commit together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from psycopg2 import Binary
from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import execute_values

from ledger import kept
from ledger.account import Move
from ledger.candidates import Candidate
from ledger.kept import Again, Moved, Parked
from ledger.keys import DataKey, customer_subject
from ledger.sql import named_queries
from ledger.steps import Step, record, times_received
from schemas.message import Message

_SQL = named_queries(Path(__file__).with_name("redriving.sql"))
_REDRIVEN = (
    "(%s, %s, %s, %s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::bigint, %s, %s::bytea,"
    " CASE %s WHEN 'parked' THEN nextval('intake.queue_changes') END)"
)

OPEN = ("parked", "conflict", "rejected")
"""The states of inputs about which something can be done."""
TAKEN = frozenset({"appended", "duplicate", "parked"})
"""The outcomes that need nobody any more; what is parked is appended by itself."""


class Input(NamedTuple):
    """A message that goes through the door: one kept `again`, or one that `repairs` a kept one."""

    message: Message
    again: Again | None = None
    repairs: int | None = None


class Carried(NamedTuple):
    """How an errand's inputs ended, in their order, the keys of their customers, and when."""

    candidates: Sequence[Candidate]
    keys: Mapping[str, DataKey]
    now: datetime


class Errand(Protocol):
    """Something a person wants done about kept inputs."""

    @property
    def inputs(self) -> Sequence[Input]:
        """What goes through the door."""

    @property
    def withdrawn(self) -> Collection[Parked]:
        """The parked inputs that leave their queues; what waits behind them is decided anew."""

    @property
    def only_if_taken(self) -> bool:
        """Whether they stay in their queues if an input is refused."""

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:
        """Write what became of the kept inputs, and say how the account changes.

        Raises `Moved` if one of them is not any more what it was when the errand was made.
        """


class Standing(NamedTuple):
    """Where a kept input stands; `times` are those at which the receipts came that count for it."""

    state: str
    outcome: str
    source: str
    times: list[datetime]


class Redrive:
    """Takes rejected and conflicting inputs through the door again, as they were received."""

    withdrawn = ()
    only_if_taken = False

    def __init__(self, inputs: Sequence[tuple[Again, Message]], who: str) -> None:
        """`inputs` in the order in which they are to be taken."""
        self._kept = [again for again, _ in inputs]
        self.inputs = [Input(message, again=again) for again, message in inputs]
        self._who = who

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:
        """Each input is from now on what it turned out to be today.

        Had an input been right when it came, every receipt of it but the first would have been a
        duplicate: that is what they are moved to.
        """
        found = lock(cursor, {each.kept_id: each.state for each in self._kept})
        redriven = [
            (each.kept_id, candidate)
            for each, candidate in zip(self._kept, carried.candidates, strict=True)
        ]
        moves: list[Move] = []
        for kept_id, candidate in redriven:
            before = found[kept_id]
            later = "duplicate" if candidate.outcome in TAKEN else candidate.outcome
            ends = [candidate.outcome] + [later] * (len(before.times) - 1)
            ended = list(zip(before.times, ends, strict=True))
            moves += [
                Move(at, before.source, before.outcome, candidate.source, end) for at, end in ended
            ]
            if again := [at for at, end in ended if end == "duplicate"]:
                name = (candidate.event_id, candidate.source, candidate.id)
                cursor.execute(_SQL["duplicate"], (*name, len(again), min(again), max(again)))
        rows = [_redriven_row(kept_id, each, carried.keys) for kept_id, each in redriven]
        execute_values(cursor, _SQL["redriven"], rows, _REDRIVEN)
        steps = [_step("redriven", each, carried.now, self._who) for _, each in redriven]
        record(cursor, zip((each.kept_id for each in self._kept), steps, strict=True))
        return moves


class Repair:
    """Takes a repaired version in place of a kept input. It is an input of its own."""

    only_if_taken = True

    def __init__(
        self, original: Again, parked: Parked | None, repairs: int, message: Message, who: str
    ) -> None:
        """`repairs`: the first input of which this is a repair: the original, or what that repairs.
        `parked`: the original, if it is.
        """
        self._original = original
        self._repairs = repairs
        self._who = who
        self.withdrawn = () if parked is None else (parked,)
        self.inputs = (Input(message, repairs=repairs),)

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:
        """The original, and every repair of it that was refused, has become what was taken.

        In the account they stay what they were: they came, and were not taken. What was parked
        counts as rejected now.
        """
        [candidate] = carried.candidates
        kept_id = self._original.kept_id
        done = _step("repaired", candidate, carried.now, self._who)
        found = lock(cursor, {kept_id: self._original.state})
        if candidate.outcome not in TAKEN:
            record(cursor, [(kept_id, done)])
            return []
        names = {"kept_id": kept_id, "repairs": self._repairs, "became": candidate.event_id}
        cursor.execute(_SQL["repaired"], names)
        record(cursor, [(each, done) for (each,) in cursor.fetchall()])
        return _rejected(found.values())


class Discard:
    """Puts inputs aside for good, on record, with a reason."""

    inputs = ()
    only_if_taken = False

    def __init__(
        self, states: Mapping[int, str], parked: Collection[Parked], who: str, reason: str
    ) -> None:
        """`states` by kept id; `parked`: those of the inputs that are."""
        self._states = states
        self._who = who
        self._reason = reason
        self.withdrawn = parked

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:
        """In the account what was parked counts as rejected now; the others stay what they were."""
        found = lock(cursor, self._states)
        cursor.execute(_SQL["discarded"], {"kept_ids": list(self._states)})
        outcomes: list[tuple[int, str]] = cursor.fetchall()
        record(
            cursor,
            [
                (id_, Step(carried.now, "discarded", outcome, who=self._who, remark=self._reason))
                for id_, outcome in outcomes
            ],
        )
        return _rejected(found.values())


def lock(cursor: PgCursor, states: Mapping[int, str]) -> dict[int, Standing]:
    """Hold the kept inputs (state by kept id) until the transaction ends, and say where they stand.

    Raises `Moved` if one is in another state than the one given.
    """
    cursor.execute(_SQL["lock"], {"kept_ids": list(states)})
    rows = cursor.fetchall()
    for kept_id, state, *_ in rows:
        if state != states[kept_id]:
            raise Moved(f"input {kept_id} is {state} by now: somebody else did something about it")
    # Only now: what was received while we waited for the lock is seen by a later statement alone.
    again = times_received(cursor, states)
    return {
        kept_id: Standing(
            state, outcome, source, [first_seen, *again.get(kept_id, ())[: attempts - 1]]
        )
        for kept_id, state, outcome, source, first_seen, attempts in rows
    }


def _rejected(inputs: Iterable[Standing]) -> list[Move]:
    return [
        Move(at, each.source, each.outcome, each.source, "rejected")
        for each in inputs
        if each.outcome == "parked"
        for at in each.times
    ]


def _step(step: str, candidate: Candidate, now: datetime, who: str) -> Step:
    return Step(
        now,
        step,
        candidate.outcome,
        candidate.reason,
        candidate.path,
        candidate.position,
        who,
    )


def _redriven_row(
    kept_id: int, candidate: Candidate, keys: Mapping[str, DataKey]
) -> tuple[object, ...]:
    """What the kept input is by now: its outcome, who it is about, and its bytes sealed anew.

    Read with today's schemas it may name a customer, whose erasure must reach it from now on.
    """
    known = candidate.known
    subject = customer_subject(candidate.customer_id)
    return (
        kept_id,
        "redriven" if candidate.outcome in ("appended", "duplicate") else candidate.outcome,
        candidate.outcome,
        candidate.event_id,
        kept.shown(candidate.source),
        kept.shown(candidate.id),
        known.type and kept.shown(known.type),
        candidate.customer_id,
        candidate.event.stream_id if candidate.event else None,
        candidate.waits_for,
        candidate.reason,
        candidate.explanation,
        candidate.path,
        known.sequence,
        subject,
        Binary(kept.seal(candidate.message, keys[subject], candidate.event_id)),
        candidate.outcome,
    )
