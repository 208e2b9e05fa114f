"""Messages to put through the door, and the door."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.account import Difference, Line, account, differences
from ledger.candidates import Receipt
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring, MasterKey
from schemas.message import Message

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MASTER = MasterKey(bytes(range(32)))


class Door:
    """An intake on a database of the test's own, and what it left there."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self.keyring = Keyring(datastore, MASTER)
        self.intake = Intake(datastore, self.keyring)

    def take(self, *messages: Message) -> list[Receipt]:
        return self.intake.take(messages)

    def outcomes(self, *messages: Message) -> list[str]:
        return [receipt.outcome for receipt in self.take(*messages)]

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.datastore.transaction() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def ledger(self) -> list[tuple[int, str, str]]:
        """Position, id and stream of every event."""
        return self.query("SELECT position, id, originator_id FROM ledger.events ORDER BY position")

    def ids(self) -> list[str]:
        """The ids of the events, in the order of the ledger."""
        return [row[1] for row in self.ledger()]

    def account(self, since: datetime | None = None) -> dict[str, Line]:
        with self.datastore.transaction() as cursor:
            return {line.source: line for line in account(cursor, since=since)}

    def differences(self) -> list[Difference]:
        with self.datastore.transaction() as cursor:
            return differences(cursor)


_numbers = itertools.count(1)


def cloudevent(
    type_: str,
    data: dict[str, Any],
    *,
    id: str | None = None,  # noqa: A002 - the attribute's name
    source: str = "test",
    minutes: float = 0,
    **attributes: Any,
) -> Message:
    """A structured CloudEvent, `minutes` after noon."""
    envelope = {
        "specversion": "1.0",
        "id": id or f"e-{next(_numbers)}",
        "source": source,
        "type": type_,
        "time": (NOON + timedelta(minutes=minutes)).isoformat(),
        "datacontenttype": "application/json",
        **attributes,
        "data": data,
    }
    return raw(json.dumps(envelope).encode())


def raw(body: bytes, content_type: str = "application/cloudevents+json") -> Message:
    """A message of any bytes, line 1 of a file."""
    return Message(
        body=body,
        content_type=content_type,
        attributes={},
        default_source="file:test.jsonl",
        default_id="line 1",
        default_time=NOON,
        origin={"file": "test.jsonl", "line": 1},
    )


def touchpoint(touchpoint_id: str, customer_id: str = "C-1", **more: Any) -> Message:
    fields = ("note", "contact", "direction", "channel")
    given: dict[str, Any] = {name: more.pop(name) for name in fields if name in more}
    data: dict[str, Any] = {
        "touchpoint_id": touchpoint_id,
        "customer_id": customer_id,
        "channel": "mail",
        "direction": "inbound",
        **given,
    }
    return cloudevent("touchpoint.recorded.v1", data, **more)


def promise(event: str, promise_id: str = "P-1", customer_id: str = "C-1", **more: Any) -> Message:
    data: dict[str, Any] = {"promise_id": promise_id, "customer_id": customer_id}
    if event == "made":
        data |= {
            "statement": "delivered by Friday",
            "channel": "mail",
            "due_at": "2026-03-06T17:00:00Z",
        }
    data |= more.pop("data", {})
    return cloudevent(f"promise.{event}.v1", data, **more)


def complaint(
    event: str, complaint_id: str = "K-1", customer_id: str = "C-1", **more: Any
) -> Message:
    data: dict[str, Any] = {"complaint_id": complaint_id, "customer_id": customer_id}
    required: dict[str, dict[str, Any]] = {
        "raised": {"channel": "mail"},
        "apologized": {"admits_fault": True},
        "closed": {"outcome": "upheld"},
    }
    data |= required.get(event, {})
    data |= more.pop("data", {})
    return cloudevent(f"complaint.{event}.v1", data, **more)


def offered(amends_id: str, **more: Any) -> Message:
    return complaint("amends_offered", data={"amends_id": amends_id, "kind": "refund"}, **more)


def answered(amends_id: str, **more: Any) -> Message:
    return complaint("amends_answered", data={"amends_id": amends_id, "accepted": True}, **more)


def reasons(receipts: Sequence[Receipt]) -> list[str | None]:
    return [receipt.reason for receipt in receipts]
