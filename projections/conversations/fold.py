"""Touchpoints in, conversations and waits out. Pure, and blind to the order of its input.

Definitions: docs/reference/metrics.md, "Response times". A *version* is one record of a touchpoint,
as first published or as corrected; it holds from `visible_from` until `visible_to`, when the next
correction replaces it. The rows hold in the same sense, so that what is said as of an instant is
exactly what the facts up to that instant say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from projections.events import BEGINNING, END

FIRST_RESPONSE = "first_response"
FIRST_RESPONSE_ANY = "first_response_any"
NEXT_REPLY = "next_reply"
RESOLUTION = "resolution"
FULL_RESOLUTION = "full_resolution"
METRICS = (FIRST_RESPONSE, FIRST_RESPONSE_ANY, NEXT_REPLY, RESOLUTION, FULL_RESOLUTION)

EPISODE_GAP = timedelta(days=7)
"""Touchpoints without a case at most this far apart belong together."""

REOPENS_WITHIN = timedelta(days=7)
"""A customer who comes back within this time was not helped for good."""


class Version(NamedTuple):
    """One record of a touchpoint; the columns of table `touchpoints`, in its order.

    `occurred_at` is END while it is not known: a correction that keeps the time of a record which
    has not arrived.
    """

    event_id: str
    touchpoint_id: str
    customer_id: str
    case_id: str | None
    occurred_at: datetime
    keeps_time: bool
    corrects: bool
    visible_from: datetime
    visible_to: datetime
    reaches: bool
    direction: str
    channel: str
    handled_by: str
    expects_reply: bool
    in_reply_to: str | None
    outcome: str | None
    topic: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    product: str | None
    moment: str | None
    stage: str | None
    duration_seconds: float | None
    handling_seconds: float | None
    concurrency: int


class Conversation(NamedTuple):
    """A row of table `conversations`."""

    conversation_id: str
    visible_from: datetime
    visible_to: datetime
    customer_id: str
    case_id: str | None
    started_at: datetime
    opened_by: str
    channel: str
    topic: str | None
    team: str | None
    department: str | None


class Interval(NamedTuple):
    """A row of table `intervals`."""

    metric: str
    started_by: str
    visible_from: datetime
    visible_to: datetime
    conversation_id: str
    customer_id: str
    started_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    channel: str
    topic: str | None
    team: str | None
    department: str | None
    answered_team: str | None
    answered_department: str | None
    employee_id: str | None


Row = Conversation | Interval


def fold(versions: Sequence[Version], *, gap: timedelta = EPISODE_GAP) -> list[Row]:
    """The conversations and intervals of one customer's touchpoints.

    `versions` are whole cases (or all touchpoints without a case), or everything of the customer
    when a correction or a reply reaches from one case into another.
    """
    if not any(version.corrects for version in versions):
        return list(_fold_epoch(versions, gap))
    # Between two corrections nothing is replaced, so each such epoch is folded for itself and cut
    # to it.
    edges = [*sorted({version.visible_from for version in versions} | {BEGINNING}), END]
    rows: dict[Row, list[Row]] = defaultdict(list)
    for begin, end in pairwise(edges):
        holding = [
            version
            for version in versions
            if version.visible_from <= begin < version.visible_to and version.occurred_at != END
        ]
        for row in _fold_epoch(holding, gap):
            _add_cut(rows[row._replace(visible_from=BEGINNING, visible_to=END)], row, begin, end)
    return [row for same in rows.values() for row in same]


def _add_cut(same: list[Row], row: Row, begin: datetime, end: datetime) -> None:
    """Add the part of a row that lies in an epoch; where the epoch before said the same, go on."""
    visible_from, visible_to = max(row.visible_from, begin), min(row.visible_to, end)
    if visible_from >= visible_to:
        return
    if same and same[-1].visible_to == visible_from:
        same[-1] = same[-1]._replace(visible_to=visible_to)
    else:
        same.append(row._replace(visible_from=visible_from, visible_to=visible_to))


def canonical(version: Version) -> tuple[datetime, bool, str]:
    """Touchpoints in order: by time, inbound before outbound, then by event id."""
    return version.occurred_at, version.direction == "outbound", version.event_id


def in_conversations(
    versions: Iterable[Version], gap: timedelta = EPISODE_GAP
) -> Iterator[tuple[Version, Version]]:
    """One customer's touchpoints in order, each with the one that opened its conversation."""
    current: dict[str | None, tuple[Version, datetime]] = {}
    for version in sorted(versions, key=canonical):
        first, last_at = current.get(version.case_id, (version, version.occurred_at))
        if version.case_id is None and version.occurred_at - last_at > gap:
            first = version
        current[version.case_id] = first, version.occurred_at
        yield version, first


def conversation_id(first: Version) -> str:
    """The id of the conversation that a touchpoint opened."""
    if first.case_id is None:
        return f"episode:{first.touchpoint_id}"
    return f"case:{first.customer_id}:{first.case_id}"


def _fold_epoch(versions: Iterable[Version], gap: timedelta) -> Iterator[Row]:
    """The rows of touchpoints of which none is corrected."""
    walks: dict[str, _Walk] = {}
    heard: dict[str | None, tuple[Version, _Walk]] = {}
    for version, first in in_conversations(versions, gap):
        walk = walks.get(first.event_id)
        if walk is None:
            walk = walks[first.event_id] = _Walk(first)
        if version.direction == "inbound":
            heard[version.touchpoint_id] = version, walk
            walk.inbound(version)
        elif version.in_reply_to in heard:
            # A reply counts where the touchpoint is that it answers.
            named, answered = heard[version.in_reply_to]
            answered.outbound(version, named)
        else:
            walk.outbound(version, None)
    for walk in walks.values():
        yield from walk.rows()


class _Wait(NamedTuple):
    """A wait that began with `begun_by`, as it is seen from `visible_from` until `visible_to`."""

    begun_by: Version
    ended_by: Version | None
    visible_from: datetime
    visible_to: datetime = END


class _Walk:
    """One conversation, told touchpoint by touchpoint in canonical order."""

    def __init__(self, first: Version) -> None:
        self.first = first
        self._first_inbound: Version | None = None
        self._asked: Version | None = None
        self._first_human: Version | None = None
        self._first_any: Version | None = None
        self._unanswered: dict[str, Version] = {}
        self._oldest_from = BEGINNING
        self._replies: list[_Wait] = []
        self._first_resolved: Version | None = None
        self._standing: list[Version] = []
        self._full: list[_Wait] = []

    def inbound(self, version: Version) -> None:
        """The customer got in touch."""
        if self._first_inbound is None:
            self._first_inbound = version
            self._full.append(_Wait(version, None, version.occurred_at))
        else:
            self._reopen(version.occurred_at)
        if version.expects_reply:
            if self._asked is None:
                self._asked = version
            if not self._unanswered:
                self._oldest_from = version.occurred_at
            self._unanswered[version.touchpoint_id] = version
        if version.outcome == "resolved":
            self._resolve(version)

    def outbound(self, version: Version, named: Version | None) -> None:
        """The organisation got in touch; `named` is the touchpoint that it says it answers."""
        if self._asked is not None:
            if self._first_any is None:
                self._first_any = version
            if version.handled_by == "human":
                if self._first_human is None:
                    self._first_human = version
                self._reply(version, named)
        if version.outcome == "resolved" and self._first_inbound is not None:
            self._resolve(version)

    def _reply(self, reply: Version, named: Version | None) -> None:
        if not self._unanswered:
            return
        oldest = next(iter(self._unanswered.values()))
        if named is None:
            self._replies.append(_Wait(oldest, reply, self._oldest_from))
            self._unanswered.clear()
        elif self._unanswered.pop(named.touchpoint_id, None) is not None:
            # Until this reply the run counted as one wait, that of its oldest; from here on as two.
            seen_from = self._oldest_from if named is oldest else reply.occurred_at
            self._replies.append(_Wait(named, reply, seen_from))
            if named is oldest:
                self._oldest_from = reply.occurred_at

    def _resolve(self, version: Version) -> None:
        if self._first_resolved is None:
            self._first_resolved = version
        self._standing.append(version)
        if self._full[-1].ended_by is None:
            self._full[-1] = self._full[-1]._replace(ended_by=version)
        else:
            self._turn_full(version.occurred_at)

    def _reopen(self, at: datetime) -> None:
        standing = len(self._standing)
        while self._standing and at - self._standing[-1].occurred_at <= REOPENS_WITHIN:
            self._standing.pop()
        if len(self._standing) < standing:
            self._turn_full(at)

    def _turn_full(self, at: datetime) -> None:
        """From `at` on, the last resolution that stands is another one, or none."""
        seen = self._full[-1]
        self._full[-1] = seen._replace(visible_to=at)
        ended_by = self._standing[-1] if self._standing else None
        self._full.append(_Wait(seen.begun_by, ended_by, at))

    def rows(self) -> Iterator[Row]:
        """The rows of this conversation."""
        first = self.first
        conversation = conversation_id(first)
        yield Conversation(
            conversation,
            first.occurred_at,
            END,
            first.customer_id,
            first.case_id,
            first.occurred_at,
            first.event_id,
            first.channel,
            first.topic,
            first.team,
            first.department,
        )
        for metric, wait in self._waits():
            if wait.visible_from < wait.visible_to:
                yield _interval(metric, conversation, wait)

    def _waits(self) -> Iterator[tuple[str, _Wait]]:
        asked, inbound = self._asked, self._first_inbound
        if asked is not None:
            yield FIRST_RESPONSE, _Wait(asked, self._first_human, asked.occurred_at)
            yield FIRST_RESPONSE_ANY, _Wait(asked, self._first_any, asked.occurred_at)
        for wait in self._replies:
            yield NEXT_REPLY, wait
        for oldest in self._unanswered.values():
            yield NEXT_REPLY, _Wait(oldest, None, self._oldest_from)
            break
        if inbound is not None:
            yield RESOLUTION, _Wait(inbound, self._first_resolved, inbound.occurred_at)
        for wait in self._full:
            yield FULL_RESOLUTION, wait


def _interval(metric: str, conversation: str, wait: _Wait) -> Interval:
    waited, answer = wait.begun_by, wait.ended_by
    return Interval(
        metric,
        waited.event_id,
        wait.visible_from,
        wait.visible_to,
        conversation,
        waited.customer_id,
        waited.occurred_at,
        answer.occurred_at if answer else None,
        answer.event_id if answer else None,
        waited.channel,
        waited.topic,
        waited.team,
        waited.department,
        answer.team if answer else None,
        answer.department if answer else None,
        answer.employee_id if answer else None,
    )
