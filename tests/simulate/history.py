"""Named runs of the simulated company, and what their events amount to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from servicetrail.simulate import simulate

START = datetime(2024, 1, 1, tzinfo=UTC)
QUARTER = 90  # days

Event = dict[str, Any]

OPENS = {  # the field with the id that the type opens
    "touchpoint.recorded.v1": "touchpoint_id",
    "promise.made.v1": "promise_id",
    "complaint.raised.v1": "complaint_id",
    "complaint.amends_offered.v1": "amends_id",
    "support.requested.v1": "request_id",
}


@cache
def a_quarter(seed: int = 1, events: int = 20_000) -> tuple[Event, ...]:
    """A quarter of a year, published in order."""
    return tuple(simulate(events, seed, start=START, days=QUARTER))


def of_type(events: Iterable[Event], type_: str) -> Iterator[Event]:
    return (event for event in events if event["type"] == type_)


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])


@dataclass
class Case:
    """A conversation that a customer began."""

    channel: str
    topic: str
    opened: datetime
    answered: datetime | None = None  # by a person

    @property
    def hours(self) -> float | None:
        return (self.answered - self.opened).total_seconds() / 3600 if self.answered else None


def cases(events: Iterable[Event]) -> list[Case]:
    found: dict[str, Case] = {}
    for event in of_type(events, "touchpoint.recorded.v1"):
        data = event["data"]
        case = found.get(data["case_id"])
        if data["direction"] == "inbound" and case is None:
            found[data["case_id"]] = Case(data["channel"], data["topic"], at(event))
        elif case and not case.answered and data.get("handled_by") == "human":
            case.answered = at(event)
    return list(found.values())


@dataclass
class Promise:
    """A promise with the due time that counts."""

    due: datetime
    kept: datetime | None = None
    ended: str | None = None  # declared broken, or withdrawn

    def verdict(self, as_of: datetime) -> str:
        if self.ended == "withdrawn":
            return "withdrawn"
        if self.kept and self.kept <= self.due:
            return "kept"
        if self.ended == "broken":
            return "broken"
        if self.due > as_of:
            return "pending"
        return "kept_late" if self.kept else "overdue"


def promises(events: Iterable[Event]) -> list[Promise]:
    found: dict[str, Promise] = {}
    for event in events:
        kind, _, step = event["type"].removesuffix(".v1").partition(".")
        data = event["data"]
        if kind != "promise":
            continue
        if step == "made":
            found[data["promise_id"]] = Promise(datetime.fromisoformat(data["due_at"]))
            continue
        promise = found[data["promise_id"]]
        if step == "kept":
            promise.kept = promise.kept or at(event)
        elif step == "revised":
            if data["customer_consented"] and at(event) < promise.due:
                promise.due = datetime.fromisoformat(data["due_at"])
        else:
            promise.ended = promise.ended or step
    return list(found.values())


@dataclass
class Complaint:
    """The steps of a complaint, in order, each with its data."""

    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def has(self, step: str, **wanted: Any) -> bool:
        """Whether there is such a step with, among others, these data."""
        return any(name == step and wanted.items() <= data.items() for name, data in self.steps)

    def before(self, earlier: str, later: str) -> bool:
        """Whether both steps were taken, first the one and then the other."""
        names = [name for name, _ in self.steps]
        return earlier in names and later in names and names.index(earlier) < names.index(later)


def complaints(events: Iterable[Event]) -> list[Complaint]:
    found: dict[str, Complaint] = defaultdict(Complaint)
    for event in events:
        kind, _, step = event["type"].removesuffix(".v1").partition(".")
        if kind == "complaint":
            found[event["data"]["complaint_id"]].steps.append((step, event["data"]))
    return list(found.values())


def named_too_early(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Ids that an event refers to before the event that opens them, with the event's type."""
    known: set[str] = set()
    early = []
    for event in events:
        type_, data = event["type"], event["data"]
        if type_ in OPENS:
            known.add(data[OPENS[type_]])
        named = [data.get(name) for name in ("in_reply_to", "repeat_of", *OPENS.values())]
        early += [(type_, id_) for id_ in named if id_ and id_ not in known]
    return early
