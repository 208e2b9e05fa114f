"""What is counted over every touchpoint of a window, by channel. Pure: columns in, figures out.

Definitions: docs/reference/metrics.md, "Channels compared". What counts is what the statements of
queries.sql that explain the figures select, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

import numpy as np

from projections.channels.columns import (
    FOREVER,
    Flags,
    Kind,
    Numbers,
    Talks,
    Touches,
    Waits,
    chosen,
)
from projections.conversations.fold import REOPENS_WITHIN

Figures = dict[str, dict[str, Any]]
"""Of each channel, by name; what is left out is not known, or nothing."""

_COMES_BACK_WITHIN = REOPENS_WITHIN // timedelta(microseconds=1)


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


def totals(touches: Touches, kinds: Sequence[Kind]) -> dict[str, Total]:
    """By channel, of those that have any."""
    each = np.bincount(touches.kind, minlength=len(kinds)).tolist()
    seconds = np.bincount(touches.kind, touches.handling_seconds, minlength=len(kinds)).tolist()
    found: dict[str, Total] = {}
    for kind, many, took in zip(kinds, each, seconds, strict=True):
        if many:
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


def customers(touches: Touches, kinds: Sequence[Kind], givers: Mapping[str, Numbers]) -> Figures:
    """How many customers the channels met, and how many of these are among the `givers` of feedback
    on the channel.
    """
    channels = sorted({kind.channel for kind in kinds})
    channel_of = np.array([channels.index(kind.channel) for kind in kinds], np.int64)
    # A channel and a customer in one number: sorted, each pair once.
    met = np.sort(channel_of[touches.kind] << 32 | touches.person)
    met = met[np.flatnonzero(np.diff(met, prepend=-1))]
    edges = np.searchsorted(met, np.arange(len(channels) + 1) << 32)
    figures: Figures = {}
    for channel, (first, after) in zip(channels, pairwise(edges.tolist()), strict=True):
        if first < after:
            here = met[first:after] & 0xFFFFFFFF
            gave = np.isin(givers.get(channel, _NOBODY), here)
            figures[channel] = {
                "customers": after - first,
                "gave_feedback": int(np.count_nonzero(gave)),
            }
    return figures


def talks(talks_: Talks, channels: Sequence[str]) -> Figures:
    """How many conversations there are."""
    each = np.bincount(talks_.channel, minlength=len(channels)).tolist()
    return {
        channel: {"conversations": many}
        for channel, many in zip(channels, each, strict=True)
        if many
    }


def spent(
    touches: Touches,
    of_channels: Mapping[str, Total],
    rates: Iterable[Rate],
    kinds: Sequence[Kind],
) -> list[dict[str, Any]]:
    """Touchpoints, of which the totals are `of_channels`, by the rates in force: `channel`,
    `costed_by` (None: there were none), how many `contacts` and their `handling_seconds`.
    """
    at = partial(np.searchsorted, touches.at)
    # Channels mostly get new rates together, and then it is one stretch for all of them.
    stretch = cache(lambda first, after: totals(chosen(touches, slice(first, after)), kinds))
    left = {channel: total.contacts for channel, total in of_channels.items()}
    parts: list[tuple[str, str | None, int, float]] = []
    for rate in rates:
        total = stretch(int(at(rate.valid_from)), int(at(rate.valid_to))).get(rate.channel)
        if total is not None:
            parts.append((rate.channel, rate.event_id, total.contacts, total.handling_seconds))
            left[rate.channel] -= total.contacts
    parts += [(channel, None, many, 0.0) for channel, many in left.items() if many]
    names = ("channel", "costed_by", "contacts", "handling_seconds")
    return [dict(zip(names, part, strict=True)) for part in parts]


def come_back(waits: Waits, touches: Touches, kinds: Sequence[Kind]) -> Flags:
    """Whether the customer got in touch again about the same topic, after the wait had begun and
    until some days after it ended. `touches` are all that count, from the first wait on.
    """
    inbound = np.array([kind.inbound for kind in kinds], np.bool_)[touches.kind]
    at, matter = touches.at[inbound], touches.matter[inbound]
    # By matter and then by time, both in one number: so that is sorted, and searched, at once.
    many = at.size + 1
    ordered = np.sort(matter.astype(np.int64) * many + np.arange(at.size))
    ordered = np.append(ordered, FOREVER)
    wanted = waits.matter.astype(np.int64) * many + np.searchsorted(at, waits.at, side="right")
    places = np.argsort(wanted)  # what is looked for in order is found several times as fast
    found = np.empty_like(wanted)
    found[places] = ordered[np.searchsorted(ordered, wanted[places])]
    again_at = np.append(at, FOREVER)[found % many]
    back: Flags = (found // many == waits.matter) & (
        again_at - _COMES_BACK_WITHIN <= waits.ended_at
    )
    return back
