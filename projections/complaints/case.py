"""What had happened in one complaint by an instant, and what that says of a deadline. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from projections.complaints.fold import CLOSED, RAISED, REOPENED, Step, canonical
from projections.policies.book import RuleBook
from projections.policies.rules import AuthorityLimit, ServiceLevel

SATISFIED, VIOLATED, PENDING = "satisfied", "violated", "pending"
NOT_APPLICABLE = "not_applicable"

_UPHELD = {"upheld", "partly_upheld"}


class Ruling(NamedTuple):
    """How one rule stands, and the ids of the events that decide it, policies among them."""

    state: str
    events: tuple[str, ...] = ()


def case_of(
    steps: Iterable[Step], book: RuleBook, *, tier: str | None, as_of: datetime
) -> "Case | None":
    """The case of one complaint by what had happened by `as_of`; None before it was raised.

    `steps` are in any order; `tier` is the customer's when the complaint was raised.
    """
    ordered = sorted((step for step in steps if step.occurred_at <= as_of), key=canonical)
    raised = next((step for step in ordered if step.type == RAISED), None)
    return None if raised is None else Case(raised, ordered, book, tier, as_of)


class Case:
    """What had happened in one complaint by an instant; `steps` are in order."""

    def __init__(
        self,
        raised: Step,
        steps: Sequence[Step],
        book: RuleBook,
        tier: str | None,
        as_of: datetime,
    ) -> None:
        self.raised = raised
        self.steps = steps
        self.book = book
        self.tier = tier
        self.regulated = bool(raised.data.get("jurisdiction"))
        self.as_of = as_of
        self._by_type: dict[str, list[Step]] = defaultdict(list)
        for step in steps:
            self._by_type[step.type].append(step)
        self._levels: dict[str, ServiceLevel | None] = {}
        self.closings, self.closing = closings_of(steps)
        self.decisions = self.all("decided")
        self.acknowledged = next(
            (step for step in self.all("acknowledged") if step.data["handled_by"] == "human"), None
        )
        self.upheld, self.upheld_by = self._upheld()

    def all(self, name: str) -> Sequence[Step]:
        """Its steps of one type, in order."""
        return self._by_type.get(f"complaint.{name}.v1", ())

    def first(self, *names: str) -> Step | None:
        """The first of its steps that is of one of these types."""
        firsts = [taken[0] for name in names if (taken := self.all(name))]
        return min(firsts, key=canonical, default=None)

    def level(self, metric: str) -> ServiceLevel | None:
        """The service level in force for it when it was raised; None if it sets no deadline."""
        if metric not in self._levels:
            self._levels[metric] = self._level(metric)
        return self._levels[metric]

    def _level(self, metric: str) -> ServiceLevel | None:
        raised = self.raised
        level = self.book.levels.level(
            metric,
            raised.occurred_at,
            channel=raised.channel,
            topic=raised.topic,
            # The regulator's clock runs alike for every customer.
            tier=None if self.regulated else self.tier,
            severity=raised.severity,
        )
        return level if level and self.book.measures(level, raised.occurred_at) else None

    def late(self, level: ServiceLevel | None, at: datetime, since: Step | None = None) -> bool:
        """Whether the target, counted from the raising or another step, was over at an instant."""
        if level is None:
            return False
        start = (since or self.raised).occurred_at
        elapsed = self.book.elapsed_seconds(level, start, at)
        return elapsed is not None and elapsed > level.target_seconds

    def in_time(self, level: ServiceLevel) -> Sequence[Step]:
        """Its steps before a target, counted from the raising, was over."""
        over = bisect_left(self.steps, True, key=lambda step: self.late(level, step.occurred_at))
        return self.steps[:over]

    def apology_needed_by(self) -> Step | None:
        """The first step that says that there is something to apologize for; None so far.

        A closing that upheld it says so even if it was reopened afterwards.
        """
        if self.raised.data.get("fault_found"):
            return self.raised
        saying = [step for step in self.all("apologized") if step.data["admits_fault"]]
        saying += [closing for closing in self.closings if closing.outcome in _UPHELD]
        if self.upheld and self.upheld_by is not None:
            saying.append(self.upheld_by)
        return min(saying, key=canonical, default=None)

    def required(
        self, done: Step | None, level: ServiceLevel | None, needed_by: Step | None = None
    ) -> Ruling:
        """How a rule stands that requires a step, `done` or not taken so far.

        The deadline is the target's; where none was agreed the first closing that is not before
        `needed_by`, whether or not the complaint was reopened after it.
        """
        if level is not None:
            late = self.late(level, self.as_of if done is None else done.occurred_at)
            by = ids(done or self.raised, needed_by, level)
        else:
            needed = canonical(needed_by or self.raised)
            over = next((each for each in self.closings if canonical(each) >= needed), None)
            late = over is not None and (done is None or over.occurred_at < done.occurred_at)
            by = ids(done, needed_by, over if late else None)
        if late:
            return Ruling(VIOLATED, by)
        return Ruling(PENDING) if done is None else Ruling(SATISFIED, by)

    def unbroken(self, *by: Step | AuthorityLimit | None) -> Ruling:
        """How a rule stands that forbids something, while nothing has broken it."""
        if self.closing is None:
            return Ruling(PENDING)
        return Ruling(SATISFIED, ids(*by)) if by else Ruling(NOT_APPLICABLE)

    def _upheld(self) -> tuple[bool | None, Step | None]:
        """Whether it was upheld, and by which step; None while nothing was decided."""
        if self.closing is not None and self.closing.outcome != "withdrawn":
            return self.closing.outcome in _UPHELD, self.closing
        if self.decisions:
            return self.decisions[-1].data["decision"] in _UPHELD, self.decisions[-1]
        return (None, None) if self.closing is None else (False, self.closing)


class Closings(NamedTuple):
    """Every step that closed a complaint while it was open, and the one that stands, if any."""

    every: list[Step]
    standing: Step | None


def closings_of(steps: Iterable[Step]) -> Closings:
    """The closings among these steps."""
    every: list[Step] = []
    standing = None
    for step in steps:
        if step.type == CLOSED and standing is None:
            standing = step
            every.append(step)
        elif step.type == REOPENED:
            standing = None
    return Closings(every, standing)


def ids(*events: Step | ServiceLevel | AuthorityLimit | None) -> tuple[str, ...]:
    """The ids of the events that decide something, each once."""
    return tuple(dict.fromkeys([event.event_id for event in events if event is not None]))
