"""What is counted over some days, so that it adds up with what is counted over others.

Pure: columns in, sums out. Of what cannot be added up as figures, customers, medians and who came
back, sums hold what these are computed from, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from projections.channels.columns import (
    FOREVER,
    About,
    Flags,
    Kind,
    Rows,
    Stretch,
    Touches,
    Waits,
    chosen,
    stretch,
    within,
)
from projections.channels.numbering import Integers, Numbers
from projections.conversations.fold import FIRST_RESPONSE, REOPENS_WITHIN, RESOLUTION
from projections.survival import Seconds

_COMES_BACK_WITHIN = REOPENS_WITHIN // timedelta(microseconds=1)

Value = TypeVar("Value", np.int64, np.float64)

EVERY_STRATUM = -1

_BYTES_OF_GROUP = 500
"""What a group of waits takes beside these."""


class Window(NamedTuple):
    """Counted is what lies in [first, after); touchpoints piece by piece between `cuts`."""

    first: int
    after: int
    cuts: tuple[int, ...]


class Lasted(NamedTuple):
    """Waits of a group: how long those lasted that ended, from the shortest on; since when the
    others wait, from the first on.
    """

    ended: Seconds
    since: Integers

    @property
    def many(self) -> int:
        """How many there are."""
        return self.ended.size + self.since.size


Groups = Mapping[tuple[int, int], Lasted]
"""Waits by the number of their `About`; first responses by stratum, too, the others only under
`EVERY_STRATUM`.
"""


class Resolved(NamedTuple):
    """Resolutions after which nobody came back so far; who does so until `until` came back."""

    about: Numbers
    matter: Numbers
    until: Integers


_NOTHING: Integers = np.empty(0, np.int64)
_NO_SECONDS: Seconds = np.empty(0, np.float64)
_NOBODY_ASKS = Resolved(np.empty(0, np.int32), np.empty(0, np.int32), _NOTHING)


class Sums(NamedTuple):
    """What is counted."""

    touches: Integers
    """How many, by kind, and then by piece."""
    handling_seconds: NDArray[np.float64]
    """Likewise."""
    met: Integers
    """Which channel met which customer, as `pairs` has them, in order."""
    talks: Integers
    """How many, by channel."""
    waits: Groups
    helped: Integers
    """How many resolutions were for good, by what they are about."""
    asking: Resolved
    """Those that may have been for good: whoever comes back does so later than on these days."""


class First(NamedTuple):
    """When customers first got in touch on some days about each of their matters, by matter."""

    matter: Numbers
    at: Integers


class Part(NamedTuple):
    """Some days that follow each other: what is counted of them, which is the same as of every
    instant of a stretch.
    """

    sums: Sums
    came: First
    holds: Stretch

    def bytes_held(self) -> int:
        """What all of that takes in memory."""
        return bytes_of(self.sums) + sum(column.nbytes for column in self.came)


def counted(
    rows: Rows, window: Window, ends: int, kinds: Sequence[Kind], abouts: Sequence[About], now: int
) -> Part:
    """What is counted of some days, which end at `ends`, as of now. `rows` are all of them that
    hold then.
    """
    known = within(rows.touches, -FOREVER, now + 1)
    touches = within(known, window.first, window.after)
    waits = within(rows.waits, window.first, window.after)
    resolved = _for_good(_resolved(waits, abouts, now), known, kinds)
    told = resolved.until < ends
    sums = Sums(
        *_contacts(touches, window.cuts, kinds),
        distinct(pairs(channels_of(kinds)[touches.kind], touches.person)),
        np.bincount(within(rows.talks, window.first, window.after).channel),
        _groups(waits, abouts, now),
        np.bincount(resolved.about[told]),
        _some(resolved, ~told),
    )
    return Part(sums, _first(known, kinds), stretch((rows.touches.at, waits.ended_at), now))


def together(parts: Sequence[Part]) -> Sums:
    """What is counted of all, which follow each other."""
    asking = _NOBODY_ASKS
    for each in parts:
        before, now = still_asking(asking, each.came), each.sums.asking
        asking = Resolved(
            np.concatenate((before.about, now.about)),
            np.concatenate((before.matter, now.matter)),
            np.concatenate((before.until, now.until)),
        )
    sums = [each.sums for each in parts]
    return Sums(
        added(each.touches for each in sums),
        added((each.handling_seconds for each in sums), np.float64),
        distinct(np.concatenate([_NOTHING, *(each.met for each in sums)])),
        added(each.talks for each in sums),
        _joined_groups([each.waits for each in sums]),
        added(each.helped for each in sums),
        asking,
    )


def still_asking(asking: Resolved, came: First) -> Resolved:
    """Those of them after which nobody came back on some days after theirs."""
    places = np.searchsorted(came.matter, asking.matter)
    same = np.append(came.matter, -1)[places] == asking.matter
    back = same & (np.append(came.at, FOREVER)[places] <= asking.until)
    return _some(asking, ~back)


def pairs(channel: Integers | int, person: Numbers) -> Integers:
    """A channel and a customer in one number."""
    both: Integers = np.asarray(channel, np.int64) << 32 | person
    return both


def distinct(numbers: Integers) -> Integers:
    """Each number once, in order; from 0 on."""
    # np.unique looks numbers up in a table first, which takes several times as long.
    ordered = np.sort(numbers)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def channel_numbers(kinds: Iterable[Kind]) -> dict[str, int]:
    """The channels of touchpoints; more kinds don't change their numbers."""
    return {name: number for number, name in enumerate(dict.fromkeys(k.channel for k in kinds))}


def channels_of(kinds: Sequence[Kind]) -> Integers:
    """The number of each kind's channel."""
    numbers = channel_numbers(kinds)
    return np.array([numbers[kind.channel] for kind in kinds], np.int64)


def added(many: Iterable[NDArray[Any]], of: type = np.int64) -> NDArray[Any]:
    """The sums of numbers, place for place; what is not there is nothing."""
    columns = list(many)
    total: NDArray[Any] = np.zeros(max((column.size for column in columns), default=0), of)
    for column in columns:
        total[: column.size] += column
    return total


def bytes_of(sums: Sums) -> int:
    """What they take in memory."""
    columns: list[NDArray[Any]] = [*sums[:4], sums.helped, *sums.asking]
    for group in sums.waits.values():
        columns += group
    return len(sums.waits) * _BYTES_OF_GROUP + sum(column.nbytes for column in columns)


def _contacts(
    touches: Touches, cuts: Sequence[int], kinds: Sequence[Kind]
) -> tuple[Integers, NDArray[np.float64]]:
    pieces = len(cuts) + 1
    edges = np.searchsorted(touches.at, cuts)
    piece = np.repeat(np.arange(pieces), np.diff(edges, prepend=0, append=touches.at.size))
    place = touches.kind.astype(np.int64) * pieces + piece
    many = len(kinds) * pieces
    seconds = np.bincount(place, touches.handling_seconds, minlength=many)
    return np.bincount(place, minlength=many).astype(np.int64), seconds.astype(np.float64)


def _groups(waits: Waits, abouts: Sequence[About], now: int) -> Groups:
    ended = waits.ended_at <= now
    done, still = chosen(waits, ended), chosen(waits, ~ended)
    took = (done.ended_at - done.at) / 1e6
    by_length = np.argsort(took)
    lasted = dict(_grouped(took[by_length], chosen(done, by_length), abouts))
    since = dict(_grouped(still.at, still, abouts))
    return {
        group: Lasted(lasted.get(group, _NO_SECONDS), since.get(group, _NOTHING))
        for group in {**lasted, **since}
    }


def _grouped(
    values: NDArray[Value], waits: Waits, abouts: Sequence[About]
) -> Iterator[tuple[tuple[int, int], NDArray[Value]]]:
    """Values of waits by group, in each in the order in which they are."""
    for about, of_about in _split(waits.about):
        yield (about, EVERY_STRATUM), values[of_about]
        if abouts[about].metric == FIRST_RESPONSE:
            for stratum, of_stratum in _split(waits.stratum[of_about]):
                yield (about, stratum), values[of_about[of_stratum]]


def _split(numbers: Numbers) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each number, and the places where it stands."""
    # Small numbers are sorted in one pass.
    small = numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
    order = np.argsort(small, kind="stable")
    many = np.bincount(numbers)
    there = np.flatnonzero(many)
    edges = np.cumsum(many[there])
    return zip(there.tolist(), np.split(order, edges[:-1]), strict=False)


def _joined_groups(each: Sequence[Groups]) -> Groups:
    if len(each) == 1:
        return each[0]
    return {
        group: _joined_waits([groups[group] for groups in each if group in groups])
        for group in dict.fromkeys(group for groups in each for group in groups)
    }


def _joined_waits(parts: Sequence[Lasted]) -> Lasted:
    if len(parts) == 1:
        return parts[0]
    ended = np.sort(np.concatenate([each.ended for each in parts]))
    return Lasted(ended, np.concatenate([each.since for each in parts]))


def _resolved(waits: Waits, abouts: Sequence[About], now: int) -> Waits:
    """The resolutions that have come."""
    resolution = np.array([about.metric == RESOLUTION for about in abouts], np.bool_)
    return chosen(waits, resolution[waits.about] & (waits.ended_at <= now))


def _for_good(waits: Waits, touches: Touches, kinds: Sequence[Kind]) -> Resolved:
    """Those after which the customer did not get in touch again about the same topic, after the
    wait had begun and until some days after it ended. `touches` are all that count.
    """
    at, matter = _inbound(touches, kinds)
    # By matter and then by time, both in one number: so that is sorted, and searched, at once.
    many = at.size + 1
    ordered = np.sort(matter.astype(np.int64) * many + np.arange(at.size))
    ordered = np.append(ordered, FOREVER)
    wanted = waits.matter.astype(np.int64) * many + np.searchsorted(at, waits.at, side="right")
    places = np.argsort(wanted)  # what is looked for in order is found several times as fast
    found = np.empty_like(wanted)
    found[places] = ordered[np.searchsorted(ordered, wanted[places])]
    again_at = np.append(at, FOREVER)[found % many]
    until = waits.ended_at + _COMES_BACK_WITHIN
    good = (found // many != waits.matter) | (again_at > until)
    return _some(Resolved(waits.about, waits.matter, until), good)


def _some(resolved: Resolved, which: Flags) -> Resolved:
    return Resolved(resolved.about[which], resolved.matter[which], resolved.until[which])


def _first(touches: Touches, kinds: Sequence[Kind]) -> First:
    at, matter = _inbound(touches, kinds)
    matters, first = np.unique(matter, return_index=True)
    return First(matters, at[first])


def _inbound(touches: Touches, kinds: Sequence[Kind]) -> tuple[Integers, Numbers]:
    inbound = np.array([kind.inbound for kind in kinds], np.bool_)[touches.kind]
    return touches.at[inbound], touches.matter[inbound]
