"""What of other customers' complaints is needed to judge those of some customers."""

from collections.abc import Sequence
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.complaints.verifying import VERIFIED_AFTER

_SQL = named_queries(Path(__file__).with_name("others.sql"))


def further_complaints(cursor: PgCursor, customers: Sequence[str], position: int) -> list[int]:
    """The positions, up to `position`, of the events by which complaints of others may have come
    back to a prevention planned for these customers (`projections.complaints.verifying`).

    The cursor works in a schema whose read model of complaints has reached `position`.
    """
    asked = {"customers": text_array(customers), "position": position, "after": VERIFIED_AFTER}
    cursor.execute(_SQL["further"], asked)
    return [each for (each,) in cursor]
