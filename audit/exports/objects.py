"""A customer's history as objects, events that they take part in, and how all of it is related:
the model of OCEL 2.0, whatever the format.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from audit.exports.cases import conversation_of, conversations_of
from audit.exports.selection import Selection, Told
from domain import EVENT_TYPES, is_of_nobody
from projections.complaints import fold as complaints
from projections.complaints.model import step_of
from projections.conversations.fold import Version, conversation_id
from projections.promises import fold as promises
from projections.promises.model import fact_of
from schemas.fields import BOOLEAN, FLOAT, INTEGER, STRING, TIME, Value, fields_of, values_of

CUSTOMER, CONVERSATION, PROMISE = "customer", "conversation", "promise"
COMPLAINT, EMPLOYEE, CHANNEL = "complaint", "employee", "channel"

OBJECT_TYPES: dict[str, dict[str, str]] = {
    CUSTOMER: {
        "tier": STRING,
        "contribution": FLOAT,
        "currency": STRING,
        "credit": STRING,
        "erased": BOOLEAN,
    },
    CONVERSATION: {"case_id": STRING, "channel": STRING, "topic": STRING},
    PROMISE: {
        "statement": STRING,
        "aspect": STRING,
        "claim_key": STRING,
        "promised_value": STRING,
        "due_at": TIME,
        "verdict": STRING,
    },
    COMPLAINT: {
        "severity": STRING,
        "topic": STRING,
        "product": STRING,
        "jurisdiction": STRING,
        "state": STRING,
        "outcome": STRING,
    },
    EMPLOYEE: {},
    CHANNEL: {},
}
"""The types of objects, and the kinds of their attributes."""

_OF_ALL = {
    "position": INTEGER,
    "recorded_at": TIME,
    "time_assumed": BOOLEAN,
    "source": STRING,
    "id": STRING,
    "summary": STRING,
}
_CHANGES_OF_CUSTOMERS = {
    "customer.tiered.v1": {"tier": "tier", "contribution": "contribution", "currency": "currency"},
    "customer.credit_changed.v1": {"state": "credit"},
}
_EMPLOYEES = {"employee_id": "by", "from_employee": "from", "to_employee": "to"}


class Relation(NamedTuple):
    """How something is related to an object."""

    object_id: str
    qualifier: str


class Change(NamedTuple):
    """An attribute of an object has a value: since `at`, or from the beginning (None)."""

    name: str
    value: Value
    at: datetime | None


class Object(NamedTuple):
    """An object; its id begins with its type."""

    id: str
    type: str
    changes: list[Change]
    relations: list[Relation]


class Event(NamedTuple):
    """An event with its attributes by name."""

    id: str
    type: str
    at: datetime
    attributes: dict[str, Value]
    relations: list[Relation]


def event_types() -> dict[str, dict[str, str]]:
    """The types of events, without their versions, and the kinds of their attributes."""
    return {
        name_of(type_): _OF_ALL | dict(fields_of(type_))
        for type_ in EVENT_TYPES
        if not is_of_nobody(type_)
    }


def name_of(event_type: str) -> str:
    """What events of a type are called, whatever its version."""
    return event_type.rpartition(".v")[0]


class Customer:
    """The objects and events of one customer: those of the selection, and what they take part in.

    `history` is all that is known of the customer, in order. `is_told` says whether the export has
    another customer; touchpoints without a case belong together up to `episode_gap` apart.
    """

    def __init__(
        self,
        history: Sequence[Told],
        selection: Selection,
        is_told: Callable[[str], bool],
        episode_gap: timedelta,
    ) -> None:
        self._history = history
        self._is_told = is_told
        self._opened_by = conversations_of(history, episode_gap)
        self._streams: dict[str, list[Told]] = defaultdict(list)
        for told in history:
            self._streams[told.event.originator_id].append(told)
        self.told = [told for told in history if selection.has(told)]
        self._related = {
            relation.object_id for told in self.told for relation in self._relations(told)
        }

    def events(self) -> Iterator[Event]:
        """The events of the selection."""
        for told in self.told:
            event = told.event
            yield Event(
                event.event_id,
                name_of(event.type),
                event.occurred_at,
                {
                    "position": event.position,
                    "recorded_at": event.recorded_at,
                    "time_assumed": told.ledger.time_assumed,
                    "source": event.source,
                    "id": event.id,
                    "summary": told.summary,
                    **{path: value for path, _, value in values_of(event.type, event.data)},
                },
                list(dict.fromkeys(self._relations(told))),
            )

    def objects(self) -> Iterator[Object]:
        """Every object that takes part in an event of the selection, employees and channels too."""
        firsts = {conversation_id(first): first for first in self._opened_by.values()}
        for id_ in sorted(self._related):
            type_, _, name = id_.partition(":")
            changes: list[Change] = []
            relations: list[Relation] = []
            match type_:
                case "customer" if name == self._customer_id:
                    changes, relations = self._of_customer()
                case "conversation":
                    changes = self._of_conversation(name, firsts.get(name))
                    relations = [Relation(f"customer:{self._customer_id}", "of")]
                case "promise":
                    changes, relations = self._of_promise(self._streams[id_])
                case "complaint":
                    changes, relations = self._of_complaint(self._streams[id_])
                case "customer":
                    continue
            known = [each for each in relations if self._is_object(each.object_id)]
            yield Object(id_, type_, changes, list(dict.fromkeys(known)))

    @property
    def _customer_id(self) -> str:
        return self._history[0].event.customer_id or ""

    def _is_object(self, id_: str) -> bool:
        type_, _, name = id_.partition(":")
        if type_ == CUSTOMER and name != self._customer_id:
            return self._is_told(name)
        return id_ in self._related

    def _relations(self, told: Told) -> Iterator[Relation]:
        """What an event is related to: of promises and complaints only those that are known."""
        data = told.event.data
        yield Relation(f"customer:{told.event.customer_id}", "customer")
        other = data.get("merged_customer_id")
        if other is not None and other != told.event.customer_id and self._is_told(other):
            yield Relation(f"customer:{other}", "other customer")
        conversation = conversation_of(told, self._opened_by)
        if conversation is not None:
            yield Relation(f"conversation:{conversation}", "conversation")
        for type_ in (PROMISE, COMPLAINT):
            id_ = f"{type_}:{data.get(f'{type_}_id')}"
            if id_ in self._streams:
                own = id_ == told.event.originator_id
                yield Relation(id_, type_ if own else f"because of {type_}")
        for field, qualifier in _EMPLOYEES.items():
            if data.get(field) is not None:
                yield Relation(f"employee:{data[field]}", qualifier)
        if told.channel is not None:
            yield Relation(f"channel:{told.channel}", "channel")

    def _of_customer(self) -> tuple[list[Change], list[Relation]]:
        changes, others = [], {}
        for told in self._history:
            event = told.event
            for field, name in _CHANGES_OF_CUSTOMERS.get(event.type, {}).items():
                if event.data[field] is not None:
                    changes.append(Change(name, event.data[field], event.occurred_at))
            if event.type == "customer.erased.v1":
                changes.append(Change("erased", True, event.occurred_at))
            if event.type in ("customer.merged.v1", "customer.unmerged.v1"):
                other = event.data["merged_customer_id"]
                others[other] = event.type == "customer.merged.v1"
        same = [other for other, merged in others.items() if merged and other != self._customer_id]
        return changes, [Relation(f"customer:{other}", "same person as") for other in same]

    def _of_conversation(self, name: str, first: Version | None) -> list[Change]:
        if first is None:  # nobody was in touch in it, but something names its case
            case_id = name.removeprefix(f"case:{self._customer_id}:")
            return [Change("case_id", case_id, None)]
        return _from_the_beginning(first._asdict(), ("case_id", "channel", "topic"))

    def _of_promise(self, stream: Iterable[Told]) -> tuple[list[Change], list[Relation]]:
        made = _first(stream, promises.MADE)
        if made is None:
            return [], []
        names = ("statement", "aspect", "claim_key", "promised_value")
        changes = _from_the_beginning(made.event.data, names)
        due_at: datetime | None = None
        for row in promises.fold(fact_of(told.event) for told in stream):
            if row.due_at != due_at:
                due_at = row.due_at
                changes.append(Change("due_at", due_at, row.visible_from))
            if row.verdict is not None and row.settled_at is not None:
                since = max(row.settled_at, row.visible_from)
                changes.append(Change("verdict", row.verdict, since))
        return changes, self._to_others(made, "made to", "made in")

    def _of_complaint(self, stream: Iterable[Told]) -> tuple[list[Change], list[Relation]]:
        raised = _first(stream, complaints.RAISED)
        if raised is None:
            return [], []
        names = ("severity", "topic", "product", "jurisdiction")
        changes = _from_the_beginning(raised.event.data, names)
        for row in complaints.fold(step_of(told.event) for told in stream):
            changes.append(Change("state", "open", row.visible_from))
            if row.closed_at is not None and row.outcome is not None:
                closed_at = max(row.closed_at, row.visible_from)
                changes.append(Change("state", "closed", closed_at))
                changes.append(Change("outcome", row.outcome, closed_at))
        relations = self._to_others(raised, "raised by", "raised in")
        first = self._opened_by.get(raised.event.data["touchpoint_id"] or "")
        if first is not None:
            relations.append(Relation(f"conversation:{conversation_id(first)}", "arose in"))
        if raised.event.data["repeat_of"] is not None:
            relations.append(Relation(f"complaint:{raised.event.data['repeat_of']}", "repeats"))
        return changes, relations

    def _to_others(self, opening: Told, to: str, within: str) -> list[Relation]:
        """What a promise or complaint is related to from its first event on."""
        relations = [Relation(f"customer:{self._customer_id}", to)]
        conversation = conversation_of(opening, self._opened_by)
        if conversation is not None:
            relations.append(Relation(f"conversation:{conversation}", within))
        for type_ in (PROMISE, COMPLAINT):
            id_ = f"{type_}:{opening.event.data.get(f'{type_}_id')}"
            if id_ in self._streams and id_ != opening.event.originator_id:
                relations.append(Relation(id_, "because of"))
        return relations


def _first(stream: Iterable[Told], type_: str) -> Told | None:
    """The event that opened a stream; None where it had not happened by then."""
    return next((told for told in stream if told.event.type == type_), None)


def _from_the_beginning(data: Mapping[str, Any], names: Iterable[str]) -> list[Change]:
    return [Change(name, data[name], None) for name in names if data[name] is not None]
