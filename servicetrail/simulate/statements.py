"""What customers are told: mostly the same on every channel, now and then not."""

from collections.abc import Mapping
from typing import Any

from servicetrail.simulate.chance import DAY
from servicetrail.simulate.company import PRODUCTS, WRONG_STATEMENTS, Channel
from servicetrail.simulate.hours import instant
from servicetrail.simulate.world import Customer, World


def price_statement(
    world: World, customer: Customer, channel: Channel, about: Mapping[str, Any]
) -> None:
    """A customer is told a product's price, now; some are told a discount that there is not."""
    product = about["product"]
    price = float(PRODUCTS[product])
    told = price * 0.9 if world.happens(WRONG_STATEMENTS) else price
    _tell(world, customer, channel, about, f"price:{product}", f"{told:.2f}")


def delivery_statement(
    world: World, customer: Customer, channel: Channel, about: Mapping[str, Any], expected_at: int
) -> None:
    """A customer is told, now, on which day something comes; some are told another day."""
    at = expected_at + DAY if world.happens(WRONG_STATEMENTS) else expected_at
    _tell(world, customer, channel, about, f"delivery:{about['case_id']}", instant(at)[:10])


def _tell(
    world: World,
    customer: Customer,
    channel: Channel,
    about: Mapping[str, Any],
    claim_key: str,
    value: str,
) -> None:
    data = {
        "statement_id": world.new_id("S"),
        "claim_key": claim_key,
        "value": value,
        "valid_until": instant(world.now + 14 * DAY),
        **about,
    }
    world.about_customer(
        channel.source, "statement.made.v1", customer.customer_id, data, about["case_id"]
    )
