"""The figures of channels that are counted over columns: reads what is needed, and counts it."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from projections.answers import window
from projections.arrays import fetch_arrays
from projections.channels.columns import FOREVER, micros
from projections.channels.contacts import (
    Figures,
    Rate,
    contacts,
    customers,
    helped,
    spent,
    talks,
    totals,
)
from projections.channels.keeping import Kept
from projections.channels.statements import filled
from projections.channels.sums import Window
from projections.channels.waits import adjusted, responses, waited

_RATES = filled("rates")
_THOUGHT = filled("thought_by_channel")
_KEPT = Kept()


class Counted(NamedTuple):
    """Figures of channels, and touchpoints by what they cost, as `contacts.spent` gives them."""

    figures: list[dict[str, Any]]
    spent: list[dict[str, Any]]


def figures(
    cursor: PgCursor,
    as_of: datetime,
    from_: datetime | None,
    to: datetime | None,
    kept: Kept = _KEPT,
) -> Counted:
    """What counts in [from_, to) as of an instant, in the snapshot of the cursor; what it has to
    read is kept in `kept`.
    """
    asked = {"as_of": as_of, **window(from_, to)}
    now = micros(as_of)
    rates = [
        Rate(row["event_id"], row["channel"], *map(int, row["in_force"]))
        for row in fetch_arrays(cursor, _RATES, asked)
    ]
    first = -FOREVER if from_ is None else micros(from_)
    after = FOREVER if to is None else micros(to)
    cuts = tuple(sorted({at for rate in rates for at in (rate.valid_from, rate.valid_to)}))
    sums = kept.sums(cursor, Window(first, max(first, after), cuts), now)
    kinds, abouts = kept.columns.kinds, kept.columns.abouts
    total = totals(sums, cuts, kinds)
    waits = waited(sums.waits, abouts, now)
    responded = responses(waits)
    thought = {row.pop("channel"): row for row in fetch_arrays(cursor, _THOUGHT, asked)}
    givers = {channel: kept.columns.people(said.pop("people")) for channel, said in thought.items()}
    of_each: dict[str, dict[str, Any]] = defaultdict(dict)
    every: tuple[Figures, ...] = (
        contacts(total),
        customers(sums, kinds, givers),
        talks(sums, kept.columns.channels),
        responded,
        adjusted(waits, responded),
        helped(sums, abouts),
        thought,
    )
    for told in every:
        for channel, said in told.items():
            of_each[channel] |= said
    return Counted(
        [{"channel": channel, **said} for channel, said in of_each.items()],
        spent(sums, total, rates, cuts, kinds),
    )
