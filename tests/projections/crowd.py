"""Histories of many customers, and the read models' rows in any schema."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg2 import sql

from ledger.datastore import Datastore
from projections.registry import read_models
from tests.projections.history import Happened, at, corrected, happened, inbound, outbound


def crowd(customers: int, first: int = 0) -> list[Happened]:
    """Some ten events for each of so many customers, mixed as they would come in, with policies."""
    history = [
        happened(
            "service_level.published.v1",
            "2024-01-01 09:00",
            service_level_id=f"SL{first}",
            metric="first_response",
            target_seconds=3600.0,
            clock="calendar",
            valid_from="2024-01-01",
        )
    ]
    for step in range(5):
        for number in range(first, first + customers):
            history += _step(step, number)
    return history


def _step(step: int, number: int) -> list[Happened]:
    who = f"customer {number}"
    when = f"{at('2024-03-01 09:00') + timedelta(hours=step, minutes=number % 50):%Y-%m-%d %H:%M}"
    mine: dict[str, Any] = {"customer_id": who}
    if step == 0:
        return [
            inbound(when, f"T{number}", topic="boiler", **mine),
            happened("customer.tiered.v1", when, tier="most_valuable", **mine),
            happened(
                "complaint.raised.v1", when, complaint_id=f"K{number}", channel="mail", **mine
            ),
        ]
    if step == 1:
        return [
            outbound(when, f"R{number}", in_reply_to=f"T{number}", **mine),
            happened(
                "promise.made.v1",
                when,
                promise_id=f"P{number}",
                statement="a call",
                channel="mail",
                due_at="2024-03-03",
                **mine,
            ),
        ]
    if step == 2:
        return [
            corrected(when, f"T{number}", channel="phone", topic="bill", **mine),
            happened("promise.kept.v1", when, promise_id=f"P{number}", **mine),
        ]
    if step == 3:
        return [
            happened(
                "feedback.given.v1",
                when,
                feedback_id=f"F{number}",
                kind="explicit",
                instrument="csat",
                score=4.0,
                channel="web",
                **mine,
            ),
            inbound(when, f"U{number}", case_id=f"C{number}", **mine),
        ]
    return [
        happened("complaint.closed.v1", when, complaint_id=f"K{number}", outcome="upheld", **mine)
    ]


def everything_in(datastore: Datastore, schema: str) -> dict[str, list[Mapping[str, Any]]]:
    """Every row of every read model in a schema, with positions."""
    found = {}
    with datastore.transaction() as cursor:
        for model in read_models():
            for table in model.tables:
                cursor.execute(
                    sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(sql.Identifier(schema, table))
                )
                found[table] = sorted((row for (row,) in cursor), key=repr)
    return found
