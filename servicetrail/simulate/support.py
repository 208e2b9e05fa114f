"""What the front office asks of the back office."""

from collections.abc import Mapping
from typing import Any

from servicetrail.simulate.chance import HOUR, lognormal
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import BACK_OFFICE
from servicetrail.simulate.world import Customer, World


def back_office_support(
    world: World, customer: Customer, about: Mapping[str, Any], kind: str
) -> Story:
    """A request made now, and its answer; some are never answered."""
    request = {"request_id": world.new_id("R")}
    case_id = about.get("case_id")
    asked = request | {"kind": kind} | dict(about)
    world.about_customer(BACK_OFFICE, "support.requested.v1", customer.customer_id, asked, case_id)
    if world.happens(0.95):
        worked = lognormal(world.rng, 6 * HOUR, 1.0)
        yield world.hours["office"].after(world.now, worked)
        answer = request | {"fulfilled": world.happens(0.88)}
        world.about_customer(
            BACK_OFFICE, "support.answered.v1", customer.customer_id, answer, case_id
        )
