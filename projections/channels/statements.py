"""Statements about channels, put together from parts that figures and their explanation share."""

from pathlib import Path

from ledger.sql import named_queries
from projections.policies.costs import COST_OF_ONE, COSTS, cost
from projections.promises.queries import JUDGED

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_SHARED = ("touched", "talked", "measured", "helped", "tiered", "complained", "thought")


def filled(name: str) -> str:
    """A statement with the parts that it shares with others."""
    statement = _SQL[name]
    for shared in _SHARED:
        statement = statement.replace(f"{{{shared}}}", _SQL[shared])
    return (
        statement.replace("{costs}", COSTS)
        .replace("{judged}", JUDGED)
        .replace("{cost}", cost("contacts", "handling_seconds"))
        .replace("{cost_of_one}", COST_OF_ONE)
    )
