"""Events of one thing that arrive too early: they wait in order, and settle in order."""

from hypothesis import given as for_all
from hypothesis import strategies as st

from domain import Stream
from domain.settling import Settlement, settle
from tests.domain.stories import Arrival, complaint, given, promise

RAISED = complaint("raised")
OFFER_1 = complaint("amends_offered", amends_id="A-1")
OFFER_2 = complaint("amends_offered", amends_id="A-2")
ANSWER_1 = complaint("amends_answered", amends_id="A-1")
ANSWER_2 = complaint("amends_answered", amends_id="A-2")
ACKNOWLEDGED = complaint("acknowledged")
CLOSED = complaint("closed")


def appended(settlement: Settlement[Arrival]) -> list[Arrival]:
    return [arrival for arrival, _ in settlement.appended]


def waiting(settlement: Settlement[Arrival]) -> list[tuple[Arrival, str]]:
    return [(arrival, missing.code) for arrival, missing in settlement.waiting]


def test_nothing_to_settle() -> None:
    assert settle(None, []) == Settlement(None, [], [], [])


def test_steps_wait_in_order_for_the_complaint() -> None:
    settlement = settle(None, [ACKNOWLEDGED, CLOSED])
    assert appended(settlement) == []
    assert waiting(settlement) == [
        (ACKNOWLEDGED, "complaint_not_raised"),
        (CLOSED, "queued_behind"),
    ]


def test_once_it_is_raised_all_settle_in_the_order_they_came() -> None:
    settlement = settle(None, [ACKNOWLEDGED, CLOSED, RAISED])
    assert appended(settlement) == [RAISED, ACKNOWLEDGED, CLOSED]
    assert [fact.originator_version for _, fact in settlement.appended] == [1, 2, 3]
    assert waiting(settlement) == []


def test_later_steps_keep_their_place_behind_one_that_waits_for_an_offer() -> None:
    settlement = settle(given(RAISED), [ANSWER_1, CLOSED])
    assert waiting(settlement) == [(ANSWER_1, "amends_not_offered"), (CLOSED, "queued_behind")]
    assert appended(settle(given(RAISED), [ANSWER_1, CLOSED, OFFER_1])) == [
        OFFER_1,
        ANSWER_1,
        CLOSED,
    ]


def test_an_offer_that_waits_itself_is_taken_as_soon_as_an_answer_needs_it() -> None:
    queue = [ANSWER_1, ANSWER_2, OFFER_2, OFFER_1]
    assert appended(settle(given(RAISED), queue)) == [OFFER_1, ANSWER_1, OFFER_2, ANSWER_2]


def test_what_is_refused_leaves_the_queue_and_holds_nobody_up() -> None:
    foreign = complaint("acknowledged", customer_id="C-2")
    settlement = settle(None, [foreign, CLOSED, RAISED])
    assert appended(settlement) == [RAISED, CLOSED]
    assert [(a, r.code) for a, r in settlement.refused] == [(foreign, "wrong_customer")]


def test_an_offer_of_another_customer_does_not_settle_an_answer() -> None:
    foreign_offer = complaint("amends_offered", customer_id="C-2", amends_id="A-1")
    settlement = settle(given(RAISED), [ANSWER_1, foreign_offer])
    assert [(a, r.code) for a, r in settlement.refused] == [(foreign_offer, "wrong_customer")]
    assert waiting(settlement) == [(ANSWER_1, "amends_not_offered")]


def test_promises_settle_alike() -> None:
    kept, made = promise("kept"), promise("made")
    assert appended(settle(None, [kept, made])) == [made, kept]


STEPS = [ACKNOWLEDGED, OFFER_1, ANSWER_1, OFFER_2, ANSWER_2, CLOSED]


@for_all(st.permutations([RAISED, *STEPS]))
def test_every_order_of_arrival_ends_with_everything_appended(order: list[Arrival]) -> None:
    settlement = settle(None, order)
    assert sorted(map(str, appended(settlement))) == sorted(map(str, order))
    assert settlement.refused == []
    assert settlement.waiting == []


@for_all(st.permutations([RAISED, *STEPS]), st.sets(st.integers(1, 6)))
def test_how_arrivals_are_cut_into_batches_changes_nothing(
    order: list[Arrival], cuts: set[int]
) -> None:
    at_once = appended(settle(None, order))
    stream: Stream | None = None
    queue: list[Arrival] = []
    done: list[Arrival] = []
    for index, arrival in enumerate(order):
        queue.append(arrival)
        if index in cuts or index == len(order) - 1:
            settlement = settle(stream, queue)
            stream = settlement.stream
            done += appended(settlement)
            queue = [waiting_arrival for waiting_arrival, _ in settlement.waiting]
    assert queue == []
    assert sorted(map(str, done)) == sorted(map(str, at_once))
    assert [a for a in done if a not in (OFFER_1, OFFER_2)] == [
        a for a in at_once if a not in (OFFER_1, OFFER_2)
    ]
