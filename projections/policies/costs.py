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
    return _SQL["cost"].replace("{cost_of}", _cost_of(contacts, handling_seconds))


def _cost_of(contacts: str, handling_seconds: str) -> str:
    counted = _SQL["cost_of"].replace("{contacts}", contacts)
    return counted.replace("{handling_seconds}", handling_seconds)


_ONE = ("1", "t.handling_seconds / greatest(t.concurrency, 1)")
COST = cost(*_ONE)
"""What touchpoints `t` cost together, each joined with the rates `c` in force, if there are any."""

COST_OF_ONE = f"CASE WHEN c.event_id IS NOT NULL THEN {_cost_of(*_ONE)} END"
"""What one touchpoint `t` costs, joined alike; null where no rates were in force."""
