"""The questions what customers are worth beside what serving them costs."""

from __future__ import annotations

from pydantic import Field

from projections.customers.value_cost import (
    NO_TIER,
    QUARTILES,
    TIERS,
    behind_value_cost,
    behind_value_cost_customers,
    value_cost,
    value_cost_customers,
)
from questions.parameters import Paging, Window, one_of
from questions.question import ExplainedRow, Explanation, Question, asked_for_all, figures_of
from questions.tables import column, in_columns, money, number, words

_CELL = ("tier", "quartile", "currency")


class ValueCostRow(ExplainedRow):
    """The customers of one tier and one quarter of cost."""

    tier: str | None = Field(description="At the end of the window; null: none yet")
    quartile: str = Field(description="1 (cheapest) to 4 (dearest), unknown or unserved")
    currency: str | None
    customers: int
    touchpoints: int
    cost: float | None = Field(description="Of all of them together")
    lowest_cost: float | None
    highest_cost: float | None
    mismatch: str | None = Field(
        description="more_than_value: dear service of low value; less_than_value: the reverse"
    )


VALUE_COST = Question(
    command="value-cost",
    path="/value-cost",
    summary="What customers are worth beside what serving them costs: tier by quarter of cost",
    details="Cost is that of the touchpoints in the window, by the rates in force at the time; "
    "quarter 1 is the cheapest. Who is behind a cell: servicetrail value-cost-customers.",
    parameters=Window,
    row=ValueCostRow,
    about="figures",
    ask=asked_for_all(value_cost),
    tables=in_columns(
        column("Tier", "tier"),
        column("Quarter", "quartile"),
        number("Customers", "customers"),
        number("Touchpoints", "touchpoints"),
        money("Cost", "cost"),
        money("Lowest", "lowest_cost"),
        money("Highest", "highest_cost"),
        column("Currency", "currency"),
        column("Mismatch", "mismatch"),
    ),
    behind=Explanation(
        groups=_CELL,
        figures=figures_of(ValueCostRow, *_CELL, "mismatch"),
        ask=behind_value_cost,
    ),
)


class ValueCostCustomerParameters(Window, Paging):
    """Parameters of the list of customers with tier and cost."""

    tier: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of((*TIERS, NO_TIER))
    )
    quartile: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of(QUARTILES)
    )


class ValueCostCustomerRow(ExplainedRow):
    """One customer with tier and cost."""

    customer_id: str = Field(description="The least of the ids that are one person")
    tier: str | None
    quartile: str
    currency: str | None
    touchpoints: int
    cost: float | None
    mismatch: str | None


VALUE_COST_CUSTOMERS = Question(
    command="value-cost-customers",
    path="/value-cost/customers",
    summary="Customers with what they are worth and what serving them costs, the dearest first",
    parameters=ValueCostCustomerParameters,
    row=ValueCostCustomerRow,
    ask=asked_for_all(value_cost_customers),
    tables=in_columns(
        words("Customer", "customer_id"),
        column("Tier", "tier"),
        column("Quarter", "quartile"),
        number("Touchpoints", "touchpoints"),
        money("Cost", "cost"),
        column("Currency", "currency"),
        column("Mismatch", "mismatch"),
    ),
    behind=Explanation(
        groups=("customer_id",),
        figures=figures_of(ValueCostCustomerRow, "customer_id", *_CELL, "mismatch"),
        ask=behind_value_cost_customers,
    ),
)
