"""Writes complaints and their steps."""

from typing import Any

from projections.changes import Table
from projections.complaints.fold import Complaint, Step, fold
from projections.complaints.others import further_complaints
from projections.events import RecordedEvent
from projections.facts import FactsOfThings
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of
from schemas.codec import to_json

HANDLES = types_of("complaint")
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "promise", "customer", "support", *KINDS_OF_NOBODY
)

_COLUMNS = frozenset(Step._fields) - {"severity", "outcome"}


def step_of(event: RecordedEvent) -> Step:
    """The step that an event of a complaint is."""
    field = event.data.get
    return Step(
        event.event_id,
        event.data["complaint_id"],
        event.data["customer_id"],
        event.type,
        event.occurred_at,
        event.rank,
        field("channel"),
        field("topic"),
        field("product"),
        field("team"),
        field("department"),
        field("employee_id"),
        field("case_id"),
        field("severity"),
        field("outcome"),
        _own_fields(event),
        event.position,
        event.recorded_at,
    )


def _own_fields(event: RecordedEvent) -> dict[str, Any]:
    """What only this type of step says: its fields without null ones and those with a column."""
    own = {
        name: value
        for name, value in event.data.items()
        if value is not None and name not in _COLUMNS
    }
    return to_json(event.type, own)


_STEPS = FactsOfThings(
    facts_table="complaint_steps",
    columns=Step._fields,
    fact_of=step_of,
    stored=Step._make,
    fold=fold,
    rows=Table(
        "complaints",
        Complaint._fields,
        {"complaint_id": "text", "visible_from": "timestamptz"},
    ),
)

COMPLAINTS = ReadModel(
    name="complaints",
    version="2",
    tables=("complaint_steps", "complaints"),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_STEPS.apply,
    build=_STEPS.build,
    others=further_complaints,
)
