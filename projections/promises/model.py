"""Writes promises."""

from projections.changes import Table
from projections.events import RecordedEvent
from projections.facts import FactsOfThings
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of
from projections.promises.fold import (
    BROKEN,
    KEPT,
    MADE,
    REVISED,
    SIDES,
    WITHDRAWN,
    Promise,
    PromiseFact,
    fold,
)

HANDLES = frozenset({MADE, REVISED, KEPT, BROKEN, WITHDRAWN})
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "complaint", "customer", "support", *KINDS_OF_NOBODY
)


def fact_of(event: RecordedEvent) -> PromiseFact:
    """The fact that an event of a promise is."""
    field = event.data.get
    weighing = field("weighing") or {}
    standard, competitor, need, resources = map(weighing.get, SIDES)
    return PromiseFact(
        event.event_id,
        event.data["promise_id"],
        event.data["customer_id"],
        event.type,
        event.occurred_at,
        event.rank,
        field("due_at"),
        field("customer_consented"),
        field("channel"),
        field("topic"),
        field("team"),
        field("department"),
        field("employee_id"),
        field("aspect"),
        field("claim_key"),
        field("promised_value"),
        field("observed_value"),
        field("complaint_id"),
        standard and standard["verdict"],
        competitor and competitor["verdict"],
        need and need["verdict"],
        resources and resources["verdict"],
        field("differentiator"),
    )


_FACTS = FactsOfThings(
    facts_table="promise_facts",
    columns=PromiseFact._fields,
    fact_of=fact_of,
    stored=PromiseFact._make,
    fold=fold,
    rows=Table("promises", Promise._fields, {"promise_id": "text", "visible_from": "timestamptz"}),
)

PROMISES = ReadModel(
    name="promises",
    version="3",
    tables=("promise_facts", "promises"),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_FACTS.apply,
    build=_FACTS.build,
)
