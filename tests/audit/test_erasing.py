"""Erasing a person: nobody can read what was personal any more, and nothing else changes."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from domain import EVENT_TYPES
from ledger import kept
from ledger.datastore import Datastore
from ledger.erasing import Eraser, Erasure, NotOnHold, OnHold, erasure_of
from ledger.keys import KEY_BYTES, DataKey, Keyring, MasterKey, MasterKeyError
from projections.answers import snapshot
from projections.queries import channels, timeline
from schemas import codec
from schemas.message import Message
from tests.intake.door import MASTER, Door, cloudevent, complaint, promise, raw, touchpoint
from tests.projections.history import rows_of, runner

SECRET = "Ada Lovelace, 12 St James's Square"


@pytest.fixture
def door(datastore: Datastore) -> Door:
    return Door(datastore)


@pytest.fixture
def eraser(door: Door) -> Eraser:
    return Eraser(door.datastore, door.keyring, door.intake)


def said(datastore: Datastore, master: MasterKey = MASTER) -> list[bytes]:
    """Everything in the database that somebody who has it and the master key can read."""
    with datastore.transaction() as cursor:
        cursor.execute("SELECT subject, wrapped FROM ledger.keys WHERE wrapped IS NOT NULL")
        keys = [DataKey(master.unwrap(subject, bytes(key))) for subject, key in cursor.fetchall()]
        cursor.execute(
            "SELECT replace(event_id::text, '-', ''), personal FROM ledger.events"
            " WHERE personal IS NOT NULL"
            " UNION ALL SELECT replace(event_id::text, '-', ''), sealed FROM intake.kept"
        )
        sealed = [(event_id.encode(), bytes(box)) for event_id, box in cursor.fetchall() if box]
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = cursor.fetchall()
        plain = []
        for schema, table in tables:
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{schema}"."{table}" AS t')
            plain += [row.encode() for (row,) in cursor.fetchall()]
    return plain + [opened for context, box in sealed for opened in _opened(keys, context, box)]


def _opened(keys: list[DataKey], context: bytes, box: bytes) -> Iterator[bytes]:
    for key in keys:
        try:
            yield key.open(box, context)
        except InvalidTag:
            continue


def found(datastore: Datastore, secret: str = SECRET) -> int:
    return sum(secret.encode() in text for text in said(datastore))


def erase(door: Door, eraser: Eraser) -> Erasure:
    """Erase the customer, and say what it came to."""
    position = eraser.erase("C-1", basis="article 17")
    with door.datastore.transaction() as cursor:
        done = erasure_of(cursor, "C-1")
    assert done is not None
    assert (done.position, done.basis) == (position, "article 17")
    return done


def everything_personal(door: Door) -> None:
    """Personal data in every place that it can get to."""
    door.take(
        touchpoint("T-1", note=SECRET, contact=SECRET),
        complaint("raised", data={"description": SECRET}),
        complaint("apologized", data={"words": SECRET}),
        # parked: its promise is not known
        complaint("acknowledged", "K-later", data={"words": SECRET}, id="parked"),
        # a conflict with what is there, and what contradicts the schema
        complaint("raised", data={"description": SECRET}, id="again"),
        touchpoint("T-2", note=SECRET, channel=None),
        # so broken that nobody can say whose it is
        raw(
            b'{"specversion": "1.0", "data": {"customer_id": "C-1", "note": "%s"' % SECRET.encode()
        ),
    )


def test_nothing_personal_can_be_read_after_it(door: Door, eraser: Eraser) -> None:
    everything_personal(door)
    door.take(touchpoint("T-9", "C-2", note="of another customer"))
    assert found(door.datastore) == 7
    done = erase(door, eraser)
    assert found(door.datastore) == 0
    assert found(door.datastore, "of another customer") == 1
    assert (done.personal_events, len(done.inputs), len(done.reduced)) == (3, 3, 1)
    [last] = door.query("SELECT type, source, personal FROM ledger.events WHERE position = %s",
                        done.position)  # fmt: skip
    assert last == ("customer.erased.v1", "servicetrail", None)
    assert door.differences() == []


RECORD = {"touchpoint_id": "T-1", "channel": "mail", "direction": "inbound"}
WITHOUT_PERSONAL: dict[str, dict[str, Any]] = {
    "touchpoint.recorded.v1": RECORD,
    "touchpoint.corrected.v1": {
        "touchpoint_id": "T-1",
        "reason": "typo",
        "corrected": RECORD | {"customer_id": "C-1"},
    },
    "feedback.given.v1": {"feedback_id": "F-1", "kind": "explicit", "instrument": "open"},
    "complaint.raised.v1": {"complaint_id": "K-1", "channel": "mail"},
    "complaint.acknowledged.v1": {"complaint_id": "K-1"},
    "complaint.apologized.v1": {"complaint_id": "K-1", "admits_fault": True},
}


def test_every_personal_field_of_every_type_is_erased(door: Door, eraser: Eraser) -> None:
    personal = [type_ for type_ in EVENT_TYPES if codec.pii_fields(type_)]
    assert personal == [*WITHOUT_PERSONAL]
    for type_ in personal:
        data = deepcopy(WITHOUT_PERSONAL[type_]) | {"customer_id": "C-1"}
        for path in codec.pii_fields(type_):
            outer, _, name = path.rpartition(".")
            (data[outer] if outer else data)[name] = SECRET
        assert door.outcomes(cloudevent(type_, data)) == ["appended"]
    assert found(door.datastore) == len(personal)
    eraser.erase("C-1", basis="article 17")
    assert found(door.datastore) == 0


def test_no_count_and_no_duration_changes(door: Door, eraser: Eraser) -> None:
    everything_personal(door)
    runner(door.datastore).catch_up()
    now = datetime.now(UTC)

    def figures() -> Any:
        with snapshot(door.datastore) as cursor:
            return channels(cursor, as_of=now).rows, timeline(cursor, "C-1", as_of=now).rows

    before, rows = figures(), rows_of(door.datastore)
    eraser.erase("C-1", basis="article 17")
    runner(door.datastore).catch_up()
    assert figures() == before
    after = rows_of(door.datastore)
    assert {name for name in rows if rows[name] != after[name]} <= {"timeline"}
    assert len(after["timeline"]) == len(rows["timeline"]) + 1


def test_what_waits_goes_on_waiting_without_its_personal_part(door: Door, eraser: Eraser) -> None:
    door.take(complaint("acknowledged", "K-7", data={"words": SECRET}, id="waits", minutes=5))
    done = erase(door, eraser)
    assert (done.inputs, len(done.reduced)) == ([], 1)
    assert door.outcomes(complaint("raised", "K-7", id="comes")) == ["appended"]
    assert door.ids()[-2:] == ["comes", "waits"]
    [row] = door.query("SELECT occurred_at, personal FROM ledger.events WHERE id = 'waits'")
    assert row == (datetime(2026, 3, 2, 12, 5, tzinfo=UTC), None)
    assert door.differences() == []


def test_what_is_told_later_is_lost_at_once(door: Door, eraser: Eraser) -> None:
    door.take(touchpoint("T-1", note=SECRET))
    eraser.erase("C-1", basis="article 17")
    # This keyring had the key before it was destroyed; a program that starts now never had it.
    for number, intake in enumerate([door.intake, Door(door.datastore).intake]):
        [receipt] = intake.take([touchpoint(f"T-{number + 5}", note=SECRET)])
        assert receipt.outcome == "appended"
    assert found(door.datastore) == 0


def test_the_program_that_erases_forgets_the_key_at_once(door: Door, eraser: Eraser) -> None:
    before = door.keyring.for_sealing(["customer:C-1"])["customer:C-1"]
    eraser.erase("C-1", basis="article 17")
    sealed = door.keyring.for_sealing(["customer:C-1"])["customer:C-1"].seal(b"plain", b"")
    with pytest.raises(InvalidTag):
        before.open(sealed, b"")


def test_a_customer_who_never_said_anything_personal(door: Door, eraser: Eraser) -> None:
    door.take(touchpoint("T-1"))
    eraser.erase("C-1", basis="article 17")
    door.take(touchpoint("T-2", note=SECRET))
    assert found(door.datastore) == 0


def test_a_second_erasure_takes_what_came_to_light_since(door: Door, eraser: Eraser) -> None:
    first = eraser.erase("C-1", basis="article 17")
    door.take(raw(b'not even JSON about C-1: "%s"' % SECRET.encode()))
    assert found(door.datastore) == 1
    second = eraser.erase("C-1", basis="article 17")
    assert found(door.datastore) == 0
    assert second > first


def avro(text: str) -> bytes:
    """A text as Avro writes it, with one behind it whose length looks like a letter or digit."""
    return bytes([2 * len(text)]) + text.encode() + bytes([2 * 25]) + b"x" * 25


HOW = {
    "in Avro": raw(b"\xc3\x01unknown!" + avro("C/1") + SECRET.encode(), "application/avro"),
    "in an attribute": replace(
        raw(b"{" + SECRET.encode(), "application/json"), attributes={"subject": "C/1"}
    ),
    "in what it carried": replace(raw(b"{" + SECRET.encode()), carried={"key": "C/1"}),
    "with a slash escaped": raw(b'{"customer_id": "C\\/1", "note": "' + SECRET.encode()),
    "in Base64": raw(b'{"data_base64": "' + b64encode(b"??" + avro("C/1") + SECRET.encode())),
    "in URL-safe Base64, cut off": raw(
        b'{"data_base64": "' + urlsafe_b64encode(avro("C/1") + b"\xff\xfe" + SECRET.encode())[:-3]
    ),
    "in UTF-16": raw(f'{{"customer_id": "C/1", "note": "{SECRET}'.encode("utf-16")),
}


@pytest.mark.parametrize("message", HOW.values(), ids=HOW)
def test_an_unreadable_input_is_found_however_it_names_the_customer(
    message: Message, door: Door, eraser: Eraser
) -> None:
    assert door.outcomes(message) == ["rejected"]
    assert door.query("SELECT customer_id FROM intake.kept") == [(None,)]
    eraser.erase("C/2", basis="article 17")
    assert readable(door) == 1
    eraser.erase("C/1", basis="article 17")
    assert readable(door) == 0


def readable(door: Door) -> int:
    """How many kept inputs there are that can be opened."""
    with door.datastore.transaction() as cursor:
        cursor.execute("SELECT kept_id FROM intake.kept")
        return len(kept.messages(cursor, door.keyring, [kept_id for (kept_id,) in cursor]))


def test_an_id_inside_another_word_is_not_meant(door: Door, eraser: Eraser) -> None:
    door.take(raw(b'broken, about C-10: "Grace Hopper"'))
    assert erase(door, eraser).inputs == []
    assert found(door.datastore, "Grace Hopper") == 1


def test_a_hold_refuses_erasure_until_it_is_lifted(door: Door, eraser: Eraser) -> None:
    door.take(touchpoint("T-1", note=SECRET))
    eraser.hold("C-1", reason="dispute 12/2026", who="E-1")
    with pytest.raises(OnHold, match="dispute 12/2026"):
        eraser.erase("C-1", basis="article 17")
    assert found(door.datastore) == 1
    assert "customer.erased.v1" not in str(door.query("SELECT type FROM ledger.events"))
    eraser.lift_hold("C-1", reason="settled", who="E-1")
    eraser.erase("C-1", basis="article 17")
    assert found(door.datastore) == 0
    with pytest.raises(NotOnHold):
        eraser.lift_hold("C-1", reason="again", who="E-1")


@pytest.mark.parametrize("type_", ["erased", "hold_placed", "hold_lifted"])
def test_nobody_else_may_say_it(door: Door, type_: str) -> None:
    data = {"customer_id": "C-1", "basis": "x", "reason": "x"}
    [receipt] = door.take(cloudevent(f"customer.{type_}.v1", data))
    assert (receipt.outcome, receipt.reason) == ("rejected", "reserved_type")


def test_another_master_key_wraps_every_key(door: Door) -> None:
    door.take(touchpoint("T-1", note=SECRET), promise("kept", "P-unknown"))
    other = MasterKey(bytes(reversed(range(KEY_BYTES))))
    assert door.keyring.rewrap(other) == 1
    with pytest.raises(MasterKeyError, match="another master key"):
        Keyring(door.datastore, MASTER).check()
    Keyring(door.datastore, other).check()
    assert sum(SECRET.encode() in text for text in said(door.datastore, other)) == 1
    assert door.outcomes(promise("made", "P-unknown")) == ["appended"]
    assert len(door.ids()) == 3
