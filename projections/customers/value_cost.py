"""Answers what customers are worth beside what serving them costs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page, window
from projections.customers.persons import persons
from projections.explaining import Behind, explain
from projections.policies.costs import COST, COST_OF_ONE, COSTS

TIERS = ("most_valuable", "most_growable", "low_contribution", "negative")
"""The tiers of the customer pyramid, the most valuable first."""

NO_TIER = "none"
QUARTILES = ("1", "2", "3", "4", "unknown", "unserved")
"""1 is the cheapest quarter of the customers served, 4 the dearest. Of those of `unknown` a
touchpoint has no cost in force, or they are in several currencies; those of `unserved` had no
touchpoint.
"""

_SQL = named_queries(Path(__file__).with_name("value_cost.sql"))
_PLACED = _SQL["placed"].replace("{costs}", COSTS).replace("{cost}", COST)
_CELLS, _CUSTOMERS, _BEHIND = (
    _SQL[name]
    .replace("{placed}", _PLACED)
    .replace("{touched}", _SQL["touched"])
    .replace("{mismatch}", _SQL["mismatch"])
    .replace("{cost_of_one}", COST_OF_ONE)
    for name in ("cells", "customers", "behind")
)
_READ_MODELS = ("conversations", "policies", "customers")


class UnknownTier(WrongParameter):
    """There is no such tier."""

    parameter = "tier"


class UnknownQuartile(WrongParameter):
    """There is no such quartile of cost."""

    parameter = "quartile"


def value_cost(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """How many customers of which tier cost how much to serve in [from_, to), by `as_of`.

    A customer is a person: all ids that are one as of `as_of`, by the least of which they go. Their
    cost is that of the touchpoints in the window, each by the rates in force when it happened; the
    tier is that at the end of the window, of several the one set last. Rows, for each cell that has
    customers: `tier` (null: none yet), `quartile` (of QUARTILES, within one currency), `currency`,
    `customers`, `touchpoints`, `cost` (together), `lowest_cost`, `highest_cost`, `mismatch`
    (`more_than_value`: the dearest quarter, of low or negative contribution; `less_than_value`: the
    cheapest quarter, of the two highest tiers; null otherwise).
    """
    rows = fetch(cursor, _CELLS, _parameters(cursor, as_of, window(from_, to)))
    return answer(cursor, _READ_MODELS, as_of, rows)


def value_cost_customers(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    tier: str | None = None,
    quartile: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """The customers behind the cells of `value_cost`, the dearest first.

    `tier` is one of TIERS or NO_TIER, `quartile` one of QUARTILES. Rows: `customer_id`, `tier`,
    `quartile`, `currency`, `touchpoints`, `cost`, `mismatch`.

    Raises UnknownTier, UnknownQuartile, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if tier is not None and tier not in {*TIERS, NO_TIER}:
        raise UnknownTier(f"tier must be one of {', '.join([*TIERS, NO_TIER])}")
    if quartile is not None and quartile not in QUARTILES:
        raise UnknownQuartile(f"quartile must be one of {', '.join(QUARTILES)}")
    wanted = page("value-cost-customers", limit, as_of, token)
    after_cost, after_customer = wanted.after or (None, None)
    parameters = _parameters(cursor, wanted.as_of, window(from_, to)) | {
        "tier": tier,
        "quartile": quartile,
        "after_cost": after_cost,
        "after_customer": after_customer,
        "rows": limit + 1,
    }
    found = fetch(cursor, _CUSTOMERS, parameters)
    rows, next_ = cut("value-cost-customers", wanted, found, ("cost", "customer_id"))
    return answer(cursor, _READ_MODELS, wanted.as_of, rows, next_)


def behind_value_cost(cursor: PgCursor, wanted: Behind) -> Answer:
    """The touchpoints and tiers behind rows of `value_cost` and of `value_cost_customers`, as
    `projections.explaining.explain` lists them. The columns of a group are tier, quartile, currency
    and `person`.
    """
    return explain(
        cursor,
        _BEHIND,
        wanted,
        _READ_MODELS,
        groups=("tier", "quartile", "currency", "person"),
        parameters=_parameters(cursor, wanted.page.as_of, wanted.parameters()),
    )


def behind_value_cost_customers(cursor: PgCursor, wanted: Behind) -> Answer:
    """The same for rows that are named by their `customer_id`."""
    person = {"person": wanted.group["customer_id"]} if wanted.group else {}
    return behind_value_cost(cursor, replace(wanted, group=person))


def _parameters(cursor: PgCursor, as_of: datetime, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the statements ask for, with the ids that are one person, and who that is."""
    merged = persons(cursor, as_of=as_of)
    return {
        **asked,
        "as_of": as_of,
        "tiers": list(TIERS),
        "ids": text_array(merged),
        "persons": text_array(merged.values()),
    }
