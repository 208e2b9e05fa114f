"""What customers are worth beside what serving them costs."""

from decimal import Decimal
from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.customers.value_cost import (
    UnknownQuartile,
    UnknownTier,
    value_cost,
    value_cost_customers,
)
from tests.projections.history import Happened, at, happened, inbound, project

NOW = at("2024-12-31")


def costed(when: str, channel: str, **data: Any) -> Happened:
    told = {"valid_from": when, "currency": "EUR"} | data
    return happened("channel.costed.v1", when, channel=channel, **told)


def tiered(when: str, customer: str, tier: str) -> Happened:
    return happened("customer.tiered.v1", when, customer_id=customer, tier=tier)


def touched(when: str, customer: str, minutes: float, channel: str = "phone") -> Happened:
    return inbound(
        when,
        f"{customer} {when}",
        customer_id=customer,
        channel=channel,
        handling_seconds=minutes * 60,
    )


PRICES = [costed("2024-01-01", "phone", cost_per_minute=Decimal(1), cost_per_contact=Decimal(2))]
CUSTOMERS = [
    tiered("2024-01-01", "Gold", "most_valuable"),
    touched("2024-03-01", "Gold", 1),
    tiered("2024-01-01", "Silver", "most_growable"),
    touched("2024-03-01", "Silver", 4),
    touched("2024-03-01", "Nobody", 8),
    tiered("2024-01-01", "Lead", "negative"),
    touched("2024-03-01", "Lead", 30),
    touched("2024-03-02", "Lead", 30),
    tiered("2024-01-01", "Quiet", "most_valuable"),
    tiered("2024-01-01", "Pigeon", "low_contribution"),
    touched("2024-03-01", "Pigeon", 3, channel="pigeons"),
]


def cells(datastore: Datastore, **how: Any) -> dict[tuple[str | None, str], dict[str, Any]]:
    with snapshot(datastore) as cursor:
        rows = value_cost(cursor, **{"as_of": NOW} | how).rows
    return {(row["tier"], row["quartile"]): row for row in rows}


def listed(datastore: Datastore, **how: Any) -> list[str]:
    with snapshot(datastore) as cursor:
        rows = value_cost_customers(cursor, **{"as_of": NOW} | how).rows
    return [row["customer_id"] for row in rows]


def test_dear_service_for_low_value_and_cheap_service_for_high_are_both_found(
    datastore: Datastore,
) -> None:
    project(datastore, [*PRICES, *CUSTOMERS])
    found = cells(datastore)
    assert {cell: (row["customers"], row["cost"]) for cell, row in found.items()} == {
        ("most_valuable", "1"): (1, 3),
        ("most_growable", "2"): (1, 6),
        (None, "3"): (1, 10),
        ("negative", "4"): (1, 64),
        ("most_valuable", "unserved"): (1, None),
        ("low_contribution", "unknown"): (1, None),
    }
    assert {cell: row["mismatch"] for cell, row in found.items() if row["mismatch"]} == {
        ("most_valuable", "1"): "less_than_value",
        ("negative", "4"): "more_than_value",
    }
    assert (found["negative", "4"]["lowest_cost"], found["negative", "4"]["currency"]) == (
        64,
        "EUR",
    )


def test_behind_each_cell_are_its_customers(datastore: Datastore) -> None:
    project(datastore, [*PRICES, *CUSTOMERS])
    assert listed(datastore) == ["Lead", "Nobody", "Silver", "Gold", "Pigeon", "Quiet"]
    assert listed(datastore, tier="negative", quartile="4") == ["Lead"]
    assert listed(datastore, tier="none") == ["Nobody"]
    assert listed(datastore, quartile="unserved") == ["Quiet"]
    for (tier, quartile), row in cells(datastore).items():
        assert len(listed(datastore, tier=tier or "none", quartile=quartile)) == row["customers"]


def test_who_is_known_under_two_ids_is_one_customer(datastore: Datastore) -> None:
    """Of neither id is it seen that this customer costs more than most."""
    calls = [touched("2024-03-01", f"C{n}", 5) for n in range(6)]
    two = [
        *(touched("2024-03-01", id_, 4) for id_ in ("Ada", "Bea")),
        tiered("2024-01-01", "Ada", "most_growable"),
        tiered("2024-02-01", "Bea", "negative"),
    ]
    pair = {"customer_id": "Bea", "merged_customer_id": "Ada"}
    merge = happened("customer.merged.v1", "2024-06-01", **pair)
    project(datastore, [*PRICES, *calls, *two, merge])
    with snapshot(datastore) as cursor:
        first = value_cost_customers(cursor, as_of=NOW).rows[0]
    assert (first["customer_id"], first["cost"], first["touchpoints"]) == ("Ada", 12, 2)
    # The tier set last is the person's, as on the customer's page.
    assert (first["tier"], first["mismatch"]) == ("negative", "more_than_value")
    assert cells(datastore)["negative", "4"]["customers"] == 1
    # As of an instant before the merge there are two, and neither is dear.
    before = cells(datastore, as_of=at("2024-05-31"))
    assert before.keys() == {("most_growable", "1"), ("negative", "1"), (None, "2")}
    # Taken back, they are two again.
    project(datastore, [happened("customer.unmerged.v1", "2024-07-01", **pair)])
    assert cells(datastore) == before


def test_the_list_comes_in_pages(datastore: Datastore) -> None:
    project(datastore, [*PRICES, *CUSTOMERS])
    seen, token = [], None
    with snapshot(datastore) as cursor:
        while True:
            page = value_cost_customers(cursor, as_of=NOW, limit=1, token=token)
            seen += [row["customer_id"] for row in page.rows]
            token = page.next
            if token is None:
                break
    assert seen == listed(datastore)


def test_equal_costs_are_in_one_quartile(datastore: Datastore) -> None:
    project(datastore, [*PRICES, *(touched("2024-03-01", f"C{n}", 5) for n in range(7))])
    assert {cell: row["customers"] for cell, row in cells(datastore).items()} == {(None, "1"): 7}


@pytest.mark.parametrize("others", [0, 7])
def test_who_costs_as_much_as_all_the_others_is_not_served_cheaply(
    datastore: Datastore, others: int
) -> None:
    valued = [tiered("2024-01-01", f"C{n}", "most_valuable") for n in range(1 + others)]
    calls = [touched("2024-03-01", f"C{n}", 5) for n in range(1 + others)]
    project(datastore, [*PRICES, *valued, *calls])
    (cell,) = cells(datastore).values()
    assert (cell["quartile"], cell["customers"], cell["mismatch"]) == ("1", 1 + others, None)


def test_the_one_who_costs_more_than_all_the_others_is_found(datastore: Datastore) -> None:
    calls = [touched("2024-03-01", f"C{n}", 5) for n in range(7)]
    dear = [tiered("2024-01-01", "Lead", "negative"), touched("2024-03-01", "Lead", 60)]
    project(datastore, [*PRICES, *calls, *dear])
    assert cells(datastore)["negative", "4"]["mismatch"] == "more_than_value"


def test_rates_are_those_in_force_at_the_time_and_tiers_those_at_the_end_of_the_window(
    datastore: Datastore,
) -> None:
    history = [
        *PRICES,
        costed("2024-06-01", "phone", cost_per_minute=Decimal(10)),
        touched("2024-05-01", "Ada", 1),
        touched("2024-07-01", "Ada", 1),
        tiered("2024-01-01", "Ada", "negative"),
        tiered("2024-08-01", "Ada", "most_valuable"),
    ]
    project(datastore, history)
    assert cells(datastore)["most_valuable", "1"]["cost"] == 3 + 10
    window = {"from_": at("2024-06-01"), "to": at("2024-08-01")}
    # The tier set at the end of the window is in the next one.
    assert cells(datastore, **window).keys() == {("negative", "1")}
    assert cells(datastore, **window, as_of=at("2024-08-01")).keys() == {("negative", "1")}
    assert cells(datastore, **window | {"to": at("2024-08-02")}).keys() == {("most_valuable", "1")}
    assert cells(datastore, as_of=at("2024-08-01")).keys() == {("most_valuable", "1")}
    earlier = {"to": at("2024-06-01")}
    assert cells(datastore, **earlier)["negative", "1"]["cost"] == 3
    assert cells(datastore, as_of=at("2024-05-15"))["negative", "1"]["cost"] == 3


def test_each_currency_has_quartiles_of_its_own(datastore: Datastore) -> None:
    project(
        datastore,
        [
            *PRICES,
            costed("2024-01-01", "shop", cost_per_contact=Decimal(1000), currency="JPY"),
            *(touched("2024-03-01", f"C{n}", n) for n in range(4)),
            touched("2024-03-01", "Yuki", 1, channel="shop"),
            touched("2024-03-01", "Both", 1),
            touched("2024-03-02", "Both", 1, channel="shop"),
        ],
    )
    with snapshot(datastore) as cursor:
        rows = value_cost_customers(cursor, as_of=NOW).rows
    placed = {row["customer_id"]: (row["currency"], row["quartile"]) for row in rows}
    assert placed == {
        "C0": ("EUR", "1"),
        "C1": ("EUR", "2"),
        "C2": ("EUR", "3"),
        "C3": ("EUR", "4"),
        "Yuki": ("JPY", "1"),
        "Both": (None, "unknown"),
    }


def test_what_it_cannot_be_asked_by(datastore: Datastore) -> None:
    project(datastore, CUSTOMERS)
    with snapshot(datastore) as cursor:
        with pytest.raises(UnknownTier, match="most_valuable"):
            value_cost_customers(cursor, as_of=NOW, tier="platinum")
        with pytest.raises(UnknownQuartile, match="unserved"):
            value_cost_customers(cursor, as_of=NOW, quartile="5")
