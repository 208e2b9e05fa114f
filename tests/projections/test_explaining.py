"""Every figure opens into what made it: recomputed in plain Python from what is listed, it is the
same figure.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.answers import snapshot
from questions.channels import CHANNELS
from questions.complaints import COMPLAINT_QUALITY
from questions.contradictions import CONTRADICTIONS_BY_CHANNELS
from questions.duplicates import CHANNEL_DUPLICATES_BY_CHANNELS
from questions.effects import EFFECTS
from questions.explaining import linked
from questions.promises import PROMISE_QUALITY
from questions.question import Explanation, Question
from questions.registry import QUESTIONS
from questions.response_times import RESPONSE_TIMES
from questions.support import SUPPORT_TIMES
from questions.value_cost import VALUE_COST, VALUE_COST_CUSTOMERS
from tests.projections.histories import START, histories
from tests.projections.history import Happened, as_recorded, happened, inbound, project, runner
from tests.projections.recomputing import FIGURES, Things, adjusted_median
from tests.projections.test_comparing_channels import waits
from tests.projections.test_properties import fill, through_postgresql

EXPLAIN = next(question for question in QUESTIONS if question.command == "explain")
ASKED: list[tuple[Question[Any], dict[str, Any]]] = [
    (CHANNELS, {}),
    (RESPONSE_TIMES, {"by": ["channel", "topic"]}),
    (RESPONSE_TIMES, {"by": ["employee", "tier"], "metric": "full_resolution", "channel": "mail"}),
    (RESPONSE_TIMES, {"by": ["team", "month"], "metric": "next_reply"}),
    (PROMISE_QUALITY, {"by": ["channel", "tier", "month"]}),
    (COMPLAINT_QUALITY, {"by": ["channel", "tier", "root_cause"]}),
    (COMPLAINT_QUALITY, {"by": ["severity", "origin", "month"]}),
    (SUPPORT_TIMES, {"by": ["kind", "team"]}),
    (EFFECTS, {}),
    (EFFECTS, {"by": "topic", "days": 7}),
    (VALUE_COST, {}),
    (VALUE_COST_CUSTOMERS, {}),
]


def test_every_question_that_is_explained_is_recomputed_here() -> None:
    explained = {each.command for each in QUESTIONS if isinstance(each.behind, Explanation)}
    assert explained == FIGURES.keys() == {question.command for question, _ in ASKED}


def test_what_is_counted_by_channels_opens_to_the_list_of_it(datastore: Datastore) -> None:
    """And a channel without a name is found again."""
    words = [("mail", "1"), ("phone", "2"), ("phone", "1"), (None, "3"), (None, "4")]
    told = [
        happened(
            "statement.made.v1",
            f"2024-03-01 09:0{number}",
            statement_id=f"S{number}",
            claim_key="price",
            value=value,
            channel=channel,
            valid_until="2024-03-10",
        )
        for number, (channel, value) in enumerate(words)
    ]
    asked = [
        inbound(f"2024-03-01 09:0{number}", f"T{number}", channel=channel, topic="price")
        for number, channel in enumerate(["mail", "phone", "mail", "chat"])
    ]
    project(datastore, [*told, *asked])
    for question, figure, expected in (
        (CONTRADICTIONS_BY_CHANNELS, "contradictions", 5),
        (CHANNEL_DUPLICATES_BY_CHANNELS, "duplicates", 3),
    ):
        counted = rows(datastore, question, {"as_of": "2024-04-01", "from": "2024-03-01"})
        assert len(counted) == expected
        for row in counted:
            assert len(rows(datastore, *opened(row))) == row[figure]


def test_what_is_adjusted_is_recomputed_from_the_waits_of_every_channel(
    datastore: Datastore,
) -> None:
    """Mail is faster with everything and gets the difficult things; 30 % are still waiting."""
    compared = ("mail", "phone")
    gold = happened(
        "customer.tiered.v1", "2024-01-01", customer_id="chat easy 0", tier="most_valuable"
    )
    history = [
        *waits("mail", "easy", 30, 10, waiting=13),
        *waits("mail", "difficult", 90, 100, waiting=38),
        *waits("phone", "easy", 90, 20, waiting=38),
        *waits("phone", "difficult", 30, 130, waiting=13),
        *waits("chat", "easy", 29, 5),
        gold,  # one of four hundred: of no weight
    ]
    project(datastore, history)
    found = {row["channel"]: row for row in rows(datastore, CHANNELS, {"as_of": "2024-06-01"})}
    adjusted = "adjusted_first_response_median_seconds"
    medians: dict[str, Any] = {}
    for channel, row in found.items():
        _, named = opened(row)
        behind = things(datastore, {**named, "figure": adjusted}, limit=1000)
        assert len(behind) == len(history) - 30 - 90 - 90 - 30 - 29 - 1
        medians[channel] = adjusted_median(channel, behind)
    assert {channel: row[adjusted] for channel, row in found.items()} == medians
    assert [channel for channel, median in medians.items() if median is not None] == [*compared]
    crude = {channel: found[channel]["first_response_km_median_seconds"] for channel in compared}
    assert sorted(compared, key=crude.__getitem__) != sorted(compared, key=medians.__getitem__)
    for channel, row in found.items():
        assert row["comparable"] == (channel in compared)
        assert row["reversed_by_adjustment"] == (True if channel in compared else None)


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pages_reach_over_days_on_which_nothing_happened(datastore: Datastore, limit: int) -> None:
    days = ("2024-03-01", "2024-03-01 12:00", "2024-03-04", "2024-04-20", "2024-12-30")
    project(datastore, [inbound(day, f"T{number}") for number, day in enumerate(days)])
    named = {"question": "channels", "figure": "touchpoints_in", "as_of": "2025-01-01"}
    behind = things(datastore, {**named, "from": "2024-03-01", "to": "2025-01-01"}, limit)
    assert [thing["id"] for thing in behind] == ["T0", "T1", "T2", "T3", "T4"]


def test_every_row_of_a_question_opens_or_names_its_events() -> None:
    """Either a row has a link, or the ids of the events that it was made of."""
    for question in QUESTIONS:
        fields = question.row.model_fields
        named = {"events", "event_id", "earlier_event_id", "first_event_id"} & fields.keys()
        assert "explain" in fields or named or "position" in fields, question.path
        assert ("explain" in fields) == (question.behind is not None), question.path


@pytest.fixture
def prepared(datastore: Datastore) -> Datastore:
    runner(datastore)
    return datastore


@through_postgresql
@given(
    history=histories(),
    asked=st.sampled_from(ASKED),
    minutes=st.sampled_from([1, 60, 7 * 1440, 30 * 1440]),
    windowed=st.booleans(),
)
def test_figures_recomputed_from_their_explanation_are_the_same(
    prepared: Datastore,
    history: list[Happened],
    asked: tuple[Question[Any], dict[str, Any]],
    minutes: int,
    windowed: bool,
) -> None:
    question, settings = asked
    fill(prepared, [as_recorded(history)])
    window = {"from": "2024-03-01T09:01:00Z", "to": "2024-03-10"} if windowed else {}
    as_of = (START + timedelta(minutes=minutes)).isoformat()
    for row in rows(prepared, question, {**settings, **window, "as_of": as_of}):
        question_behind, named = opened(row)
        assert question_behind == EXPLAIN
        everything = things(prepared, named)
        assert isinstance(question.behind, Explanation)
        for figure in question.behind.figures:
            found = things(prepared, {**named, "figure": figure})
            if figure not in ("comparable", "reversed_by_adjustment") and "adjusted" not in figure:
                assert found == [each for each in everything if figure in each["figures"]]
            recomputed = FIGURES[str(question.command)].get(figure, len)(found)
            assert recomputed == (
                row[figure] if row[figure] is None else pytest.approx(row[figure])
            ), figure


def opened(row: Mapping[str, Any]) -> tuple[Question[Any], dict[str, Any]]:
    """The question that the link of a row asks, and its parameters."""
    link = urlsplit(row["explain"])
    (question,) = (each for each in QUESTIONS if each.path == link.path)
    return question, {
        name: values if name == "unknown" else values[0]
        for name, values in parse_qs(link.query, keep_blank_values=True).items()
    }


def rows(datastore: Datastore, question: Question[Any], asked: dict[str, Any]) -> Things:
    parameters = question.parameters.model_validate(asked)
    with snapshot(datastore) as cursor:
        return linked(question, parameters, question.ask(cursor, parameters)).rows


def things(datastore: Datastore, named: dict[str, Any], limit: int = 7) -> list[Mapping[str, Any]]:
    """All pages of what is behind; each thing once."""
    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = EXPLAIN.parameters.model_validate({**named, "limit": limit, "cursor": cursor})
        with snapshot(datastore) as at:
            answer = EXPLAIN.ask(at, asked)
        found += answer.rows
        cursor = answer.next
        if cursor is None:
            return found
