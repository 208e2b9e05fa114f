"""Inputs that did not simply become an event: parked, in conflict, rejected.

They are kept byte for byte, sealed with the key of the customer they name (or the intake's),
because an input may hold personal data anywhere, above all where it does not belong.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from eventsourcing.persistence import OperationalError
from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import Json, execute_values

from ledger.keys import DataKey, Keyring, customer_subject
from ledger.sql import named_queries, text_array
from schemas.message import Message

_SQL = named_queries(Path(__file__).with_name("kept.sql"))
_SHOWN_CHARACTERS = 200
_COLUMNS = 19
_ROW = f"({'%s, ' * _COLUMNS}CASE %s WHEN 'parked' THEN nextval('intake.queue_changes') END)"


class Moved(OperationalError):
    """A kept input was redriven or discarded while something else was being done about it. Nothing
    was written: look again.
    """


class Kept(NamedTuple):
    """An input to be kept, and why. `repairs` is the kept input of which it is a repaired one."""

    message: Message
    state: str  # parked, conflict, rejected
    event_id: str
    source: str
    id: str
    type: str | None
    customer_id: str | None
    stream_id: str | None
    waits_for: str | None
    reason: str
    explanation: str
    path: str | None
    sequence: int | None
    repairs: int | None = None


class Parked(NamedTuple):
    """A parked input, without its bytes."""

    kept_id: int
    event_id: str
    stream_id: str
    waits_for: str
    reason: str
    source: str
    first_seen: datetime


class Again(NamedTuple):
    """A kept input that is taken through the door once more: what it was until then."""

    kept_id: int
    state: str
    customer_id: str | None


def keep(
    cursor: PgCursor,
    keyring: Keyring,
    inputs: Sequence[Kept],
    keys: Mapping[str, DataKey],
    now: datetime,
) -> list[tuple[int, Mapping[str, Any]]]:
    """Keep each input, sealed with the key of its customer, out of `keys`. Gives the kept id and
    the origin of each, in any order.

    A conflict or rejection that is kept already, byte for byte, counts as one more attempt. Whoever
    parks holds the ledger's lock. Raises psycopg2's `UniqueViolation` for an event that is parked
    already, and `Moved`.
    """
    seen_again = _find_again(cursor, keyring, inputs)
    if seen_again:
        cursor.execute(_SQL["attempted"], {"kept_ids": sorted(seen_again.values()), "now": now})
        if cursor.rowcount != len(seen_again):
            raise Moved("an input that came again was redriven or discarded at the same time")
    found: list[tuple[int, Mapping[str, Any]]]
    found = [(kept_id, inputs[index].message.origin) for index, kept_id in seen_again.items()]
    new = [_row(kept, keys, now) for index, kept in enumerate(inputs) if index not in seen_again]
    found += execute_values(cursor, _SQL["keep"], new, _ROW, fetch=True)
    return found


def parked_of(cursor: PgCursor, stream_ids: Iterable[str]) -> dict[str, list[Parked]]:
    """What is parked of each of the streams, in the order in which it waits."""
    cursor.execute(_SQL["parked_of"], {"stream_ids": text_array(stream_ids)})
    queues: dict[str, list[Parked]] = {}
    for row in cursor.fetchall():
        parked = Parked._make(row)
        queues.setdefault(parked.stream_id, []).append(parked)
    return queues


def parked_events(cursor: PgCursor, event_ids: Iterable[str]) -> dict[str, Parked]:
    """Which of the events are parked, by event id."""
    cursor.execute(_SQL["parked_events"], {"event_ids": text_array(event_ids)})
    return {row[1]: Parked._make(row) for row in cursor.fetchall()}


def states(cursor: PgCursor, event_ids: Iterable[str]) -> dict[str, str]:
    """What became of inputs that were parked: the state in which each is kept now, by event id."""
    cursor.execute(_SQL["states"], {"event_ids": text_array(event_ids)})
    return dict(cursor.fetchall())


def messages(cursor: PgCursor, keyring: Keyring, kept_ids: Iterable[int]) -> dict[int, Message]:
    """The kept inputs as they arrived. Those whose customer was erased are left out."""
    cursor.execute(_SQL["sealed"], {"kept_ids": list(kept_ids)})
    rows = cursor.fetchall()
    keys = keyring.for_opening(cursor, (subject for _, _, subject, _, _ in rows))
    return {
        kept_id: _unpack(keys[subject].open(bytes(sealed), event_id.encode()), origin)
        for kept_id, event_id, subject, sealed, origin in rows
        if subject in keys
    }


def settle(cursor: PgCursor, positions: Mapping[int, int | None], now: datetime) -> None:
    """Parked inputs (by kept id) were appended at these positions."""
    cursor.execute(
        _SQL["settle"],
        {"kept_ids": list(positions), "positions": list(positions.values()), "now": now},
    )


def refuse(cursor: PgCursor, kept: Kept, now: datetime) -> int | None:
    """A parked input turned out to be in conflict or rejected; its kept id, if it was parked."""
    cursor.execute(_SQL["refuse"], {**_why(kept), "state": kept.state, "now": now})
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def wait_on(cursor: PgCursor, kept: Kept) -> None:
    """A parked input got what it waited for, and now waits for something else."""
    cursor.execute(_SQL["wait_on"], {**_why(kept), "waits_for": kept.waits_for})


def _why(kept: Kept) -> dict[str, str | None]:
    return {
        "event_id": kept.event_id,
        "reason": kept.reason,
        "message": kept.explanation,
        "path": kept.path,
    }


def _find_again(cursor: PgCursor, keyring: Keyring, inputs: Sequence[Kept]) -> dict[int, int]:
    """Index of each input that is kept already in the same state → its kept id."""
    cursor.execute(_SQL["same_event"], {"event_ids": text_array(kept.event_id for kept in inputs)})
    candidates: dict[tuple[str, str], list[int]] = {}
    for kept_id, event_id, state in cursor.fetchall():
        candidates.setdefault((event_id, state), []).append(kept_id)
    if not candidates:
        return {}
    bodies = messages(cursor, keyring, [k for kept_ids in candidates.values() for k in kept_ids])
    again: dict[int, int] = {}
    for index, kept in enumerate(inputs):
        for kept_id in candidates.get((kept.event_id, kept.state), ()):
            if kept_id in bodies and _same(bodies[kept_id], kept.message):
                again[index] = kept_id
    return again


def _same(one: Message, other: Message) -> bool:
    return one.body == other.body and dict(one.attributes) == dict(other.attributes)


def _row(kept: Kept, keys: Mapping[str, DataKey], now: datetime) -> tuple[object, ...]:
    subject = customer_subject(kept.customer_id)
    return (
        kept.state,
        kept.state,
        kept.event_id,
        shown(kept.source),
        shown(kept.id),
        kept.type and shown(kept.type),
        kept.customer_id,
        kept.stream_id,
        kept.waits_for,
        kept.reason,
        kept.explanation,
        kept.path,
        kept.sequence,
        Json(dict(kept.message.origin)),
        subject,
        seal(kept.message, keys[subject], kept.event_id),
        now,
        now,
        kept.repairs,
        kept.state,
    )


def seal(message: Message, key: DataKey, event_id: str) -> bytes:
    """The message as it is kept: encrypted, and bound to the event id that the row has."""
    return key.seal(_pack(message), event_id.encode())


def shown(text: str) -> str:
    """Foreign text as it can be stored and shown: real Unicode, no NUL, at most 200 characters."""
    text = storable(text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def storable(text: str) -> str:
    """Foreign text as it can be stored, in full: real Unicode, no NUL."""
    return encodable(text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def encodable(text: str) -> str:
    """The text without what cannot be written as UTF-8 (half surrogate pairs)."""
    return text.encode(errors="replace").decode()


def _pack(message: Message) -> bytes:
    envelope = {
        "content_type": message.content_type,
        "attributes": dict(message.attributes),
        "default_source": message.default_source,
        "default_id": message.default_id,
        "default_time": message.default_time.isoformat(),
        "carried": dict(message.carried),
    }
    return json.dumps(envelope).encode() + b"\n" + message.body


def _unpack(packed: bytes, origin: Mapping[str, object]) -> Message:
    envelope, _, body = packed.partition(b"\n")
    fields = json.loads(envelope)
    fields["default_time"] = datetime.fromisoformat(fields["default_time"])
    return Message(body=body, origin=origin, **fields)
