"""How long customers waited, story by story."""

import random
from collections.abc import Sequence

import pytest

from projections.conversations.fold import Interval, fold
from projections.conversations.versions import related, version_of
from projections.events import END
from tests.projections.history import (
    Happened,
    as_recorded,
    at,
    corrected,
    event_id,
    inbound,
    outbound,
)

NOW = "2030-01-01"


def waits(history: Sequence[Happened], metric: str, as_of: str = NOW) -> list[tuple[str, str]]:
    """Who waited for whom as of an instant, oldest first; a wait that is not over ends with `…`.

    The history is taken in as told and shuffled, which must not matter.
    """
    found = _intervals(history)
    for seed in range(3):
        shuffled = random.Random(seed).sample(list(history), len(history))
        assert _intervals(shuffled) == found
    instant = at(as_of)
    touchpoints = {event_id(event): event.data["touchpoint_id"] for event in history}
    return [
        (
            touchpoints[row.started_by],
            touchpoints[row.ended_by or ""] if (row.ended_at or END) <= instant else "…",
        )
        for row in sorted(found, key=lambda row: (row.started_at, row.started_by))
        if row.metric == metric and row.visible_from <= instant < row.visible_to
    ]


def _intervals(history: Sequence[Happened]) -> set[Interval]:
    versions = {event.event_id: version_of(event) for event in as_recorded(history)}
    rows = fold(related(list(versions.values())))
    return {row for row in rows if isinstance(row, Interval)}


def conversations(history: Sequence[Happened]) -> int:
    versions = [version_of(event) for event in as_recorded(history)]
    return sum(not isinstance(row, Interval) for row in fold(related(versions)))


QUESTION = inbound("2024-03-01 09:00", "question")
RECEIPT = outbound("2024-03-01 09:00", "receipt", handled_by="system")
REPLY = outbound("2024-03-01 10:00", "reply")


class TestFirstResponse:
    def test_from_the_first_inbound_to_the_first_human_outbound(self) -> None:
        history = [QUESTION, REPLY, outbound("2024-03-01 11:00", "another")]
        assert waits(history, "first_response") == [("question", "reply")]

    def test_a_receipt_from_a_machine_is_a_response_only_of_any_kind(self) -> None:
        history = [QUESTION, RECEIPT, REPLY]
        assert waits(history, "first_response") == [("question", "reply")]
        assert waits(history, "first_response_any") == [("question", "receipt")]

    def test_nobody_replied(self) -> None:
        assert waits([QUESTION], "first_response") == [("question", "…")]

    def test_not_yet_replied_as_of_an_earlier_instant(self) -> None:
        history = [QUESTION, REPLY]
        assert waits(history, "first_response", "2024-03-01 09:59") == [("question", "…")]
        assert waits(history, "first_response", "2024-03-01 10:00") == [("question", "reply")]
        assert waits(history, "first_response", "2024-03-01 08:59") == []

    def test_a_reply_at_the_same_instant_is_an_answer_after_no_wait(self) -> None:
        at_once = outbound("2024-03-01 09:00", "at once")
        assert waits([at_once, QUESTION], "first_response") == [("question", "at once")]

    def test_an_outbound_before_the_first_inbound_answers_nothing(self) -> None:
        offer = outbound("2024-02-28 09:00", "offer")
        assert waits([offer, QUESTION, REPLY], "first_response") == [("question", "reply")]

    def test_an_inbound_that_expects_no_reply_does_not_wait(self) -> None:
        thanks = inbound("2024-03-01 08:00", "thanks", expects_reply=False)
        assert waits([thanks], "first_response") == []
        assert waits([thanks, QUESTION, REPLY], "first_response") == [("question", "reply")]

    def test_a_reply_on_another_channel_counts_for_the_channel_that_waited(self) -> None:
        call = outbound("2024-03-01 09:30", "call", channel="phone")
        assert waits([QUESTION, call], "first_response") == [("question", "call")]
        (row,) = (r for r in _intervals([QUESTION, call]) if r.metric == "first_response")
        assert row.channel == "mail"

    def test_a_reply_in_another_case_does_not_count(self) -> None:
        about_a = inbound("2024-03-01 09:00", "about A", case_id="A")
        about_b = outbound("2024-03-01 10:00", "about B", case_id="B")
        assert waits([about_a, about_b], "first_response") == [("about A", "…")]

    def test_a_reply_counts_where_the_touchpoint_is_that_it_names(self) -> None:
        about_a = inbound("2024-03-01 09:00", "about A", case_id="A")
        about_b = inbound("2024-03-01 09:00", "about B", case_id="B")
        stray = outbound("2024-03-01 10:00", "stray", case_id="B", in_reply_to="about A")
        assert set(waits([about_a, about_b, stray], "first_response")) == {
            ("about A", "stray"),
            ("about B", "…"),
        }

    def test_a_reply_to_something_unknown_or_later_counts_in_its_own_conversation(self) -> None:
        unknown = outbound("2024-03-01 10:00", "reply", in_reply_to="never heard of")
        assert waits([QUESTION, unknown], "first_response") == [("question", "reply")]
        later = inbound("2024-03-02 09:00", "later")
        too_early = outbound("2024-03-01 10:00", "reply", in_reply_to="later")
        assert waits([QUESTION, too_early, later], "first_response") == [("question", "reply")]


class TestEpisodes:
    def test_touchpoints_seven_days_apart_belong_together(self) -> None:
        assert conversations([QUESTION, inbound("2024-03-08 09:00", "a week later")]) == 1

    def test_touchpoints_further_apart_do_not(self) -> None:
        assert conversations([QUESTION, inbound("2024-03-08 09:01", "over a week later")]) == 2

    def test_what_lies_between_joins_two_episodes(self) -> None:
        ends = [QUESTION, inbound("2024-03-13 09:00", "later")]
        assert conversations(ends) == 2
        assert conversations([*ends, inbound("2024-03-07 09:00", "between")]) == 1

    def test_a_case_holds_together_for_ever(self) -> None:
        history = [
            inbound("2024-03-01 09:00", "opened", case_id="A"),
            outbound("2025-03-01 09:00", "answered", case_id="A"),
        ]
        assert conversations(history) == 1
        assert waits(history, "first_response") == [("opened", "answered")]


class TestNextReply:
    def test_a_run_of_inbounds_waits_as_long_as_its_oldest(self) -> None:
        history = [
            QUESTION,
            inbound("2024-03-01 09:30", "reminder"),
            REPLY,
            inbound("2024-03-01 11:00", "one more"),
        ]
        assert waits(history, "next_reply") == [("question", "reply"), ("one more", "…")]

    def test_machines_do_not_end_a_run(self) -> None:
        assert waits([QUESTION, RECEIPT], "next_reply") == [("question", "…")]

    def test_a_named_inbound_is_answered_alone(self) -> None:
        second = inbound("2024-03-01 09:30", "second")
        to_second = outbound("2024-03-01 10:00", "to second", in_reply_to="second")
        to_all = outbound("2024-03-01 12:00", "to all")
        history = [QUESTION, second, to_second, to_all]
        assert waits(history, "next_reply") == [("question", "to all"), ("second", "to second")]
        # Before anybody answered, both were one run that waited since its oldest.
        assert waits(history, "next_reply", "2024-03-01 09:45") == [("question", "…")]

    def test_what_is_left_of_a_run_waits_since_its_new_oldest(self) -> None:
        second = inbound("2024-03-01 09:30", "second")
        to_first = outbound("2024-03-01 10:00", "to first", in_reply_to="question")
        history = [QUESTION, second, to_first]
        assert waits(history, "next_reply") == [("question", "to first"), ("second", "…")]
        assert waits(history, "next_reply", "2024-03-01 09:45") == [("question", "…")]

    def test_answering_the_same_inbound_twice_answers_no_other(self) -> None:
        second = inbound("2024-03-01 10:30", "second")
        again = outbound("2024-03-01 11:00", "again", in_reply_to="question")
        assert waits([QUESTION, REPLY, second, again], "next_reply") == [
            ("question", "reply"),
            ("second", "…"),
        ]


class TestResolution:
    SOLVED = outbound("2024-03-02 09:00", "solved", outcome="resolved")
    BACK = inbound("2024-03-05 09:00", "back again")
    SOLVED_AGAIN = outbound("2024-03-06 09:00", "solved again", outcome="resolved")

    def test_a_reopening_keeps_the_first_resolution(self) -> None:
        history = [QUESTION, self.SOLVED, self.BACK, self.SOLVED_AGAIN]
        assert waits(history, "resolution") == [("question", "solved")]
        assert waits(history, "full_resolution") == [("question", "solved again")]

    @pytest.mark.parametrize(
        ("as_of", "resolved_by"),
        [
            ("2024-03-01 12:00", "…"),
            ("2024-03-02 09:00", "solved"),
            ("2024-03-05 08:59", "solved"),
            ("2024-03-05 09:00", "…"),
            ("2024-03-06 09:00", "solved again"),
        ],
    )
    def test_full_resolution_as_of(self, as_of: str, resolved_by: str) -> None:
        history = [QUESTION, self.SOLVED, self.BACK, self.SOLVED_AGAIN]
        assert waits(history, "full_resolution", as_of) == [("question", resolved_by)]

    def test_coming_back_after_more_than_seven_days_undoes_nothing(self) -> None:
        late = inbound("2024-03-09 09:01", "much later", case_id="A")
        question = inbound("2024-03-01 09:00", "question", case_id="A")
        solved = outbound("2024-03-02 09:00", "solved", case_id="A", outcome="resolved")
        assert waits([question, solved, late], "full_resolution") == [("question", "solved")]

    def test_a_call_that_solves_itself_takes_no_time(self) -> None:
        call = inbound("2024-03-01 09:00", "call", outcome="resolved")
        assert waits([call], "resolution") == [("call", "call")]

    def test_without_an_inbound_there_is_nothing_to_resolve(self) -> None:
        assert waits([self.SOLVED], "resolution") == []


class TestCorrections:
    LATER = corrected(
        "2024-03-04 09:00", "reply", direction="outbound", occurred_at="2024-03-03 09:00"
    )

    def test_a_correction_replaces_the_whole_record(self) -> None:
        by_machine = corrected("2024-03-04 09:00", "reply", direction="outbound", handled_by="bot")
        history = [QUESTION, REPLY, by_machine]
        assert waits(history, "first_response") == [("question", "…")]
        assert waits(history, "first_response_any") == [("question", "reply")]

    def test_as_of_before_the_correction_the_record_stands(self) -> None:
        history = [QUESTION, REPLY, self.LATER]
        (before,) = _seconds(history, "2024-03-04 08:59")
        (after,) = _seconds(history, "2024-03-04 09:00")
        assert (before, after) == (3600, 2 * 24 * 3600)

    def test_the_latest_correction_wins_whatever_arrives_last(self) -> None:
        older = corrected(
            "2024-03-03 12:00", "reply", direction="outbound", occurred_at="2024-03-01 09:30"
        )
        assert _seconds([QUESTION, REPLY, self.LATER, older], NOW) == [2 * 24 * 3600]

    def test_a_correction_moves_a_touchpoint_to_another_case(self) -> None:
        question = inbound("2024-03-01 09:00", "question", case_id="A")
        reply = outbound("2024-03-01 10:00", "reply", case_id="B")
        moved = corrected("2024-03-02 09:00", "reply", direction="outbound", case_id="A")
        history = [question, reply, moved]
        assert waits(history, "first_response") == [("question", "reply")]
        assert waits(history, "first_response", "2024-03-01 12:00") == [("question", "…")]

    def test_a_correction_without_a_time_keeps_that_of_the_record(self) -> None:
        topic = corrected("2024-03-04 09:00", "reply", direction="outbound", topic="returns")
        assert _seconds([QUESTION, REPLY, topic], NOW) == [3600]


def _seconds(history: Sequence[Happened], as_of: str) -> list[float]:
    instant = at(as_of)
    return [
        ((row.ended_at or END) - row.started_at).total_seconds()
        for row in _intervals(history)
        if row.metric == "first_response" and row.visible_from <= instant < row.visible_to
    ]
