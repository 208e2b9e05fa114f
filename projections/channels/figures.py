"""The figures of channels that are counted over columns: reads what is needed, and counts it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from ledger.datastore import PgCursor
from projections.answers import window
from projections.arrays import fetch_arrays
from projections.channels.columns import (
    FOREVER,
    About,
    Columns,
    Numbers,
    Waits,
    chosen,
    instant,
    micros,
    weeks_of,
    within,
)
from projections.channels.contacts import (
    Figures,
    Rate,
    come_back,
    contacts,
    customers,
    spent,
    talks,
    totals,
)
from projections.channels.statements import filled
from projections.channels.waits import adjusted, lasting, responses
from projections.conversations.fold import FIRST_RESPONSE, REOPENS_WITHIN, RESOLUTION

_RATES = filled("rates")
_GAVE_FEEDBACK = filled("gave_feedback")
_KEPT = Columns()


class Counted(NamedTuple):
    """Figures of channels, and touchpoints by what they cost, as `contacts.spent` gives them."""

    figures: list[dict[str, Any]]
    spent: list[dict[str, Any]]


def figures(
    cursor: PgCursor,
    as_of: datetime,
    from_: datetime | None,
    to: datetime | None,
    columns: Columns = _KEPT,
) -> Counted:
    """What counts in [from_, to) as of an instant, in the snapshot of the cursor; what it has to
    read is kept in `columns`.
    """
    asked = {"as_of": as_of, **window(from_, to)}
    first = -FOREVER if from_ is None else micros(from_)
    after = FOREVER if to is None else micros(to)
    now = micros(as_of)
    weeks = weeks_of(cursor, from_, to)
    found = columns.rows(cursor, weeks, now)
    kinds, abouts = columns.kinds, columns.abouts
    touches = within(found.touches, first, min(after, now + 1))
    begun = within(found.waits, first, after)
    lasted = lasting(begun, abouts, now)
    responded = responses(lasted)
    resolved = _resolved(begun, abouts, now)
    until_then = found
    if resolved.at.size:  # whoever came back may have done so after the window
        later = weeks_of(cursor, from_, _latest_return(resolved, as_of))
        if later.stop > weeks.stop:
            until_then = columns.rows(cursor, later, now)
    helped = ~come_back(resolved, within(until_then.touches, first, now + 1), columns.kinds)
    given = fetch_arrays(cursor, _GAVE_FEEDBACK, asked)
    givers = {row["channel"]: columns.people(row["people"]) for row in given}
    rates = [
        Rate(row["event_id"], row["channel"], *map(int, row["in_force"]))
        for row in fetch_arrays(cursor, _RATES, asked)
    ]
    total = totals(touches, kinds)
    of_each: dict[str, dict[str, Any]] = defaultdict(dict)
    for told in (
        contacts(total),
        customers(touches, kinds, givers),
        talks(within(found.talks, first, after), columns.channels),
        responded,
        adjusted(lasted[FIRST_RESPONSE], responded),
        _helped(resolved.about[helped], abouts),
    ):
        for channel, said in told.items():
            of_each[channel] |= said
    return Counted(
        [{"channel": channel, **said} for channel, said in of_each.items()],
        spent(touches, total, rates, kinds),
    )


def _resolved(waits: Waits, abouts: Sequence[About], as_of: int) -> Waits:
    """The resolutions that have come."""
    resolution = np.array([about.metric == RESOLUTION for about in abouts], np.bool_)
    return chosen(waits, resolution[waits.about] & (waits.ended_at <= as_of))


def _helped(about: Numbers, abouts: Sequence[About]) -> Figures:
    """How many resolutions were for good."""
    each: Counter[str] = Counter()
    for number, many in enumerate(np.bincount(about).tolist()):
        each[abouts[number].channel] += many
    return {channel: {"helped_at_once": many} for channel, many in each.items() if many}


def _latest_return(resolved: Waits, as_of: datetime) -> datetime:
    """When at the latest somebody can have come back after one of these."""
    return min(as_of, instant(int(resolved.ended_at.max())) + REOPENS_WITHIN)
