"""What is told of waits, by channel. Pure: sums in, figures out.

Definitions: docs/reference/metrics.md, "Channels compared" and "Conversations and response times".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from projections.channels.columns import About
from projections.channels.contacts import Figures
from projections.channels.sums import EVERY_STRATUM, Groups
from projections.conversations.fold import FIRST_RESPONSE, FIRST_RESPONSE_ANY, RESOLUTION
from projections.survival import Waited, kaplan_meier, percentiles, standardised

ENOUGH_ANSWERED = 30
"""As many as to say something of a channel, in every stratum that carries weight."""

MOST_STRATA = 100
"""A stratum carries weight from one hundredth of all waits on: a rarer one moves no median, and
would let hardly any channel be compared.
"""

KM_MEDIAN = "first_response_km_median_seconds"


Waits = Mapping[str, Mapping[str, Mapping[int, Waited]]]
"""By metric, channel and stratum."""


def waited(groups: Groups, abouts: Sequence[About], as_of: int) -> Waits:
    """How long waits last."""
    found: dict[str, dict[str, dict[int, Waited]]] = defaultdict(lambda: defaultdict(dict))
    for (about, stratum), group in groups.items():
        found[abouts[about].metric][abouts[about].channel][stratum] = Waited(
            group.ended, (as_of - group.since[::-1]) / 1e6
        )
    return found


def responses(waits: Waits) -> Figures:
    """What responses and resolutions say of channels."""
    figures: Figures = defaultdict(dict)
    for channel, group in _each(waits, FIRST_RESPONSE):
        median, p90, p99 = percentiles(group.ended, (0.5, 0.9, 0.99))
        estimate = kaplan_meier(group)
        figures[channel] |= {
            "answered": group.ended.size,
            "waiting": group.lasting.size,
            "first_response_median_seconds": median,
            "first_response_p90_seconds": p90,
            "first_response_p99_seconds": p99,
            KM_MEDIAN: estimate.median,
            "first_response_km_median_seconds_low": estimate.low,
            "first_response_km_median_seconds_high": estimate.high,
        }
    for channel, group in _each(waits, FIRST_RESPONSE_ANY):
        figures[channel] |= {
            "answered_any": group.ended.size,
            "first_response_any_median_seconds": _median(group),
        }
    for channel, group in _each(waits, RESOLUTION):
        figures[channel] |= {
            "resolved": group.ended.size,
            "unresolved": group.lasting.size,
            "resolution_median_seconds": _median(group),
        }
    return figures


def _each(waits: Waits, metric: str) -> Iterator[tuple[str, Waited]]:
    for channel, strata in waits.get(metric, {}).items():
        yield channel, strata[EVERY_STRATUM]


def _median(group: Waited) -> float | None:
    return percentiles(group.ended, (0.5,))[0]


def adjusted(waits: Waits, crude: Figures) -> Figures:
    """Medians of first responses as if each channel had the mix of topics and tiers that all have
    together, and whether that turns the order of two channels around: of those that can be
    compared. `crude` has their medians as they are. One that is not reached is longer than any
    that is.
    """
    strata = waits.get(FIRST_RESPONSE, {})
    shares = _mix(strata.values())
    medians = {
        channel: _or_longer(
            standardised((share, of_channel[stratum]) for stratum, share in shares.items())
        )
        for channel, of_channel in strata.items()
        if shares and all(_enough(of_channel.get(stratum)) for stratum in shares)
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


def _mix(channels: Iterable[Mapping[int, Waited]]) -> dict[int, float]:
    """The strata that carry weight, and which share of their waits each has."""
    waits: Counter[int] = Counter()
    for strata in channels:
        for stratum, group in strata.items():
            waits[stratum] += group.ended.size + group.lasting.size
    total = waits.pop(EVERY_STRATUM, 0)
    weighty = {s: many for s, many in sorted(waits.items()) if many * MOST_STRATA >= total}
    return {stratum: many / sum(weighty.values()) for stratum, many in weighty.items()}


def _enough(group: Waited | None) -> bool:
    return group is not None and group.ended.size >= ENOUGH_ANSWERED


def _or_longer(median: float | None) -> float:
    return inf if median is None else median
