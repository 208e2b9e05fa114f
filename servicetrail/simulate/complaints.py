"""Complaints: acknowledge, apologize, amend, anticipate, done well by most and badly by some."""

from collections.abc import Callable, Mapping
from typing import Any

from servicetrail.simulate import words
from servicetrail.simulate.chance import DAY, HOUR, MINUTE, Weighted, between, lognormal
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import (
    AUTHORITY,
    BACK_OFFICE,
    COMPLAINT_DESK,
    CURRENCY,
    FAILINGS,
    ROOT_CAUSES,
    SEVERITIES,
    Channel,
)
from servicetrail.simulate.feedback import give_feedback
from servicetrail.simulate.hours import instant
from servicetrail.simulate.support import back_office_support
from servicetrail.simulate.world import Customer, World

_SEVERITIES = Weighted(SEVERITIES)
_CAUSES = Weighted(ROOT_CAUSES)
_REMEDIES = Weighted({"refund": 3.0, "repair": 3.0, "apology": 1.0, "replacement": 2.0})
_AMENDS = Weighted(
    {
        "refund": 4.0,
        "repair": 3.0,
        "replacement": 2.0,
        "discount": 2.0,
        "compensation": 2.0,
        "gift": 1.0,
    }
)
_DECISIONS = Weighted({"upheld": 6.0, "partly_upheld": 2.0, "rejected": 2.0})
_RESULTS = Weighted({"satisfied": 6.0, "unsatisfied": 2.0, "unreachable": 2.0})
_UNDERSTOOD = Weighted({"accepted": 5.0, "refused": 2.0, "unknown": 3.0})
_STAFF = 9

Tell = Callable[..., None]


def complaint(
    world: World,
    customer: Customer,
    channel: Channel,
    about: Mapping[str, Any],
    *,
    touchpoint_id: str | None = None,
    promise_id: str | None = None,
) -> Story:
    """A complaint from the moment it is raised, which is now. `about` holds the common fields."""
    rng, happens = world.rng, world.happens
    complaint_id = world.new_id("K")
    employee = world.employee("complaints", _STAFF)
    case = {name: about[name] for name in ("case_id", "topic", "product") if name in about}
    pace = 4.0 if happens(FAILINGS.slow) else 1.0

    def tell(step: str, data: dict[str, Any], source: str = COMPLAINT_DESK) -> None:
        named = {"complaint_id": complaint_id, **case}
        if source == COMPLAINT_DESK:
            named |= {"employee_id": employee, "team": "complaints", "department": "service"}
        world.about_customer(
            source, f"complaint.{step}.v1", customer.customer_id, named | data, case.get("case_id")
        )

    def later(median_seconds: float) -> int:
        """When the desk gets round to the next step."""
        working = lognormal(rng, median_seconds * pace, 0.8)
        return world.hours["office"].after(world.now, working)

    raised = _raised(world, customer, channel, touchpoint_id, promise_id)
    tell("raised", raised, channel.source)
    customer.last_complaint = complaint_id
    at_fault = raised.get("fault_found", False)
    decision = "upheld" if at_fault and happens(0.8) else _DECISIONS.draw(rng)

    yield world.now + between(rng, 1, 5)
    if happens(0.5 + FAILINGS.receipt_only):
        tell("acknowledged", {"handled_by": "system"})
    if happens(FAILINGS.apology_first):
        yield later(HOUR)
        tell("apologized", {"admits_fault": at_fault})
    if not happens(FAILINGS.receipt_only):
        yield later(2 * HOUR)
        tell("acknowledged", {"handled_by": "human"} | _sometimes_words(world))
    if happens(FAILINGS.restated):
        yield later(3 * HOUR)
        tell("restated", {"channel": channel.name})
    if happens(FAILINGS.handed_over):
        yield later(2 * HOUR)
        successor = world.employee("complaints", _STAFF)
        handover = {"from_employee": employee, "to_employee": successor}
        tell("handed_over", handover | {"customer_visible": happens(0.6)})
        employee = successor
    if happens(0.25):
        request = {"complaint_id": complaint_id, **case}
        world.clock.start(back_office_support(world, customer, request, "technical"))
    if not happens(FAILINGS.no_apology):
        yield later(3 * HOUR)
        tell("apologized", {"admits_fault": at_fault or happens(0.4)} | _sometimes_words(world))
    if happens(0.3):
        yield later(8 * HOUR)
        explained = {"reason": "waiting for the workshop", "understanding": _UNDERSTOOD.draw(rng)}
        tell("explained", explained | {"next_at": instant(world.now + 3 * DAY)})
    if decision != "rejected":
        yield from _amends(world, tell, later)
        if not happens(FAILINGS.nothing_planned):
            world.clock.start(_prevention(world, tell, later))
    yield from _ending(world, customer, channel, complaint_id, decision, tell, later)


def _raised(
    world: World,
    customer: Customer,
    channel: Channel,
    touchpoint_id: str | None,
    promise_id: str | None,
) -> dict[str, Any]:
    rng, happens = world.rng, world.happens
    raised: dict[str, Any] = {"channel": channel.name, "severity": _SEVERITIES.draw(rng)}
    if touchpoint_id:
        raised["touchpoint_id"] = touchpoint_id
    if promise_id:
        raised["promise_id"] = promise_id
    if happens(0.5):
        raised["desired_remedy"] = _REMEDIES.draw(rng)
    if happens(0.7):
        raised["fault_found"] = happens(0.65)
    if happens(0.05):
        raised["jurisdiction"] = "NL"
    if customer.last_complaint and happens(0.5):
        raised["repeat_of"] = customer.last_complaint
    if happens(0.6):
        raised["description"] = words.complaint(rng)
    return raised


def _amends(world: World, tell: Tell, later: Callable[[float], int]) -> Story:
    """Offers until one is accepted, at most two, and what becomes of it."""
    rng, happens = world.rng, world.happens
    for _ in range(2):
        yield later(5 * HOUR)
        value = lognormal(rng, 35, 0.9)
        role = _role_for(value)
        if happens(FAILINGS.over_authority):
            role, value = "agent", AUTHORITY["agent"] + lognormal(rng, 60, 0.6)
        elif role != "agent":
            escalated = {"reason": "over_authority", "from_role": "agent", "to_role": role}
            tell("escalated", escalated)
            yield later(3 * HOUR)
        amends = {"amends_id": world.new_id("A")}
        money = {"value": f"{value}.00", "currency": CURRENCY}
        tell("amends_offered", amends | money | {"kind": _AMENDS.draw(rng), "role": role})
        without_consent = happens(FAILINGS.without_consent)
        if without_consent:
            yield later(4 * HOUR)
            tell("amends_delivered", amends | money, BACK_OFFICE)
        yield world.now + lognormal(rng, 20 * HOUR, 0.8)
        accepted = happens(0.82)
        tell("amends_answered", amends | {"accepted": accepted})
        if accepted:
            if not without_consent and not happens(FAILINGS.never_delivered):
                yield later(12 * HOUR)
                tell("amends_delivered", amends | money, BACK_OFFICE)
            return


def _role_for(value: int) -> str:
    """The lowest role that may offer that many euros; the highest for what nobody may."""
    return next((role for role, limit in AUTHORITY.items() if value <= limit), "manager")


def _prevention(world: World, tell: Tell, later: Callable[[float], int]) -> Story:
    """Anticipate: find the root cause, plan a measure, and, by half, see whether it worked."""
    cause, origin = _CAUSES.draw(world.rng)
    yield later(40 * HOUR)
    plan = {"root_cause": cause, "origin": origin, "measure": "checklist changed, staff told"}
    tell("prevention_planned", plan | {"owner": "quality"})
    if world.happens(0.5):
        yield later(160 * HOUR)
        tell("prevention_verified", {"root_cause": cause, "evidence": "no case in the sample"})


def _ending(
    world: World,
    customer: Customer,
    channel: Channel,
    complaint_id: str,
    decision: str,
    tell: Tell,
    later: Callable[[float], int],
) -> Story:
    """Decide, tell the customer, close, follow up; some come back and some are never closed."""
    rng, happens = world.rng, world.happens
    yield later(10 * HOUR)
    communicated = not happens(FAILINGS.not_communicated)
    tell("decided", {"decision": decision, "communicated": communicated})
    if happens(FAILINGS.never_closed):
        return
    yield later(3 * HOUR)
    outcome = "withdrawn" if happens(0.04) else decision
    tell("closed", {"outcome": outcome, "customer_accepted": happens(0.8)})
    if happens(0.5):
        yield later(30 * HOUR)
        tell("followed_up", {"result": _RESULTS.draw(rng)})
        if happens(0.4):
            yield world.now + between(rng, 5 * MINUTE, 2 * DAY)
            give_feedback(world, customer, channel, -1.0, {"complaint_id": complaint_id})
    if happens(FAILINGS.reopened):
        yield world.now + lognormal(rng, 3 * DAY, 0.7)
        tell("reopened", {"reason": "the fault is back"} if happens(0.7) else {})
        yield later(12 * HOUR)
        if happens(0.5):
            tell("apologized", {"admits_fault": True} | _sometimes_words(world))
        tell("closed", {"outcome": "upheld", "customer_accepted": happens(0.7)})


def _sometimes_words(world: World) -> dict[str, str]:
    """The wording, where it was kept."""
    if not world.happens(0.3):
        return {}
    return {"words": words.regret(world.rng, words.name(world.rng))}
