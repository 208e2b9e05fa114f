"""What is counted over every wait of a window, by channel. Pure: columns in, figures out.

Definitions: docs/reference/metrics.md, "Channels compared" and "Conversations and response times".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from projections.channels.columns import About, Waits
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

Stratum = tuple[str | None, str | None]
"""Topic and tier."""


class Lasted(NamedTuple):
    """How long waits lasted, and whether they ended then."""

    seconds: Seconds
    ended: Ended


def lasting(waits: Waits, abouts: Sequence[About], as_of: int) -> dict[About, Lasted]:
    """How long waits last, by what they are about."""
    ended = waits.ended_at <= as_of
    seconds = (np.minimum(waits.ended_at, as_of) - waits.at) / 1e6
    # Numbers of 16 bits are sorted in one pass, and there are hardly ever more.
    order = np.argsort(waits.about.astype(np.min_scalar_type(len(abouts))), kind="stable")
    edges = np.cumsum(np.bincount(waits.about, minlength=len(abouts)))
    parts = zip(np.split(seconds[order], edges), np.split(ended[order], edges), strict=True)
    # Behind the last edge there is nothing.
    named = zip(abouts, parts, strict=False)
    return {about: Lasted(*part) for about, part in named if part[0].size}


def of_channels(waits: Mapping[About, Lasted], metric: str) -> dict[str, Lasted]:
    """All waits of a metric, by channel."""
    parts: dict[str, list[Lasted]] = defaultdict(list)
    for about, lasted in waits.items():
        if about.metric == metric:
            parts[about.channel].append(lasted)
    return {
        channel: Lasted(*map(np.concatenate, zip(*of_channel, strict=True)))
        for channel, of_channel in parts.items()
    }


def responses(waits: Mapping[About, Lasted]) -> Figures:
    """What responses and resolutions say of channels."""
    figures: Figures = defaultdict(dict)
    for channel, lasted in of_channels(waits, FIRST_RESPONSE).items():
        median, p90, p99 = percentiles(lasted.seconds[lasted.ended], (0.5, 0.9, 0.99))
        estimate = kaplan_meier(*lasted)
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
    for channel, lasted in of_channels(waits, FIRST_RESPONSE_ANY).items():
        figures[channel] |= {
            "answered_any": int(np.count_nonzero(lasted.ended)),
            "first_response_any_median_seconds": _median(lasted),
        }
    for channel, lasted in of_channels(waits, RESOLUTION).items():
        figures[channel] |= {
            "resolved": int(np.count_nonzero(lasted.ended)),
            "unresolved": int(np.count_nonzero(~lasted.ended)),
            "resolution_median_seconds": _median(lasted),
        }
    return figures


def _median(lasted: Lasted) -> float | None:
    return percentiles(lasted.seconds[lasted.ended], (0.5,))[0]


def adjusted(waits: Mapping[About, Lasted], crude: Figures) -> Figures:
    """Medians of first responses as if each channel had the mix of topics and tiers that all have
    together, and whether that turns the order of two channels around: of those that can be
    compared. `crude` has their medians as they are. One that is not reached is longer than any
    that is.
    """
    cells: dict[str, dict[Stratum, Lasted]] = defaultdict(dict)
    pooled: Counter[Stratum] = Counter()
    for about, lasted in waits.items():
        if about.metric == FIRST_RESPONSE:
            cells[about.channel][about.topic, about.tier] = lasted
            pooled[about.topic, about.tier] += lasted.seconds.size
    weighty = {of: n for of, n in pooled.items() if n * MOST_STRATA >= pooled.total()}
    mix = {of: n / sum(weighty.values()) for of, n in weighty.items()}
    medians = {
        channel: _or_longer(standardised((share, *strata[of]) for of, share in mix.items()))
        for channel, strata in cells.items()
        if mix and all(of in strata and _enough(strata[of]) for of in mix)
    }
    before = {channel: _or_longer(crude[channel][KM_MEDIAN]) for channel in medians}
    figures: Figures = {channel: {"comparable": channel in medians} for channel in cells}
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


def _enough(lasted: Lasted) -> bool:
    return int(np.count_nonzero(lasted.ended)) >= ENOUGH_ANSWERED


def _or_longer(median: float | None) -> float:
    return inf if median is None else median
