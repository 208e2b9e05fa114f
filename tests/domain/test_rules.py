"""Each rule of the published language: what is recorded, what is refused, what waits."""

import pytest

from domain import EVENT_TYPES, WRITTEN_BY_US, is_of_nobody, rank, stream_id
from domain.facts import Follows, Opens
from tests.domain.stories import Arrival, complaint, given, promise, when

MADE = promise("made")
RAISED = complaint("raised")
OFFERED = complaint("amends_offered", amends_id="A-1")


@pytest.mark.parametrize("event", ["revised", "kept", "broken", "withdrawn"])
def test_anything_about_a_promise_waits_until_it_was_made(event: str) -> None:
    assert when(given(), promise(event)) == "promise_not_made"
    assert when(given(MADE), promise(event)) == "recorded"


@pytest.mark.parametrize("event", ["revised", "kept", "broken", "withdrawn"])
def test_an_event_about_another_customers_promise_is_refused(event: str) -> None:
    assert when(given(MADE), promise(event, customer_id="C-2")) == "wrong_customer"


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([MADE, promise("kept")], id="kept twice"),
        pytest.param([MADE, promise("broken")], id="kept after broken"),
        pytest.param([MADE, promise("withdrawn")], id="kept after withdrawn"),
    ],
)
def test_bad_service_is_recorded(history: list[Arrival]) -> None:
    assert when(given(*history), promise("kept")) == "recorded"


def test_a_promise_is_made_once() -> None:
    assert when(given(), MADE) == "recorded"
    assert when(given(MADE), MADE) == "already_opened"
    assert when(given(MADE), promise("made", customer_id="C-2")) == "already_opened"


COMPLAINT_STEPS = [
    name
    for name, fact in EVENT_TYPES.items()
    if fact.KIND == "complaint" and issubclass(fact, Follows)
]


@pytest.mark.parametrize("type_", COMPLAINT_STEPS)
def test_a_step_of_a_complaint_waits_until_it_was_raised(type_: str) -> None:
    step = Arrival(type_, {"complaint_id": "K-1", "amends_id": "A-1"})
    assert when(given(), step) == "complaint_not_raised"
    assert when(given(RAISED, OFFERED), step) == "recorded"


@pytest.mark.parametrize("type_", COMPLAINT_STEPS)
def test_a_step_of_another_customers_complaint_is_refused(type_: str) -> None:
    step = Arrival(type_, {"complaint_id": "K-1", "amends_id": "A-1"}, customer_id="C-2")
    assert when(given(RAISED, OFFERED), step) == "wrong_customer"


@pytest.mark.parametrize("event", ["amends_answered", "amends_delivered"])
def test_amends_wait_until_they_were_offered(event: str) -> None:
    step = complaint(event, amends_id="A-1")
    other_offer = complaint("amends_offered", amends_id="A-2")
    assert when(given(RAISED), step) == "amends_not_offered"
    assert when(given(RAISED, other_offer), step) == "amends_not_offered"
    assert when(given(RAISED, other_offer, OFFERED), step) == "recorded"


@pytest.mark.parametrize(
    ("history", "step"),
    [
        pytest.param([], complaint("closed"), id="closed without an apology"),
        pytest.param([complaint("closed")], complaint("apologized"), id="a step after closing"),
        pytest.param([complaint("apologized")], complaint("acknowledged"), id="out of order"),
        pytest.param(
            [OFFERED], complaint("amends_delivered", amends_id="A-1"), id="amends without consent"
        ),
    ],
)
def test_bad_recovery_is_recorded_and_judged_later(history: list[Arrival], step: Arrival) -> None:
    assert when(given(RAISED, *history), step) == "recorded"


@pytest.mark.parametrize(
    ("opening", "following", "waits"),
    [
        (
            Arrival("touchpoint.recorded.v1", {"touchpoint_id": "T-1", "direction": "inbound"}),
            Arrival("touchpoint.corrected.v1", {"touchpoint_id": "T-1"}),
            "touchpoint_not_recorded",
        ),
        (
            Arrival("support.requested.v1", {"request_id": "S-1"}),
            Arrival("support.answered.v1", {"request_id": "S-1"}),
            "support_not_requested",
        ),
    ],
)
def test_corrections_and_answers_follow_what_they_are_about(
    opening: Arrival, following: Arrival, waits: str
) -> None:
    assert when(given(), following) == waits
    assert when(given(opening), following) == "recorded"
    assert when(given(opening), opening) == "already_opened"


@pytest.mark.parametrize(
    "type_",
    [name for name, fact in EVENT_TYPES.items() if not issubclass(fact, Opens | Follows)],
)
def test_what_is_said_of_customers_and_policies_needs_nothing_before_it(type_: str) -> None:
    fact = EVENT_TYPES[type_]
    arrival = Arrival(type_, {fact.ID_FIELD: "X-1"})
    assert when(given(), arrival) == "recorded"
    assert when(given(arrival, arrival), arrival) == "recorded"


def test_a_reference_to_something_else_is_not_waited_for() -> None:
    feedback = Arrival("feedback.given.v1", {"feedback_id": "F-1", "complaint_id": "unheard of"})
    assert when(given(), feedback) == "recorded"


def test_every_type_is_registered_under_its_own_topic() -> None:
    from eventsourcing.utils import get_topic

    assert {name: get_topic(fact) for name, fact in EVENT_TYPES.items()} == {
        name: name for name in EVENT_TYPES
    }
    assert {
        "customer.erased.v1",
        "customer.hold_placed.v1",
        "customer.hold_lifted.v1",
        "access.recorded.v1",
    } == WRITTEN_BY_US


def test_streams_are_named_by_kind_and_id() -> None:
    assert stream_id("promise.kept.v1", {"promise_id": "P-1"}) == "promise:P-1"
    assert stream_id("customer.tiered.v1", {"customer_id": "C-1"}) == "customer:C-1"
    assert stream_id("channel.costed.v1", {"channel": "mail"}) == "channel:mail"


def test_policies_and_the_log_of_access_are_the_types_without_a_customer() -> None:
    assert [name for name in EVENT_TYPES if is_of_nobody(name)] == [
        "calendar.published.v1",
        "service_level.published.v1",
        "channel.costed.v1",
        "authority_limit.set.v1",
        "moment.classified.v1",
        "access.recorded.v1",
    ]


def test_at_one_instant_causes_come_before_effects() -> None:
    inbound = rank("touchpoint.recorded.v1", {"direction": "inbound"})
    outbound = rank("touchpoint.recorded.v1", {"direction": "outbound"})
    assert inbound < outbound
    for name, fact in EVENT_TYPES.items():
        if issubclass(fact, Follows):
            opening = next(
                other
                for other in EVENT_TYPES.values()
                if other.KIND == fact.KIND and issubclass(other, Opens)
            )
            assert rank(opening.TOPIC, {"direction": "inbound"}) < rank(name, {}), name
