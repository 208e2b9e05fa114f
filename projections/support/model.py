"""Writes what the back office was asked for."""

from projections.changes import Table
from projections.events import RecordedEvent
from projections.facts import FactsOfThings
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of
from projections.support.fold import ANSWERED, REQUESTED, Request, SupportFact, fold

HANDLES = frozenset({REQUESTED, ANSWERED})
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "promise", "complaint", "customer", *KINDS_OF_NOBODY
)


def _fact_of(event: RecordedEvent) -> SupportFact:
    field = event.data.get
    return SupportFact(
        event.event_id,
        event.data["request_id"],
        event.data["customer_id"],
        event.type,
        event.occurred_at,
        event.rank,
        field("kind"),
        field("complaint_id"),
        field("promise_id"),
        field("case_id"),
        field("channel"),
        field("topic"),
        field("product"),
        field("team"),
        field("department"),
        field("employee_id"),
        field("fulfilled"),
    )


_FACTS = FactsOfThings(
    facts_table="support_facts",
    columns=SupportFact._fields,
    fact_of=_fact_of,
    stored=SupportFact._make,
    fold=fold,
    rows=Table("support_requests", Request._fields, {"request_id": "text"}),
)

SUPPORT = ReadModel(
    name="support",
    version="1",
    tables=("support_facts", "support_requests"),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_FACTS.apply,
    build=_FACTS.build,
)
