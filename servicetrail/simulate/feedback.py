"""What customers say, or show, about how they were served."""

from typing import Any, NamedTuple

from servicetrail.simulate import words
from servicetrail.simulate.chance import Weighted
from servicetrail.simulate.company import Channel
from servicetrail.simulate.world import Customer, World


class _Instrument(NamedTuple):
    name: str
    low: int
    high: int


_INSTRUMENTS = Weighted(
    {_Instrument("csat", 1, 5): 6.0, _Instrument("nps", 0, 10): 3.0, _Instrument("ces", 1, 7): 2.0}
)


def give_feedback(
    world: World, customer: Customer, channel: Channel, mood: float, about: dict[str, Any]
) -> None:
    """Feedback given now. `mood` shifts the score: 0 is neutral, -1 and 1 are bad and good.

    `about` holds what it is about (`touchpoint_id`, `complaint_id`) and common fields.
    """
    rng = world.rng
    feedback: dict[str, Any] = {
        "feedback_id": world.new_id("F"),
        "channel": channel.name,
        "kind": "explicit",
    }
    if world.happens(0.05):  # seen, not said: came back, told others, left
        implicit = {"kind": "implicit", "instrument": "other"}
        _tell(world, customer, channel, feedback | implicit | about)
        return
    instrument = _INSTRUMENTS.draw(rng)
    share = min(1.0, max(0.0, 0.62 + 0.22 * mood + 0.2 * (rng.random() + rng.random() - 1.0)))
    feedback |= {
        "instrument": instrument.name,
        "score": round(instrument.low + share * (instrument.high - instrument.low)),
        "scale_min": instrument.low,
        "scale_max": instrument.high,
    }
    if world.happens(0.2):
        feedback["text"] = words.opinion(rng)
    _tell(world, customer, channel, feedback | about)


def _tell(world: World, customer: Customer, channel: Channel, data: dict[str, Any]) -> None:
    world.about_customer(
        channel.source, "feedback.given.v1", customer.customer_id, data, data.get("case_id")
    )
