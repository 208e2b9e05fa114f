"""Events that Servicetrail writes itself, as messages for `Intake.record`."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from schemas.message import Message

SOURCE = "servicetrail"
"""The source of the events that Servicetrail writes itself."""


def own_event(type_: str, data: Mapping[str, Any], now: datetime) -> Message:
    """An event of our own. Its id says what it is, and is another one each time."""
    told = json.dumps([type_, data, now.isoformat()], sort_keys=True)
    attributes = {
        "id": f"{type_} {sha256(told.encode()).hexdigest()[:32]}",
        "source": SOURCE,
        "type": type_,
        "time": now.isoformat(),
    }
    return Message(
        body=json.dumps(data).encode(),
        content_type="application/json",
        attributes=attributes,
        default_source=SOURCE,
        default_id=attributes["id"],
        default_time=now,
    )
