"""What is counted over every wait of a window, by channel. Pure: columns in, figures out.

Definitions: docs/reference/metrics.md, "Channels compared" and "Conversations and response times".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from projections.channels.columns import About, Numbers, Waits
from projections.channels.contacts import Figures
from projections.conversations.fold import FIRST_RESPONSE, FIRST_RESPONSE_ANY, RESOLUTION
from projections.survival import Ended, Seconds, kaplan_meier, percentiles, standardised

ENOUGH_ANSWERED = 30
"""As many as to say something of a channel, in every stratum that carries weight."""

MOST_STRATA = 100
"""A stratum carries weight from one hundredth of all waits on: a rarer one moves no median, and
would let hardly any channel be compared.
"""

KM_MEDIAN = "first_response_km_median_seconds"


class Lasted(NamedTuple):
    """How long waits lasted, whether they ended then, and in which stratum they are."""

    seconds: Seconds
    ended: Ended
    stratum: Numbers


def lasting(waits: Waits, abouts: Sequence[About], as_of: int) -> dict[str, dict[str, Lasted]]:
    """How long waits last, by metric and channel."""
    ended = waits.ended_at <= as_of
    seconds = (np.minimum(waits.ended_at, as_of) - waits.at) / 1e6
    columns = Lasted(seconds, ended, waits.stratum)
    found: dict[str, dict[str, Lasted]] = defaultdict(dict)
    for about, part in zip(abouts, _split(columns, waits.about, len(abouts)), strict=True):
        if part.seconds.size:
            found[about.metric][about.channel] = part
    return found


def _split(waits: Lasted, by: Numbers, many: int) -> list[Lasted]:
    """The waits of each number from 0 on."""
    # Small numbers are sorted in one pass.
    order = np.argsort(by.astype(np.min_scalar_type(many)), kind="stable")
    edges = np.cumsum(np.bincount(by, minlength=many))[:many]
    columns = (np.split(column[order], edges)[:many] for column in waits)
    return [Lasted(*part) for part in zip(*columns, strict=True)]


def responses(waits: Mapping[str, Mapping[str, Lasted]]) -> Figures:
    """What responses and resolutions say of channels."""
    figures: Figures = defaultdict(dict)
    for channel, lasted in waits.get(FIRST_RESPONSE, {}).items():
        median, p90, p99 = percentiles(lasted.seconds[lasted.ended], (0.5, 0.9, 0.99))
        estimate = kaplan_meier(lasted.seconds, lasted.ended)
        figures[channel] |= {
            "answered": int(np.count_nonzero(lasted.ended)),
            "waiting": int(np.count_nonzero(~lasted.ended)),
            "first_response_median_seconds": median,
            "first_response_p90_seconds": p90,
            "first_response_p99_seconds": p99,
            KM_MEDIAN: estimate.median,
            "first_response_km_median_seconds_low": estimate.low,
            "first_response_km_median_seconds_high": estimate.high,
        }
    for channel, lasted in waits.get(FIRST_RESPONSE_ANY, {}).items():
        figures[channel] |= {
            "answered_any": int(np.count_nonzero(lasted.ended)),
            "first_response_any_median_seconds": _median(lasted),
        }
    for channel, lasted in waits.get(RESOLUTION, {}).items():
        figures[channel] |= {
            "resolved": int(np.count_nonzero(lasted.ended)),
            "unresolved": int(np.count_nonzero(~lasted.ended)),
            "resolution_median_seconds": _median(lasted),
        }
    return figures


def _median(lasted: Lasted) -> float | None:
    return percentiles(lasted.seconds[lasted.ended], (0.5,))[0]


def adjusted(first_responses: Mapping[str, Lasted], crude: Figures) -> Figures:
    """Medians of first responses as if each channel had the mix of topics and tiers that all have
    together, and whether that turns the order of two channels around: of those that can be
    compared. `crude` has their medians as they are. One that is not reached is longer than any
    that is.
    """
    if not first_responses:
        return {}
    mix = _Mix.of(np.concatenate([lasted.stratum for lasted in first_responses.values()]))
    strata = {channel: mix.strata(lasted) for channel, lasted in first_responses.items()}
    medians = {
        channel: _or_longer(
            standardised(
                (share, each.seconds, each.ended)
                for share, each in zip(mix.shares, of_channel, strict=True)
            )
        )
        for channel, of_channel in strata.items()
        if of_channel and all(map(_enough, of_channel))
    }
    before = {channel: _or_longer(crude[channel][KM_MEDIAN]) for channel in medians}
    figures: Figures = {channel: {"comparable": channel in medians} for channel in strata}
    for channel, median in medians.items():
        figures[channel] |= {
            "adjusted_first_response_median_seconds": median if median < inf else None,
            "reversed_by_adjustment": any(
                (before[channel] < before[other] and median > medians[other])
                or (before[channel] > before[other] and median < medians[other])
                for other in medians
            ),
        }
    return figures


class _Mix(NamedTuple):
    """The strata that carry weight, in order, and which share of their waits each has."""

    weighty: Numbers
    shares: list[float]

    @classmethod
    def of(cls, strata: Numbers) -> _Mix:
        found, waits = np.unique(strata, return_counts=True)
        weighty = waits * MOST_STRATA >= strata.size
        return cls(found[weighty], (waits[weighty] / waits[weighty].sum()).tolist())

    def strata(self, waits: Lasted) -> list[Lasted]:
        """The waits of each of these strata."""
        many = self.weighty.size
        place = np.searchsorted(self.weighty, waits.stratum)
        light = np.append(self.weighty, -1)[place] != waits.stratum
        return _split(waits, np.where(light, many, place), many)


def _enough(lasted: Lasted) -> bool:
    return int(np.count_nonzero(lasted.ended)) >= ENOUGH_ANSWERED


def _or_longer(median: float | None) -> float:
    return inf if median is None else median
