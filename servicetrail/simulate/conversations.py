"""Conversations: a customer asks, bots and people answer, until it is settled or forgotten."""

from typing import Any

from servicetrail.simulate import words
from servicetrail.simulate.chance import DAY, HOUR, MINUTE, between, lognormal
from servicetrail.simulate.clockwork import Story
from servicetrail.simulate.company import Channel, Topic
from servicetrail.simulate.complaints import complaint
from servicetrail.simulate.feedback import give_feedback
from servicetrail.simulate.hours import instant
from servicetrail.simulate.promises import service_promise
from servicetrail.simulate.statements import delivery_statement, price_statement
from servicetrail.simulate.support import back_office_support
from servicetrail.simulate.world import CHANNEL_NAMED, Customer, World

_MOST_ROUNDS = 6


class _Conversation:
    """One case: what its touchpoints have in common, and the last that waits for an answer."""

    def __init__(self, world: World, customer: Customer, channel: Channel, topic: Topic) -> None:
        self.world = world
        self.customer = customer
        self.channel = channel
        self.topic = topic
        self.case_id = world.new_id("CASE")
        self.product = world.product()
        self.opened_at = world.now
        self.last_inbound: str | None = None
        self.waited_seconds = 0

    def about(self) -> dict[str, Any]:
        """The common fields."""
        return {
            "channel": self.channel.name,
            "team": self.channel.team,
            "department": "service",
            "case_id": self.case_id,
            "topic": self.topic.name,
            "product": self.product,
        }

    def inbound(self, moment: str, **more: Any) -> None:
        """The customer turns to the company, now."""
        data = {"direction": "inbound", "moment": moment, "stage": self.topic.stage, **more}
        if not self.channel.live and self.world.happens(0.5):
            data["contact"] = words.contact(self.world.rng)
        self.last_inbound = self._record(data)

    def automatic(self, handled_by: str, outcome: str) -> str:
        """A bot or a system answers, now. The touchpoint's id."""
        data = {
            "direction": "outbound",
            "handled_by": handled_by,
            "in_reply_to": self.last_inbound,
            "outcome": outcome,
            "content_id": f"{handled_by}-{self.topic.name}",
            "content_version": "3",
        }
        return self._record(data)

    def reply(self, outcome: str) -> str:
        """A person answers, now. The touchpoint's id."""
        world, channel = self.world, self.channel
        handling = lognormal(world.rng, channel.handling_seconds, 0.6)
        data = {
            "direction": "outbound",
            "handled_by": "human",
            "moment": self.topic.moment,
            "stage": self.topic.stage,
            "handling_seconds": handling,
            "outcome": outcome,
            "employee_id": world.employee(channel.team, channel.staff),
        }
        if channel.live:
            data["duration_seconds"] = handling + between(world.rng, 5, 90)
        if channel.concurrency > 1:
            data["concurrency"] = 1 + int(world.rng.random() * channel.concurrency)
        if self.last_inbound and world.happens(0.8):
            data["in_reply_to"] = self.last_inbound
        if world.happens(0.12):
            data["note"] = words.note(world.rng)
        return self._record(data)

    def _record(self, data: dict[str, Any]) -> str:
        world, touchpoint_id = self.world, self.world.new_id("T")
        record = {"touchpoint_id": touchpoint_id, **self.about(), **data}
        self._tell("touchpoint.recorded.v1", record, self.channel.source)
        if world.happens(0.002):
            world.clock.start(self._corrected(record, self.channel.source, world.now))
        return touchpoint_id

    def _corrected(self, record: dict[str, Any], source: str, at: int) -> Story:
        """Hours later somebody notices that the time or the outcome was put down wrongly."""
        world = self.world
        yield world.now + between(world.rng, HOUR, 30 * HOUR)
        should_be = record | {"customer_id": self.customer.customer_id}
        if record.get("outcome") in ("resolved", "unresolved") and world.happens(0.5):
            reason, should_be["outcome"] = "wrong outcome", "informed"
        else:
            reason = "wrong time"
            should_be["occurred_at"] = instant(at + between(world.rng, -10 * MINUTE, 10 * MINUTE))
        correction = {"touchpoint_id": record["touchpoint_id"], "reason": reason}
        self._tell("touchpoint.corrected.v1", correction | {"corrected": should_be}, source)

    def _tell(self, type_: str, data: dict[str, Any], source: str) -> None:
        self.world.about_customer(source, type_, self.customer.customer_id, data, self.case_id)


def conversation(world: World, customer: Customer, channel: Channel) -> Story:
    """A customer turns to the company on that channel, now."""
    topic = world.topic(channel)
    case = _Conversation(world, customer, channel, topic)
    if world.happens(channel.abandoned):
        case.inbound(
            topic.moment, outcome="abandoned", duration_seconds=between(world.rng, 20, 400)
        )
        if world.happens(0.5):
            return
        yield world.now + between(world.rng, 5 * MINUTE, 90 * MINUTE)
    case.inbound(topic.moment)

    if world.happens(channel.bots):
        yield world.now + between(world.rng, 1, 6)
        settled = world.happens(channel.bot_resolves)
        answer = case.automatic("bot", "resolved" if settled else "informed")
        if settled:
            yield from _aftermath(case, answer, "resolved")
            return
    elif world.happens(channel.receipts):
        yield world.now + 1
        case.automatic("system", "informed")
    yield from _rounds(case)


def outreach(world: World, customer: Customer, channel: Channel) -> Story:
    """The company turns to a customer unasked, and a few answer."""
    case = _Conversation(world, customer, channel, world.topic(channel))
    yield world.hours[channel.calendar].after(world.now, between(world.rng, 1, HOUR))
    answer = case.reply("informed")
    if world.happens(0.25):
        yield world.now + lognormal(world.rng, 5 * HOUR, 1.0)
        case.inbound(case.topic.moment, in_reply_to=answer)
        yield from _rounds(case)


def _rounds(case: _Conversation) -> Story:
    """Answers and further questions, until one side leaves it at that."""
    world, topic, rng = case.world, case.topic, case.world.rng
    outcome, answer = "unresolved", case.last_inbound
    for round_ in range(_MOST_ROUNDS):
        asked_at = world.now
        if world.happens(case.channel.forgotten):
            yield from _reminder(case, asked_at + between(rng, 2 * DAY, 6 * DAY))
            break
        answered_at = _answered_at(case, first=round_ == 0)
        if answered_at - asked_at > 6 * HOUR and world.happens(0.12):
            yield from _reminder(case, between(rng, asked_at + HOUR, answered_at))
        yield answered_at
        case.waited_seconds = max(case.waited_seconds, answered_at - asked_at)
        other = _transferred_to(case)
        if other:
            case.reply("transferred")
            case.channel = other
            continue
        outcome = "resolved" if world.happens(topic.resolved) else "unresolved"
        if outcome == "unresolved" and world.happens(0.3):
            outcome = "informed"
        answer = case.reply(outcome)
        _on_the_side(case)
        if world.happens(0.05 if outcome == "resolved" else 0.6):
            median = 2 * DAY if outcome == "resolved" else 7 * HOUR
            yield world.now + lognormal(rng, median, 0.8)
            case.inbound(topic.moment)
        else:
            break
    yield from _aftermath(case, answer, outcome)


def _answered_at(case: _Conversation, *, first: bool) -> int:
    """When a person gets round to it: in working hours, sooner for good customers."""
    channel = case.channel
    median = channel.first_reply_seconds if first else channel.next_reply_seconds
    slower = case.topic.delay * case.customer.tier.delay
    working = lognormal(case.world.rng, median * slower, channel.spread)
    return case.world.hours[channel.calendar].after(case.world.now, working)


def _reminder(case: _Conversation, at: int) -> Story:
    """The customer asks again before anybody has answered."""
    yield at
    case.inbound("reminder")


def _transferred_to(case: _Conversation) -> Channel | None:
    chance = case.world.rng.random()
    for name, share in case.channel.transfers.items():
        if chance < share:
            return CHANNEL_NAMED[name]
        chance -= share
    return None


def _on_the_side(case: _Conversation) -> None:
    """What an answer may bring with it: a promise, a price, a request to the back office."""
    world, about = case.world, case.about()
    if world.happens(case.topic.promises):
        world.clock.start(service_promise(world, case.customer, case.channel, case.topic, about))
    if case.topic.name == "advice" and world.happens(0.5):
        price_statement(world, case.customer, case.channel, about)
    if case.topic.name == "order_status" and world.happens(0.4):
        expected_at = case.opened_at + 3 * DAY
        delivery_statement(world, case.customer, case.channel, about, expected_at)
    if world.happens(case.topic.support):
        kind = "technical" if case.topic.name == "product_fault" else "administrative"
        world.clock.start(back_office_support(world, case.customer, about, kind))


def _aftermath(case: _Conversation, touchpoint_id: str | None, outcome: str) -> Story:
    """Feedback from a few, a complaint from fewer: more of both after a long wait."""
    world, channel = case.world, case.channel
    slow = case.waited_seconds > 3 * DAY
    if world.happens(channel.feedback):
        yield world.now + lognormal(world.rng, 2 * HOUR, 1.2)
        mood = {"resolved": 0.6, "informed": 0.1}.get(outcome, -0.8) - (0.5 if slow else 0.0)
        give_feedback(
            world, case.customer, channel, mood, case.about() | {"touchpoint_id": touchpoint_id}
        )
    unhappy = (
        case.topic.complaints * (2.5 if slow else 1.0) * (1.0 if outcome == "resolved" else 2.0)
    )
    if world.happens(unhappy):
        yield world.now + lognormal(world.rng, 10 * HOUR, 1.0)
        story = complaint(world, case.customer, channel, case.about(), touchpoint_id=touchpoint_id)
        world.clock.start(story)
