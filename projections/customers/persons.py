"""Which customer ids are one person: merges and their taking back, as of any instant.

What a pair of ids is to each other is said by the last event about the pair, whichever of the two
it was published under. A person is whatever hangs together by pairs that are merged: over any
number of steps, and in a circle as well as in a line.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ledger.datastore import PgCursor
from ledger.prepared import Prepared
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("persons.sql"))
_EVER, _MERGES = (
    Prepared(_SQL[name].replace("{reached}", _SQL["reached"])) for name in ("ever", "merges")
)


class Merge(NamedTuple):
    """Two ids are one person, or (`merged` false) are two after all."""

    event_id: str
    customer_id: str
    merged_customer_id: str
    occurred_at: datetime
    rank: int
    merged: bool


class Identity(NamedTuple):
    """An id of a person. `merged_at`, `merged_by`: the merge that brought it in, and its event.

    Both are None for the id that was asked about.
    """

    customer_id: str
    merged_at: datetime | None = None
    merged_by: str | None = None


def _beside(merges: Iterable[Merge]) -> dict[str, list[tuple[str, Merge]]]:
    """For each id those that it is merged with, and by which merge."""
    last: dict[frozenset[str], Merge] = {}
    for merge in sorted(merges, key=lambda merge: (merge.occurred_at, merge.rank, merge.event_id)):
        pair = frozenset((merge.customer_id, merge.merged_customer_id))
        held = last.get(pair)
        if held is None or held.merged != merge.merged:
            last[pair] = merge
    beside: dict[str, list[tuple[str, Merge]]] = defaultdict(list)
    for pair, merge in last.items():
        if merge.merged and len(pair) == 2:
            one, other = pair
            beside[one].append((other, merge))
            beside[other].append((one, merge))
    return beside


def together(customer_id: str, merges: Iterable[Merge]) -> list[Identity]:
    """Every id that is one person with `customer_id`: that one first, the others by merge and id.

    Pure, and blind to the order of its input.
    """
    beside = _beside(merges)
    found = {customer_id: Identity(customer_id)}
    reached = [customer_id]
    while reached:
        steps = [
            step for id_ in sorted(reached) for step in beside.get(id_, ()) if step[0] not in found
        ]
        for other, merge in sorted(steps, key=lambda step: (step[1].occurred_at, step[1].event_id)):
            found.setdefault(other, Identity(other, merge.occurred_at, merge.event_id))
        reached = sorted({other for other, _ in steps})
    first, *others = found.values()
    return [first, *sorted(others, key=lambda each: (each.merged_at, each.customer_id))]


def person(cursor: PgCursor, customer_id: str, *, as_of: datetime) -> list[Identity]:
    """`together` of what had happened by `as_of`."""
    _MERGES.execute(cursor, {"customer_id": customer_id, "as_of": as_of})
    return together(customer_id, map(Merge._make, cursor))


def all_persons(merges: Iterable[Merge]) -> dict[str, str]:
    """For each id that is one person with another, the least of that person's ids. Pure."""
    beside = _beside(merges)
    least: dict[str, str] = {}
    for first in sorted(beside):
        reached = [] if first in least else [first]
        while reached:
            id_ = reached.pop()
            if id_ not in least:
                least[id_] = first
                reached += [other for other, _ in beside[id_]]
    return least


def persons(cursor: PgCursor, *, as_of: datetime) -> dict[str, str]:
    """`all_persons` of what had happened by `as_of`."""
    cursor.execute(_SQL["all_merges"], {"as_of": as_of})
    return all_persons(map(Merge._make, cursor))


def ever_together(cursor: PgCursor, customer_id: str) -> list[str]:
    """Every id that was one person with the customer at any time, and the customer's own."""
    _EVER.execute(cursor, {"customer_id": customer_id})
    return [found for (found,) in cursor]
