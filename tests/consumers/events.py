"""Events as channel systems publish them, in every form."""

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import codec
from schemas.message import Message
from schemas.reading import read

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Headers = list[tuple[str, bytes]]
_numbers = itertools.count(1)


@dataclass
class Published:
    """One event, ready in every form. `key` is its customer's."""

    type: str
    data: dict[str, Any]
    source: str = "test"
    id: str = ""
    time: datetime = NOON
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = self.id or f"e-{next(_numbers)}"

    @property
    def key(self) -> bytes:
        return str(self.data["customer_id"]).encode()

    @property
    def attributes(self) -> dict[str, str]:
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time.isoformat(),
            "partitionkey": self.data["customer_id"],
            **self.more,
        }

    def headers(self, content_type: str) -> Headers:
        """The headers of binary mode."""
        attributes = [(f"ce_{name}", value.encode()) for name, value in self.attributes.items()]
        return [*attributes, ("content-type", content_type.encode())]

    @property
    def structured(self) -> bytes:
        """The value in structured mode."""
        envelope = {**self.attributes, "datacontenttype": "application/json", "data": self.data}
        return json.dumps(envelope).encode()

    @property
    def json_data(self) -> bytes:
        return json.dumps(self.data).encode()

    @property
    def bare(self) -> bytes:
        """The data as a bare Avro datum."""
        structured = Message(self.structured, "", {}, "", "", NOON)
        return codec.encode(self.type, read(structured, now=NOON + timedelta(days=1)).data)

    @property
    def single_object(self) -> bytes:
        """The data in Avro single-object encoding."""
        fingerprint = codec.fingerprint_of(self.type)
        return b"\xc3\x01" + fingerprint[::-1] + self.bare

    def confluent(self, schema_id: int) -> bytes:
        """The data in the Confluent wire format."""
        return b"\x00" + schema_id.to_bytes(4, "big") + self.bare


def touchpoint(touchpoint_id: str, customer_id: str, **more: Any) -> Published:
    """A letter from a customer."""
    data = {
        "touchpoint_id": touchpoint_id,
        "customer_id": customer_id,
        "channel": "mail",
        "direction": "inbound",
    }
    return Published("touchpoint.recorded.v1", data, **more)


def complaint(step: str, complaint_id: str, customer_id: str, **more: Any) -> Published:
    """A step of a complaint, such as `raised`."""
    data: dict[str, Any] = {"complaint_id": complaint_id, "customer_id": customer_id}
    data |= {
        "raised": {"channel": "mail"},
        "apologized": {"admits_fault": True},
        "amends_offered": {"amends_id": complaint_id, "kind": "refund"},
        "amends_answered": {"amends_id": complaint_id, "accepted": True},
        "explained": {"reason": "what came of it"},
        "closed": {"outcome": "upheld"},
    }.get(step, {})
    return Published(f"complaint.{step}.v1", data, **more)
