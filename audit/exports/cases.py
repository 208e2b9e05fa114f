"""Which events belong together: the cases of process mining, by one of three notions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from audit.exports.selection import Told
from projections.conversations.fold import (
    EPISODE_GAP,
    Version,
    conversation_id,
    in_conversations,
)
from projections.conversations.versions import CORRECTED, RECORDED, related, version_of
from projections.events import END

CUSTOMER, CONVERSATION, COMPLAINT = "customer", "conversation", "complaint"


class Case(NamedTuple):
    """A case with its events in the order in which they happened, and what is said of it."""

    id: str
    attributes: dict[str, str]
    events: list[Told]


CaseOf = Callable[[Told], Case | None]


def cases_of(
    notion: str, history: Sequence[Told], episode_gap: timedelta = EPISODE_GAP
) -> tuple[list[Case], list[Told]]:
    """One customer's history as cases of a notion (of NOTIONS), and the events in none of them.

    `history` is in order. A conversation is what the read models call one; an event that names a
    case belongs to it, whatever it is about. To a complaint belongs what names it, and every event
    of a promise or a request to the back office that was made because of it.
    """
    name = NOTIONS[notion](history, episode_gap)
    cases: dict[str, Case] = {}
    outside: list[Told] = []
    for told in history:
        found = name(told)
        if found is None:
            outside.append(told)
        else:
            cases.setdefault(found.id, found).events.append(told)
    return list(cases.values()), outside


def conversations_of(
    history: Iterable[Told], episode_gap: timedelta = EPISODE_GAP
) -> dict[str, Version]:
    """The touchpoint that opened the conversation of each touchpoint of one customer, by the ids of
    touchpoints, as corrected.
    """
    versions = related(
        [version_of(told.event) for told in history if told.event.type in (RECORDED, CORRECTED)]
    )
    holding = [each for each in versions if each.visible_to == END and each.occurred_at != END]
    return {
        version.touchpoint_id: first for version, first in in_conversations(holding, episode_gap)
    }


def conversation_of(told: Told, opened_by: Mapping[str, Version]) -> str | None:
    """The conversation that an event is part of: that of its touchpoint, or of the case that it
    names. `opened_by` is what `conversations_of` gives.
    """
    if told.event.type in (RECORDED, CORRECTED):
        first = opened_by.get(told.event.data["touchpoint_id"])
        if first is not None:
            return conversation_id(first)
    named = told.record.get("case_id")
    return None if named is None else f"case:{told.event.customer_id}:{named}"


def _by_customer(_: Sequence[Told], __: timedelta) -> CaseOf:
    def case(told: Told) -> Case:
        customer = told.event.customer_id or ""
        return Case(customer, {"customer_id": customer}, [])

    return case


def _by_conversation(history: Sequence[Told], episode_gap: timedelta) -> CaseOf:
    opened_by = conversations_of(history, episode_gap)

    def case(told: Told) -> Case | None:
        conversation = conversation_of(told, opened_by)
        if conversation is None:
            return None
        return Case(conversation, {"customer_id": told.event.customer_id or ""}, [])

    return case


def _by_complaint(history: Sequence[Told], _: timedelta) -> CaseOf:
    of_stream: dict[str, str] = {}
    for told in history:
        complaint = told.event.data.get("complaint_id")
        if complaint is not None:
            of_stream[told.event.originator_id] = complaint

    def case(told: Told) -> Case | None:
        complaint = of_stream.get(told.event.originator_id)
        if complaint is None:
            return None
        customer = told.event.customer_id or ""
        return Case(complaint, {"customer_id": customer, "complaint_id": complaint}, [])

    return case


NOTIONS: dict[str, Callable[[Sequence[Told], timedelta], CaseOf]] = {
    CUSTOMER: _by_customer,
    CONVERSATION: _by_conversation,
    COMPLAINT: _by_complaint,
}
"""Every notion of a case, by its name."""
