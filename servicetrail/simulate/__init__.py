"""A believable company that publishes events: seeded, endless, the same on every machine.

`company.py` holds what it is like, as data. The stories (`conversations`, `promises`, `complaints`,
`customers`, `policies`) tell what happens; `clockwork` wakes them in order of time; `publishing`
numbers what they tell and publishes it, orderly or not.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any

from servicetrail.simulate import publishing
from servicetrail.simulate.arrivals import arrivals
from servicetrail.simulate.company import CHANNELS
from servicetrail.simulate.customers import nightly_review
from servicetrail.simulate.policies import policies
from servicetrail.simulate.world import World


def simulate(
    events: int,
    seed: int,
    *,
    start: datetime,
    days: int,
    late: float = 0.0,
    out_of_order: float = 0.0,
    duplicates: float = 0.0,
    gaps: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """Structured CloudEvents of a simulated company, ready for JSON, in order of publication.

    `events` is how many there are, policies included; duplicates come on top. They spread over
    about `days` days from `start` (aware; cut to the second), so `events` / `days` is the size of
    the company. What is under way when they are used up stays open.

    Shares between 0 and 1: `late` is published hours to days after it happened, `out_of_order`
    after the same customer's next event, `duplicates` once more. They leave the events themselves
    as they are. `gaps` is the share of numbers in `sequence` that each source skips; otherwise
    there are none.

    Sources and ids do not name the seed: two seeds are two companies and want two ledgers.
    Memory does not grow with `events`, but for the customers who have turned up.
    Raises ValueError for a naive `start` or figures out of range.
    """
    if start.utcoffset() is None:
        raise ValueError("start must have a time zone")
    if events < 0 or days < 1:
        raise ValueError("events must not be negative, and days must be at least 1")
    if not all(0.0 <= share <= 1.0 for share in (late, out_of_order, duplicates, gaps)):
        raise ValueError("late, out_of_order, duplicates and gaps are shares from 0 to 1")

    world = World(seed, int(start.timestamp()), events / days)
    world.clock.start(policies(world, days))
    world.clock.start(nightly_review(world))
    for channel in CHANNELS:
        world.clock.start(arrivals(world, channel))

    def chance(of: str) -> Random:
        return Random(f"servicetrail {of} {seed}")

    happened = islice(world.clock.run(), events)
    published = publishing.late(
        publishing.numbered(happened, chance("gaps"), gaps), chance("late"), late
    )
    if out_of_order:
        published = publishing.out_of_order(published, chance("order"), out_of_order)
    if duplicates:
        published = publishing.duplicated(published, chance("duplicates"), duplicates)
    return published
