"""What the stories of the simulated company share: chance, clock, customers, running numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from servicetrail.simulate.chance import Weighted
from servicetrail.simulate.clockwork import Clockwork
from servicetrail.simulate.company import (
    CALENDARS,
    CHANNELS,
    CUSTOMERS_PER_DAILY_EVENT,
    PRODUCTS,
    TIERS,
    TOPICS,
    Channel,
    Tier,
    Topic,
)
from servicetrail.simulate.hours import Hours

CHANNEL_NAMED: Mapping[str, Channel] = {channel.name: channel for channel in CHANNELS}
_TOPIC_NAMED: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}
_TOPICS_OF = {
    channel.name: Weighted({_TOPIC_NAMED[name]: share for name, share in channel.topics.items()})
    for channel in CHANNELS
}
_PRODUCTS = Weighted(dict.fromkeys(PRODUCTS, 1.0))


@dataclass(slots=True, eq=False)
class Customer:
    """Someone who has turned to the company at least once."""

    customer_id: str
    tier: Tier
    last_complaint: str | None = None
    merged: bool = False  # known to be one person with another record


class Customers:
    """The customer base. It takes memory only for those who have turned up."""

    def __init__(self, rng: Random, size: int) -> None:
        self.known: list[Customer] = []
        self._rng = rng
        self._met: dict[tuple[str, int], Customer] = {}
        self._size = {tier: max(1, round(size * tier.share)) for tier in TIERS}
        self._tiers = Weighted({tier: tier.share * tier.contacts for tier in TIERS})

    def next(self) -> Customer:
        """Who turns to the company next: some tiers, and some in each, come more often."""
        tier = self._tiers.draw(self._rng)
        seat = tier.name, int(self._size[tier] * self._rng.random() ** 1.6)
        customer = self._met.get(seat)
        if customer is None:
            customer = self._met[seat] = Customer(f"C-{len(self.known) + 1:06}", tier)
            self.known.append(customer)
        return customer

    def anyone(self) -> Customer:
        """One of those known, each as likely as another."""
        return self.known[int(len(self.known) * self._rng.random())]


class World:
    """The company and its customers at the clock's present instant."""

    def __init__(self, seed: int, start: int, events_per_day: float) -> None:
        # A string, because Random takes it through SHA-512 and not through hash().
        self.rng = Random(f"servicetrail company {seed}")
        self.clock = Clockwork(start)
        self.start = start
        self.events_per_day = events_per_day
        self.customers = Customers(self.rng, round(events_per_day * CUSTOMERS_PER_DAILY_EVENT))
        self.hours = {name: Hours(week) for name, week in CALENDARS.items()}
        self._numbers: dict[str, int] = {}

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return self.clock.now

    def happens(self, share: float) -> bool:
        """Whether something that happens in that share of cases happens now."""
        return self.rng.random() < share

    def new_id(self, kind: str) -> str:
        """The next readable id of a kind, such as `T-000017`."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{number:06}"

    def topic(self, channel: Channel) -> Topic:
        """What the next customer on that channel comes about."""
        return _TOPICS_OF[channel.name].draw(self.rng)

    def product(self) -> str:
        """One of the products, each as likely as another."""
        return _PRODUCTS.draw(self.rng)

    def employee(self, team: str, staff: int) -> str:
        """Somebody of a team."""
        return f"{team}-{1 + int(self.rng.random() * staff):02}"

    def about_customer(
        self, source: str, type_: str, customer_id: str, data: dict[str, Any], case_id: str | None
    ) -> None:
        """A fact about a customer that happens now; the id of the conversation correlates."""
        self.clock.tell(source, type_, customer_id, {"customer_id": customer_id} | data, case_id)
