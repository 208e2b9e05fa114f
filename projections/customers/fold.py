"""Tiers of customers in, how long each holds out. Pure, and blind to the order of its input."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from projections.events import END


class Tier(NamedTuple):
    """A row of table `customer_tiers`: the customer is in `tier` from the one until the other."""

    event_id: str
    customer_id: str
    valid_from: datetime
    valid_to: datetime
    tier: str
    contribution: Decimal | None
    currency: str | None


def in_turn(tiers: Iterable[Tier]) -> list[Tier]:
    """The tiers of one customer, each until the next; whatever `valid_to` said before."""
    ordered = sorted(tiers, key=lambda tier: (tier.valid_from, tier.event_id))
    if not ordered:
        return []
    held = [tier._replace(valid_to=following.valid_from) for tier, following in pairwise(ordered)]
    return [*held, ordered[-1]._replace(valid_to=END)]
