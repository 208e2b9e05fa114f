"""A channel system that publishes as fast as it can, in a process that tests kill.

`python -m tests.publisher.busy BROKERS OUTBOX TOPICS FIRST COUNT`: TOPICS is a JSON object by
family. After each `publish` that returned, it writes the event's number in a line.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from servicetrail.publisher import Publisher

SOURCE = "busy.example"
CUSTOMERS = 7


def touchpoint(number: int) -> dict[str, Any]:
    """The data of an event; the customers take turns."""
    return {
        "touchpoint_id": f"T-{number}",
        "customer_id": f"C-{number % CUSTOMERS}",
        "channel": "chat",
        "direction": "inbound",
        "note": f"visitor {number}",
    }


def publish(publisher: Publisher, numbers: range) -> Iterator[int]:
    """Publish touchpoints, and say which, one by one."""
    for number in numbers:
        publisher.publish(
            "touchpoint.recorded.v1",
            touchpoint(number),
            id=f"e-{number}",
            source=SOURCE,
            time=f"2026-03-02T12:{number // 60 % 60:02}:{number % 60:02}Z",
        )
        yield number


def main(servers: str, outbox: str, topics: str, first: str, count: str) -> None:
    numbers = range(int(first), int(first) + int(count))
    with Publisher(servers, outbox, topics=json.loads(topics)) as publisher:
        for number in publish(publisher, numbers):
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
