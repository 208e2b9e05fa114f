"""What touchpoints cost, for statements that add it up."""

from pathlib import Path

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

COSTS = _SQL["costs"]
"""A query to select from: `event_id`, `channel`, `cost_per_minute`, `cost_per_contact`, `currency`,
`valid_from` and `valid_to`. Parameter: `as_of`.
"""

COST = _SQL["cost"]
"""What touchpoints `t` cost together, each joined with the rates `c` in force, if there are any."""
