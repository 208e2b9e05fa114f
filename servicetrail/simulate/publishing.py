"""From happenings to events: numbered per source, published in time, late, out of order or twice.

What is published does not depend on how: with the same seed, publishing late, out of order or twice
gives the same events in another order, some of them again.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from servicetrail.simulate.chance import DAY, HOUR, between
from servicetrail.simulate.clockwork import Happening
from servicetrail.simulate.hours import instant

CloudEvent = dict[str, Any]
"""A structured CloudEvent of which every value is ready for JSON."""

LONGEST_HOLD = 500
"""Events that pass by, at most, before one that was held back is published."""


def numbered(
    happenings: Iterable[Happening], rng: Random, gaps: float
) -> Iterator[tuple[int, CloudEvent]]:
    """The events with the instant of each, in seconds since 1970.

    Each source counts its own from 1. `gaps` is the share of numbers that it skips, as if an event
    had been lost on its side.
    """
    counts: dict[str, int] = {}
    for at, source, type_, subject, correlation_id, data in happenings:
        number = counts.get(source, 0) + 1
        if gaps and rng.random() < gaps:
            number += 1
        counts[source] = number
        event = {
            "specversion": "1.0",
            "source": source,
            "id": f"{source}-{number}",
            "type": type_,
            "time": instant(at),
            "subject": subject,
            "partitionkey": subject,
            "datacontenttype": "application/json",
            "sequence": str(number),
            "data": data,
        }
        if correlation_id:
            event["correlationid"] = correlation_id
        yield at, event


def late(
    events: Iterable[tuple[int, CloudEvent]], rng: Random, share: float
) -> Iterator[CloudEvent]:
    """That share is published hours to days after it happened; the rest when it happens."""
    waiting: list[tuple[int, int, CloudEvent]] = []
    for count, (at, event) in enumerate(events):
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
        if rng.random() < share:
            delay = between(rng, HOUR, DAY) if rng.random() < 0.7 else between(rng, DAY, 7 * DAY)
            heapq.heappush(waiting, (at + delay, count, event))
        else:
            yield event
    while waiting:
        yield heapq.heappop(waiting)[2]


def out_of_order(events: Iterable[CloudEvent], rng: Random, share: float) -> Iterator[CloudEvent]:
    """That share is held back until the same subject's next event has been published.

    It is let go after `LONGEST_HOLD` events at the latest.
    """
    held: OrderedDict[str, tuple[int, CloudEvent]] = OrderedDict()  # by subject, oldest first
    for count, event in enumerate(events):
        overtaken = held.pop(event["subject"], None)
        if overtaken is None and rng.random() < share:
            held[event["subject"]] = count + LONGEST_HOLD, event
        else:
            yield event
        if overtaken:
            yield overtaken[1]
        while held and next(iter(held.values()))[0] <= count:
            yield held.popitem(last=False)[1][1]
    for _, event in held.values():
        yield event


def duplicated(events: Iterable[CloudEvent], rng: Random, share: float) -> Iterator[CloudEvent]:
    """That share is published once more, unchanged, up to `LONGEST_HOLD` events later."""
    again: list[tuple[int, int, CloudEvent]] = []
    for count, event in enumerate(events):
        yield event
        if rng.random() < share:
            heapq.heappush(again, (count + between(rng, 1, LONGEST_HOLD), count, event))
        while again and again[0][0] <= count:
            yield heapq.heappop(again)[2]
    while again:
        yield heapq.heappop(again)[2]
