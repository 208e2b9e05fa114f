"""What is told of touchpoints, by channel. Pure: sums in, figures out.

Definitions: docs/reference/metrics.md, "Channels compared". What counts is what the statements of
queries.sql that explain the figures select, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

import numpy as np

from projections.channels.columns import About, Kind
from projections.channels.numbering import Numbers
from projections.channels.sums import Sums, channel_numbers, distinct, pairs

Figures = dict[str, dict[str, Any]]
"""Of each channel, by name; what is left out is not known, or nothing."""

_NOBODY: Numbers = np.empty(0, np.int32)


class Rate(NamedTuple):
    """What touchpoints of a channel cost in [valid_from, valid_to), as the event says."""

    event_id: str
    channel: str
    valid_from: int
    valid_to: int


class Total(NamedTuple):
    """What touchpoints of a channel come to."""

    inbound: int = 0
    outbound: int = 0
    abandoned: int = 0
    timed: int = 0
    handling_seconds: float = 0.0

    @property
    def contacts(self) -> int:
        """How many there are."""
        return self.inbound + self.outbound


def totals(
    sums: Sums, cuts: Sequence[int], kinds: Sequence[Kind], pieces: slice = slice(None)
) -> dict[str, Total]:
    """By channel, of those that have any; of some of the pieces between the cuts."""
    every = len(cuts) + 1
    found: dict[str, Total] = {}
    for kind, first in zip(kinds, range(0, sums.touches.size, every), strict=False):
        many = int(sums.touches[first : first + every][pieces].sum())
        if many:
            took = float(sums.handling_seconds[first : first + every][pieces].sum())
            inbound = kind.inbound * many
            more = (inbound, many - inbound, kind.abandoned * many, kind.timed * many, took)
            before = found.get(kind.channel, Total())
            found[kind.channel] = Total(*map(add, before, more))
    return found


def contacts(of_channels: Mapping[str, Total]) -> Figures:
    """What touchpoints say of their channels."""
    return {
        channel: {
            "touchpoints_in": total.inbound,
            "touchpoints_out": total.outbound,
            "abandoned": total.abandoned,
            "handling_minutes": total.handling_seconds / 60 if total.timed else None,
        }
        for channel, total in of_channels.items()
    }


def customers(sums: Sums, kinds: Sequence[Kind], givers: Mapping[str, Numbers]) -> Figures:
    """How many customers the channels met, and how many of these are among the `givers` of feedback
    on the channel.
    """
    numbers = channel_numbers(kinds)
    edges = np.searchsorted(sums.met, np.arange(len(numbers) + 1) << 32)
    figures: Figures = {}
    for (channel, number), (first, after) in zip(
        numbers.items(), pairwise(edges.tolist()), strict=True
    ):
        if first < after:
            gave = distinct(pairs(number, givers.get(channel, _NOBODY)))
            places = np.minimum(np.searchsorted(sums.met, gave), sums.met.size - 1)
            figures[channel] = {
                "customers": after - first,
                "gave_feedback": int(np.count_nonzero(sums.met[places] == gave)),
            }
    return figures


def talks(sums: Sums, channels: Sequence[str]) -> Figures:
    """How many conversations there are."""
    each = zip(channels, sums.talks.tolist(), strict=False)
    return {channel: {"conversations": many} for channel, many in each if many}


def spent(
    sums: Sums,
    of_channels: Mapping[str, Total],
    rates: Iterable[Rate],
    cuts: Sequence[int],
    kinds: Sequence[Kind],
) -> list[dict[str, Any]]:
    """Touchpoints, of which the totals are `of_channels`, by the rates in force: `channel`,
    `costed_by` (None: there were none), how many `contacts` and their `handling_seconds`. `cuts`
    are all instants at which rates begin or end.
    """
    # Channels mostly get new rates together, and then it is one stretch of time for all of them.
    stretch = cache(lambda first, after: totals(sums, cuts, kinds, slice(first, after)))
    left = {channel: total.contacts for channel, total in of_channels.items()}
    parts: list[tuple[str, str | None, int, float]] = []
    for rate in rates:
        edges = (bisect_right(cuts, at) for at in (rate.valid_from, rate.valid_to))
        total = stretch(*edges).get(rate.channel)
        if total is not None:
            parts.append((rate.channel, rate.event_id, total.contacts, total.handling_seconds))
            left[rate.channel] -= total.contacts
    parts += [(channel, None, many, 0.0) for channel, many in left.items() if many]
    names = ("channel", "costed_by", "contacts", "handling_seconds")
    return [dict(zip(names, part, strict=True)) for part in parts]


def helped(sums: Sums, abouts: Sequence[About]) -> Figures:
    """How many resolutions were for good."""
    each: Counter[str] = Counter()
    for about, many in zip(abouts, sums.helped.tolist(), strict=False):
        each[about.channel] += many
    return {channel: {"helped_at_once": many} for channel, many in each.items() if many}
