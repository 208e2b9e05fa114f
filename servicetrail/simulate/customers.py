"""Customers beyond their conversations: tiers, purchases, lapses, and two records of one person."""

from servicetrail.simulate.chance import DAY, HOUR, Weighted, between
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import CRM, CURRENCY, PRODUCTS, TIERS, Channel
from servicetrail.simulate.hours import midnight_after
from servicetrail.simulate.promises import delivery_promise
from servicetrail.simulate.world import Customer, World

_CAMPAIGNS = Weighted({"spring-mailing": 3.0, "energy-label": 2.0, "second-machine": 1.0})
_REASONS = Weighted({"old one broke": 4.0, "moved house": 2.0, "on offer": 3.0, "recommended": 1.0})
_GOODBYES = Weighted({"competitor": 3.0, "service": 2.0, "moved away": 1.0, "unknown": 2.0})
_NEIGHBOURS = {
    tier.name: Weighted({t: 1.0 for j, t in enumerate(TIERS) if abs(i - j) == 1})
    for i, tier in enumerate(TIERS)
}


def nightly_review(world: World) -> Story:
    """Each night newcomers get a tier, and a few customers change theirs, lapse or are merged."""
    reviewed = 0
    while True:
        yield midnight_after(world.now) + 2 * HOUR
        for customer in world.customers.known[reviewed:]:
            _tier(world, customer)
        reviewed = len(world.customers.known)
        for _ in range(_how_many(world, reviewed * 0.0015)):
            customer = world.customers.anyone()
            customer.tier = _NEIGHBOURS[customer.tier.name].draw(world.rng)
            _tier(world, customer)
        for _ in range(_how_many(world, reviewed * 0.0005)):
            lapsed = {"reason": _GOODBYES.draw(world.rng)}
            _tell(world, "customer.lapsed.v1", world.customers.anyone(), lapsed)
        for _ in range(_how_many(world, reviewed * 0.0002)):
            world.clock.start(_frozen(world, world.customers.anyone()))
        for _ in range(_how_many(world, reviewed * 0.0003)):
            world.clock.start(_merged(world, world.customers.anyone(), world.customers.anyone()))


def purchase(world: World, customer: Customer, channel: Channel) -> Story:
    """An order, which in most cases comes with a date of delivery."""
    order_id, product = world.new_id("ORDER"), world.product()
    about = {
        "channel": channel.name,
        "team": channel.team,
        "department": "sales",
        "case_id": order_id,
        "product": product,
    }
    bought = {"order_id": order_id, "amount": PRODUCTS[product], "currency": CURRENCY} | about
    if world.happens(0.3):
        bought["campaign_id"] = _CAMPAIGNS.draw(world.rng)
    if world.happens(0.4):
        bought["reason"] = _REASONS.draw(world.rng)
    world.about_customer(
        channel.source, "customer.purchased.v1", customer.customer_id, bought, order_id
    )
    if world.happens(0.7):
        yield world.now + between(world.rng, 1, 120)
        world.clock.start(delivery_promise(world, customer, channel, about))


def _tier(world: World, customer: Customer) -> None:
    value = customer.tier.contribution * (0.5 + world.rng.random())
    data = {"tier": customer.tier.name, "contribution": f"{value:.2f}", "currency": CURRENCY}
    _tell(world, "customer.tiered.v1", customer, data | {"method": "margin less cost to serve"})


def _frozen(world: World, customer: Customer) -> Story:
    _tell(world, "customer.credit_changed.v1", customer, {"state": "frozen"})
    yield world.now + between(world.rng, 5 * DAY, 30 * DAY)
    _tell(world, "customer.credit_changed.v1", customer, {"state": "released"})


def _merged(world: World, customer: Customer, other: Customer) -> Story:
    """Two records turn out to be one person; now and then that turns out to be wrong."""
    if other is customer or customer.merged or other.merged:
        return
    customer.merged = other.merged = True
    same = {"merged_customer_id": other.customer_id}
    _tell(world, "customer.merged.v1", customer, same)
    if world.happens(0.15):
        yield world.now + between(world.rng, DAY, 20 * DAY)
        _tell(world, "customer.unmerged.v1", customer, same)


def _tell(world: World, type_: str, customer: Customer, data: dict[str, str]) -> None:
    world.about_customer(CRM, type_, customer.customer_id, data, None)


def _how_many(world: World, expected: float) -> int:
    """A whole number with that expectation."""
    return int(expected + world.rng.random())
