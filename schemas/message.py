"""What arrived, before anyone looked inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Message:
    """One input; every way in (file, HTTP, Kafka) makes these.

    body: the bytes as they came.
    content_type: `application/cloudevents+json` (structured mode), `application/avro` or
        `application/json` (binary mode), or empty: told from the bytes.
    attributes: CloudEvents attributes in binary mode, names without `ce-` or `ce_`.
    default_source, default_id, default_time: used where the message names none, such as
        `file:calls.jsonl`, `line 17` and the time of receipt (aware, UTC).
    origin: where exactly it came from, for people, such as {"file": …, "line": …}.
    carried: what else came with it, such as a Kafka record's key and headers, as JSON values. It is
        never read, and sealed like the body where the message is kept.
    """

    body: bytes
    content_type: str
    attributes: Mapping[str, str]
    default_source: str
    default_id: str
    default_time: datetime
    origin: Mapping[str, Any] = field(default_factory=dict)
    carried: Mapping[str, Any] = field(default_factory=dict)
