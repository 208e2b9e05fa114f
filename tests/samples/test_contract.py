"""The samples keep to the published language, every event of them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from samples import boston311
from schemas.message import Message
from schemas.reading import read
from tests.samples import wabo
from tests.samples.test_boston311 import FILES

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_event_of_boston_can_be_read() -> None:
    for path in FILES.values():
        assert_readable(boston311.events(path))


def test_every_event_of_the_wabo_log_can_be_read() -> None:
    assert_readable(wabo.events(wabo.shared_log() / "receipt.csv.gz"))


def assert_readable(events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        message = Message(json.dumps(event).encode(), "", {}, "file:sample", "line", NOW)
        read_back = read(message, now=NOW)
        assert (read_back.source, read_back.id) == (event["source"], event["id"])
        assert read_back.occurred_at == datetime.fromisoformat(event["time"])
