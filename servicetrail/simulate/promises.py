"""Promises: made with or without thought, put off, and kept, kept late, broken or forgotten."""

from collections.abc import Mapping
from typing import Any

from servicetrail.simulate.chance import DAY, HOUR, MINUTE, Weighted, between, lognormal
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import BACK_OFFICE, FATES, Channel, Topic
from servicetrail.simulate.complaints import complaint
from servicetrail.simulate.hours import instant
from servicetrail.simulate.world import CHANNEL_NAMED, Customer, World

_VERDICTS = Weighted({"meets": 5.0, "above": 2.0, "below": 1.0})
_SIDES = ("industry_standard", "competitor", "customer_need", "internal_resources")
_FATES = Weighted(
    {
        "kept_late": FATES.kept_late,
        "broken": FATES.broken,
        "overdue": FATES.overdue,
        "withdrawn": FATES.withdrawn,
    }
)
_WHY_LATER = Weighted({"part not in stock": 3.0, "carrier full": 2.0, "customer asked": 2.0})
_WHY_BROKEN = Weighted({"out of stock": 2.0, "forgotten": 1.0, "not possible": 2.0})
_WHY_WITHDRAWN = Weighted({"order cancelled": 3.0, "no longer needed": 1.0})
_ASPECTS = Weighted({"advertised": 1.0, "delivered": 4.0, "serviced": 3.0})
_SERVICE = {
    "advice": "We send you the comparison",
    "order_status": "We call you with the date of delivery",
    "billing": "We correct the invoice",
    "product_fault": "A technician comes and repairs it",
    "returns": "You get your money back",
    "account": "The change is made",
}

About = Mapping[str, Any]
"""The common fields: channel, team, department, case and so on."""


def service_promise(
    world: World, customer: Customer, channel: Channel, topic: Topic, about: About
) -> Story:
    """A promise made in a conversation, starting now."""
    lead = lognormal(world.rng, topic.promise_seconds, 0.5)
    made = {
        "statement": _SERVICE[topic.name],
        "aspect": "serviced",
        "due_at": instant(_by_evening(world.now + lead)),
    }
    yield from _life(world, customer, channel, made | dict(about), _by_evening(world.now + lead))


def delivery_promise(world: World, customer: Customer, channel: Channel, about: About) -> Story:
    """The date of delivery promised with an order, starting now."""
    due_at = _by_evening(world.now + between(world.rng, DAY, 9 * DAY))
    made = {
        "statement": "Delivered at home by the date in the confirmation",
        "aspect": "delivered",
        "due_at": instant(due_at),
        "claim_key": f"delivery:{about['case_id']}",
        "promised_value": instant(due_at)[:10],
    }
    yield from _life(world, customer, channel, made | dict(about), due_at)


def _life(
    world: World, customer: Customer, channel: Channel, made: dict[str, Any], due_at: int
) -> Story:
    """From the making to the end, whatever that is. `due_at` is in seconds since 1970."""
    rng = world.rng
    promise_id = world.new_id("P")
    common = {
        name: made[name]
        for name in ("team", "department", "case_id", "topic", "product")
        if name in made
    }

    def tell(source: str, type_: str, data: dict[str, Any]) -> None:
        named = {"promise_id": promise_id} | data
        world.about_customer(source, type_, customer.customer_id, named, made.get("case_id"))

    tell(channel.source, "promise.made.v1", made | _weighing(world))
    made_at = world.now

    if world.happens(0.14):
        # Most who put off a promise say so in time, some only afterwards, and some do not ask.
        late = world.happens(0.15)
        yield due_at + between(rng, HOUR, DAY) if late else between(rng, world.now, due_at)
        later = _by_evening(due_at + lognormal(rng, 2 * DAY, 0.5))
        consented = world.happens(0.7)
        put_off = {"due_at": instant(later), "reason": _WHY_LATER.draw(rng)}
        tell(channel.source, "promise.revised.v1", put_off | {"customer_consented": consented})
        due_at = later

    if world.happens(channel.promises_kept):
        exactly = world.happens(0.01)
        earliest = max(world.now, made_at + (due_at - made_at) // 5)
        latest = max(earliest, due_at)
        yield latest if exactly else between(rng, earliest, latest)
        tell(BACK_OFFICE, "promise.kept.v1", common | _observed(world, made))
        if world.happens(0.005):  # two systems report the same
            yield world.now + between(rng, MINUTE, HOUR)
            tell(channel.source, "promise.kept.v1", common | _observed(world, made))
        return

    fate = _FATES.draw(rng)
    if fate == "kept_late":
        yield max(world.now, due_at + lognormal(rng, 20 * HOUR, 1.2))
        tell(BACK_OFFICE, "promise.kept.v1", common | _observed(world, made))
    elif fate == "broken":
        yield max(world.now, due_at + between(rng, -6 * HOUR, 2 * DAY))
        broken = {"reason": _WHY_BROKEN.draw(rng), "disclaimer_used": world.happens(0.1)}
        broken["broken_aspect"] = _ASPECTS.draw(rng)
        tell(BACK_OFFICE, "promise.broken.v1", broken | common)
        if world.happens(0.05):  # and yet somebody saw to it
            yield world.now + between(rng, HOUR, 3 * DAY)
            tell(BACK_OFFICE, "promise.kept.v1", common | _observed(world, made))
    elif fate == "withdrawn":
        yield between(rng, world.now, max(world.now, due_at))
        consented = world.happens(0.8)
        reason = {"reason": _WHY_WITHDRAWN.draw(rng), "customer_consented": consented}
        tell(channel.source, "promise.withdrawn.v1", reason)
        return
    if world.happens(0.12):
        yield max(world.now, due_at) + lognormal(rng, 2 * DAY, 0.8)
        through = CHANNEL_NAMED["mail"] if world.happens(0.5) else channel
        world.clock.start(complaint(world, customer, through, made, promise_id=promise_id))


def _weighing(world: World) -> dict[str, Any]:
    """What the one who promised had weighed before: often all four sides, at times none."""
    if not world.happens(0.6):
        return {}
    weighing = {
        side: {"verdict": _VERDICTS.draw(world.rng), "evidence": "checked in the planning system"}
        for side in _SIDES
        if world.happens(0.85)
    }
    data: dict[str, Any] = {"weighing": weighing}
    competitor = weighing.get("competitor")
    if competitor and competitor["verdict"] == "below" and world.happens(0.7):
        data["differentiator"] = "the same technician every time"
    return data


def _observed(world: World, made: dict[str, Any]) -> dict[str, Any]:
    """What was delivered, where a value had been promised; now and then another one."""
    data = {"evidence": "signed on delivery"} if world.happens(0.3) else {}
    if promised := made.get("promised_value"):
        data["observed_value"] = "partial delivery" if world.happens(0.05) else promised
    return data


def _by_evening(at: int) -> int:
    """The end of that day's business, 18:00 UTC, when most promises fall due."""
    return at - at % DAY + 18 * HOUR if at % DAY < 18 * HOUR else at
