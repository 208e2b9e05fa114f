"""One sentence per event for people who read a timeline. Nothing personal gets into them.

They are made when a timeline is read, from what the ledger holds, so that better words need no
rebuild. Fields marked as personal are never in the data that these functions get.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Data = Mapping[str, Any]


def sentence(type_: str, data: Data) -> str:
    """What happened, in plain words. KeyError for a type that has no sentence."""
    return _SENTENCES[type_](data)


def _touchpoint(data: Data) -> str:
    contact = "The customer got in touch" if data["direction"] == "inbound" else _reply(data)
    return _with(
        f"{contact} by {data['channel']}",
        (", about {}", data["topic"]),
        ("; {}", data["outcome"]),
    )


def _reply(data: Data) -> str:
    who = {"human": "An employee", "bot": "A bot", "system": "A system"}[data["handled_by"]]
    return f"{who} got in touch with the customer"


def _feedback(data: Data) -> str:
    scale = (
        f" on a scale from {_number(data['scale_min'])} to {_number(data['scale_max'])}"
        if data["scale_min"] is not None and data["scale_max"] is not None
        else ""
    )
    score = "" if data["score"] is None else f": {_number(data['score'])}{scale}"
    asked = "gave" if data["kind"] == "explicit" else "showed"
    return f"The customer {asked} feedback ({data['instrument']}){score}"


def _promised(data: Data) -> str:
    return f"Promised by {data['channel']}, due {_time(data['due_at'])}: {data['statement']}"


def _revised(data: Data) -> str:
    consent = "with" if data["customer_consented"] else "without"
    return (
        f"The promise was moved to {_time(data['due_at'])} {consent} the customer's consent: "
        f"{data['reason']}"
    )


def _raised(data: Data) -> str:
    return _with(
        f"The customer complained by {data['channel']}, severity {data['severity']}",
        ("; wishes {}", data["desired_remedy"]),
    )


def _handed_over(data: Data) -> str:
    seen = "visibly" if data["customer_visible"] else "invisibly"
    return f"The complaint changed hands, {seen} to the customer"


def _offered(data: Data) -> str:
    return _with(f"Amends were offered: {data['kind']}", (" worth {}", _amount(data)))


def _tiered(data: Data) -> str:
    return f"The customer was placed in the tier {_words(data['tier'])}"


def _erased(data: Data) -> str:
    return f"The customer's personal data were erased: {data['basis']}"


_SENTENCES: dict[str, Callable[[Data], str]] = {
    "touchpoint.recorded.v1": _touchpoint,
    "touchpoint.corrected.v1": lambda data: (
        f"A touchpoint was corrected: {data['reason']}. It reads now: "
        f"{_touchpoint(data['corrected'])}"
    ),
    "statement.made.v1": lambda data: (
        f"The customer was told: {data['claim_key']} is {data['value']}"
    ),
    "feedback.given.v1": _feedback,
    "promise.made.v1": _promised,
    "promise.revised.v1": _revised,
    "promise.kept.v1": lambda data: _with("The promise was kept", (": {}", data["observed_value"])),
    "promise.broken.v1": lambda data: _with("The promise was broken", (": {}", data["reason"])),
    "promise.withdrawn.v1": lambda data: f"The promise was withdrawn: {data['reason']}",
    "complaint.raised.v1": _raised,
    "complaint.acknowledged.v1": lambda data: (
        f"The complaint was acknowledged by a {data['handled_by']}"
    ),
    "complaint.apologized.v1": lambda data: (
        "We apologized and admitted the fault" if data["admits_fault"] else "We apologized"
    ),
    "complaint.amends_offered.v1": _offered,
    "complaint.amends_answered.v1": lambda data: (
        f"The customer {'accepted' if data['accepted'] else 'declined'} the amends"
    ),
    "complaint.amends_delivered.v1": lambda data: _with(
        "The amends were delivered", (", worth {}", _amount(data))
    ),
    "complaint.prevention_planned.v1": lambda data: (
        f"Planned against {data['root_cause']} ({_words(data['origin'])}): {data['measure']}"
    ),
    "complaint.prevention_verified.v1": lambda data: (
        f"Prevention of {data['root_cause']} was verified: {data['evidence']}"
    ),
    "complaint.escalated.v1": lambda data: _with(
        f"The complaint was escalated: {_words(data['reason'])}", (", to {}", data["to_role"])
    ),
    "complaint.handed_over.v1": _handed_over,
    "complaint.restated.v1": lambda _: "The customer had to tell the complaint again",
    "complaint.explained.v1": lambda data: f"The delay was explained: {data['reason']}",
    "complaint.decided.v1": lambda data: _with(
        f"Decided: {_words(data['decision'])}",
        ("{}", ", and told to the customer" if data["communicated"] else ", not yet told"),
    ),
    "complaint.followed_up.v1": lambda data: f"Followed up: {data['result']}",
    "complaint.closed.v1": lambda data: f"The complaint was closed: {_words(data['outcome'])}",
    "complaint.reopened.v1": lambda data: _with(
        "The complaint was reopened", (": {}", data["reason"])
    ),
    "customer.tiered.v1": _tiered,
    "customer.purchased.v1": lambda data: _with(
        "The customer bought something", (" for {}", _amount(data, "amount"))
    ),
    "customer.lapsed.v1": lambda data: _with("The customer left", (": {}", data["reason"])),
    "customer.credit_changed.v1": lambda data: f"The customer's credit was {data['state']}",
    "customer.merged.v1": lambda data: (
        f"{data['merged_customer_id']} turned out to be the same customer"
    ),
    "customer.unmerged.v1": lambda data: (
        f"{data['merged_customer_id']} turned out to be another customer after all"
    ),
    "customer.erased.v1": _erased,
    "customer.hold_placed.v1": lambda data: f"A legal hold was placed: {data['reason']}",
    "customer.hold_lifted.v1": lambda data: f"The legal hold was lifted: {data['reason']}",
    "support.requested.v1": lambda data: f"The back office was asked for {data['kind']} support",
    "support.answered.v1": lambda data: (
        f"The back office answered: {'done' if data['fulfilled'] else 'not possible'}"
    ),
}


def _with(sentence_: str, *more: tuple[str, Any]) -> str:
    """The sentence, and each part whose value is there."""
    return sentence_ + "".join(part.format(value) for part, value in more if value is not None)


def _words(symbol: str) -> str:
    return symbol.replace("_", " ")


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _number(value: float) -> str:
    return f"{value:g}"


def _amount(data: Data, field: str = "value") -> str | None:
    amount = data[field]
    if not isinstance(amount, Decimal):
        return None
    return f"{amount:.2f} {data['currency'] or ''}".strip()
