"""Dead letters: kept inputs that need somebody to look at them, and what can be done about them.

Listings say nothing of what an input says; only `DeadLetters.reveal` opens one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from eventsourcing.persistence import PersistenceError
from psycopg2.extensions import cursor as PgCursor

from ledger import kept
from ledger.access import Access, Actor, check_recorded, told_of
from ledger.candidates import Receipt
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.kept import Again, Moved, Parked
from ledger.keys import Keyring
from ledger.redriving import OPEN, Discard, Errand, Redrive, Repair
from ledger.setting_aside import PROGRAM_FAILED, failure
from ledger.sql import named_queries
from ledger.steps import Step, record, steps_of
from schemas.avro_data import RegistryUnavailable
from schemas.message import Message

STATES = (*OPEN, "settled", "redriven", "discarded")
REDRIVABLE = ("conflict", "rejected")
ERASED = "erased"
REGISTRY_AWAY = "registry_away"
BATCH = 200
"""How many inputs are redriven in one transaction, during which every other writer waits."""

_QUERIES = named_queries(Path(__file__).with_name("dead_letters.sql"))
_SQL = {
    name: query.replace("{columns}", _QUERIES["columns"]).replace("{where}", _QUERIES["where"])
    for name, query in _QUERIES.items()
}
_ERASED_TEXT = (
    "the customer was erased and the key destroyed: nobody can read this input any more; discard it"
)
_REGISTRY_AWAY_TEXT = (
    "the schema registry does not say what these data were written with; the input stays as it is: "
    "redrive it when the registry answers again"
)


class NoSuchInput(LookupError):
    """Nothing is kept under this id."""

    def __init__(self, kept_id: int) -> None:
        super().__init__(f"there is no kept input {kept_id}")


class NotOpen(ValueError):
    """What was asked cannot be done about an input in its state. The text says what can."""


class InputErased(ValueError):
    """The input's customer was erased: nobody can read it any more."""

    def __init__(self, kept_id: int) -> None:
        super().__init__(f"input {kept_id} cannot be read: {_ERASED_TEXT}")


@dataclass(frozen=True)
class Where:
    """Which kept inputs are meant: those that are everything that is given here.

    `from_` and `to` are a half-open window of when an input came first, `topic` the Kafka topic,
    `position` that of the event which an input has become, or whose source and id it has.
    """

    states: Sequence[str] = OPEN
    kept_ids: Sequence[int] | None = None
    source: str | None = None
    reason: str | None = None
    topic: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
    position: int | None = None

    def parameters(self) -> dict[str, Any]:
        """As the statements want it."""
        return {
            "states": list(self.states),
            "kept_ids": None if self.kept_ids is None else list(self.kept_ids),
            "source": self.source,
            "reason": self.reason,
            "topic": self.topic,
            "from": self.from_,
            "to": self.to,
            "position": self.position,
        }


class Redriven(NamedTuple):
    """What became of a kept input: the receipt of taking it again, as `Receipt` describes it.

    An input of which that cannot be said keeps its state as the outcome, with the reason `erased`
    (nobody can open it any more), `registry_away` (its schema cannot be looked up now) or
    `program_failed`.
    """

    kept_id: int
    source: str
    id: str
    outcome: str
    position: int | None
    reason: str | None
    message: str | None
    path: str | None


@dataclass(frozen=True)
class Repaired:
    """What a repaired message has instead of the kept one; what is not given stays as it was.

    In `attributes` (those of CloudEvents, in binary mode) an empty value takes one away.
    """

    body: bytes | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


class _Standing(NamedTuple):
    kept_id: int
    state: str
    event_id: str
    source: str
    id: str
    customer_id: str | None
    stream_id: str | None
    waits_for: str | None
    reason: str
    first_seen: datetime
    repairs: int | None

    def again(self) -> Again:
        return Again(self.kept_id, self.state, self.customer_id)

    def parked(self) -> Parked | None:
        if self.state != "parked":
            return None
        assert self.stream_id is not None
        assert self.waits_for is not None
        return Parked(
            self.kept_id,
            self.event_id,
            self.stream_id,
            self.waits_for,
            self.reason,
            self.source,
            self.first_seen,
        )

    def redriven(self, outcome: str, reason: str, message: str) -> Redriven:
        return Redriven(self.kept_id, self.source, self.id, outcome, None, reason, message, None)


def listed(
    cursor: PgCursor, where: Where, *, as_of: datetime, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """The kept inputs that are meant and came by `as_of`, the latest first, as rows by column name.

    `before` is a kept id: only those below it.
    """
    return _rows(
        cursor,
        "list",
        **where.parameters(),
        as_of=as_of,
        before=before,
        limit=limit,
    )


def shown(cursor: PgCursor, keyring: Keyring, kept_id: int) -> dict[str, Any] | None:
    """Everything that is known of one kept input but what it says; None if there is none.

    What it was carried with (key, names of headers and attributes, size) is sealed like the input
    itself, and null where nobody can read it any more.
    """
    found = _rows(cursor, "one", kept_id=kept_id)
    if not found:
        return None
    [row] = found
    message = kept.messages(cursor, keyring, [kept_id]).get(kept_id)
    headers = () if message is None else message.carried.get("headers", ())
    cursor.execute(_SQL["repaired_by"], {"kept_id": kept_id})
    return row | {
        "repaired_by": [each for (each,) in cursor.fetchall()],
        "key": None if message is None else message.carried.get("key"),
        "headers": None if message is None else [name for name, _ in headers],
        "attributes": None if message is None else sorted(message.attributes),
        "content_type": None if message is None else message.content_type,
        "size_bytes": None if message is None else len(message.body),
        "history": [step._asdict() for step in steps_of(cursor, kept_id)],
    }


def count(cursor: PgCursor, where: Where) -> int:
    """How many kept inputs are meant."""
    cursor.execute(_SQL["count"], where.parameters())
    (number,) = cursor.fetchone() or (0,)
    return int(number)


def head(cursor: PgCursor) -> tuple[int, datetime | None]:
    """The last position of the ledger, and when it was recorded (None: nothing yet)."""
    cursor.execute(_SQL["head"])
    position, recorded_at = cursor.fetchone() or (0, None)
    return position, recorded_at


class DeadLetters:
    """What people do about kept inputs. Every step says who, and stays on record."""

    def __init__(self, datastore: Datastore, keyring: Keyring, intake: Intake) -> None:
        self.keyring = keyring
        self._datastore = datastore
        self._intake = intake

    def reveal(self, kept_id: int, *, who: str, actor: Actor | None = None) -> Message:
        """The input as it arrived, byte for byte. `actor` goes on record before they see it.

        Raises `NoSuchInput` or `InputErased`.
        """
        with self._datastore.transaction() as cursor:
            [row] = _standing(cursor, [kept_id])
            message = kept.messages(cursor, self.keyring, [kept_id]).get(kept_id)
            if message is None:
                raise InputErased(kept_id)
            record(cursor, [(kept_id, Step(datetime.now(UTC), "revealed", who=who))])
        access = _access("revealed", [kept_id])._replace(customer_id=row.customer_id)
        check_recorded(self._intake.record(told_of(actor, access)))
        return message

    def matching(
        self,
        where: Where,
        *,
        among: Sequence[str] = REDRIVABLE,
        after: int = 0,
        limit: int = BATCH,
    ) -> Iterator[list[int]]:
        """The ids of the inputs that are meant, in the states `among`, from the oldest on, in lists
        of at most `limit`. What comes in the meantime is not among them.

        Raises `NotOpen` for an id in another state, and `NoSuchInput`.
        """
        if where.kept_ids is not None:
            with self._datastore.transaction() as cursor:
                for row in _standing(cursor, where.kept_ids):
                    _check(row, among)
        where = replace(where, states=[state for state in where.states if state in among])
        until: int | None = None
        while True:
            with self._datastore.transaction() as cursor:
                if until is None:
                    cursor.execute(_SQL["last"])
                    [until] = cursor.fetchone() or (0,)
                cursor.execute(
                    _SQL["select"],
                    {**where.parameters(), "after": after, "until": until, "limit": limit},
                )
                kept_ids = [kept_id for (kept_id,) in cursor.fetchall()]
            if not kept_ids:
                return
            yield kept_ids
            after = kept_ids[-1]

    def redrive(
        self,
        kept_ids: Sequence[int],
        *,
        who: str,
        dry_run: bool = False,
        actor: Actor | None = None,
    ) -> list[Redriven]:
        """Take rejected and conflicting inputs through the intake again, in one transaction.

        In the order in which they came, by today's schemas and rules, with the time and the name
        that they were received with. A `dry_run` only says how they would end, else `actor` goes on
        record. Raises `NotOpen`, `NoSuchInput`, and what `Intake.take` raises; nothing was done
        then.
        """
        with self._datastore.transaction() as cursor:
            rows = _standing(cursor, kept_ids)
            messages = kept.messages(cursor, self.keyring, kept_ids)
        for row in rows:
            _check(row, REDRIVABLE)
        inputs = [(r.again(), messages[r.kept_id]) for r in rows if r.kept_id in messages]
        try:
            told = told_of(actor, _access("redriven", [again.kept_id for again, _ in inputs]))
            errand = Redrive(inputs, who)
            receipts = self._carry_out(errand, told, dry_run=dry_run) if inputs else []
        except (PersistenceError, NotOpen):
            raise
        except Exception as error:
            return self._one_by_one(rows, error, who=who, dry_run=dry_run, actor=actor)
        ended = {again.kept_id: each for (again, _), each in zip(inputs, receipts, strict=True)}
        return [
            Redriven(row.kept_id, *ended[row.kept_id])
            if row.kept_id in ended
            else row.redriven(row.state, ERASED, _ERASED_TEXT)
            for row in rows
        ]

    def repair(
        self,
        kept_id: int,
        repaired: Repaired,
        *,
        who: str,
        dry_run: bool = False,
        actor: Actor | None = None,
    ) -> Redriven:
        """Take a repaired version of a parked, rejected or conflicting input in its place.

        It is received as an input of its own, by the name and time of the original where it names
        none. Raises `InputErased`, `RegistryUnavailable`, and what `redrive` raises.
        """
        with self._datastore.transaction() as cursor:
            [row] = _standing(cursor, [kept_id])
            original = kept.messages(cursor, self.keyring, [kept_id]).get(kept_id)
        _check(row, OPEN)
        if original is None:
            raise InputErased(kept_id)
        attributes = {**original.attributes, **repaired.attributes}
        message = replace(
            original,
            body=original.body if repaired.body is None else repaired.body,
            attributes={name: value for name, value in attributes.items() if value},
        )
        first = kept_id if row.repairs is None else row.repairs
        errand = Repair(row.again(), row.parked(), first, message, who)
        told = told_of(actor, _access("repaired", [kept_id]))
        [receipt] = self._carry_out(errand, told, dry_run=dry_run)
        return Redriven(kept_id, *receipt)

    def discard(
        self, kept_ids: Sequence[int], *, who: str, reason: str, actor: Actor | None = None
    ) -> None:
        """Put inputs aside for good, in one transaction; what waited behind them goes on.

        Raises ValueError without a reason, `NotOpen`, `NoSuchInput`, and what `Intake.take` raises.
        """
        if not reason.strip():
            raise ValueError("a discard needs a reason: it stays on record")
        with self._datastore.transaction() as cursor:
            rows = _standing(cursor, kept_ids)
        for row in rows:
            _check(row, OPEN)
        parked = [parked for row in rows if (parked := row.parked()) is not None]
        states = {row.kept_id: row.state for row in rows}
        if states:
            told = told_of(actor, _access("discarded", list(states), reason.strip()))
            self._carry_out(Discard(states, parked, who, reason.strip()), told)

    def _carry_out(
        self, errand: Errand, told: Sequence[Message], *, dry_run: bool = False
    ) -> list[Receipt]:
        try:
            return self._intake.carry_out(errand, dry_run=dry_run, on_record=told)
        except Moved as moved:
            raise NotOpen(f"{moved}; nothing was done, look again") from moved

    def _one_by_one(
        self,
        rows: Sequence[_Standing],
        error: Exception,
        *,
        who: str,
        dry_run: bool,
        actor: Actor | None,
    ) -> list[Redriven]:
        """One input on which the program itself fails, or whose schema cannot be looked up now,
        must not hold up the others.
        """
        if len(rows) > 1:
            return [
                done
                for row in rows
                for done in self.redrive([row.kept_id], who=who, dry_run=dry_run, actor=actor)
            ]
        [row] = rows
        if isinstance(error, RegistryUnavailable):
            explanation = f"{_REGISTRY_AWAY_TEXT} ({error})"
            return [row.redriven(row.state, REGISTRY_AWAY, explanation)]
        if not dry_run:
            step = Step(datetime.now(UTC), "redriven", row.state, PROGRAM_FAILED, who=who)
            with self._datastore.transaction() as cursor:
                record(cursor, [(row.kept_id, step)])
        return [row.redriven(row.state, PROGRAM_FAILED, failure(error))]


def _access(action: str, kept_ids: Sequence[int], why: str | None = None) -> Access:
    return Access(action, kind="input", ids=[str(each) for each in kept_ids], details=why)


def _standing(cursor: PgCursor, kept_ids: Sequence[int]) -> list[_Standing]:
    cursor.execute(_SQL["standing"], {"kept_ids": list(kept_ids)})
    rows = [_Standing._make(row) for row in cursor.fetchall()]
    missing = set(kept_ids) - {row.kept_id for row in rows}
    if missing:
        raise NoSuchInput(min(missing))
    return rows


def _check(row: _Standing, states: Sequence[str]) -> None:
    if row.state in states:
        return
    if row.state == "parked":
        raise NotOpen(
            f"input {row.kept_id} is parked: it is appended by itself once {row.waits_for} is "
            "there; if that never comes, repair or discard it"
        )
    raise NotOpen(f"input {row.kept_id} is {row.state} already; nothing is left to do about it")


def _rows(cursor: PgCursor, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    cursor.execute(_SQL[statement], parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]
