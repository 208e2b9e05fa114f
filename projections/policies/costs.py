"""What touchpoints cost, for statements that add it up."""

from pathlib import Path

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

COSTS = _SQL["costs"]
"""A query to select from: `event_id`, `channel`, `cost_per_minute`, `cost_per_contact`, `currency`,
`valid_from` and `valid_to`. Parameter: `as_of`.
"""


def cost(contacts: str, handling_seconds: str) -> str:
    """What all rows cost together, each joined with the rates `c` in force, if there are any.

    `contacts` and `handling_seconds` say how many touchpoints a row is, and how long they took
    (null: not known) with what was handled at the same time divided among it.
    """
    counted = _SQL["cost"].replace("{contacts}", contacts)
    return counted.replace("{handling_seconds}", handling_seconds)


COST = cost("1", "t.handling_seconds / greatest(t.concurrency, 1)")
"""What touchpoints `t` cost together, each joined with the rates `c` in force, if there are any."""
