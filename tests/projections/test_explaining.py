"""Every figure opens into what made it: recomputed in plain Python from what is listed, it is the
same figure.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.answers import snapshot
from questions.channels import CHANNELS
from questions.contradictions import CONTRADICTIONS_BY_CHANNELS
from questions.duplicates import CHANNEL_DUPLICATES_BY_CHANNELS
from questions.explaining import linked
from questions.promises import PROMISE_QUALITY
from questions.question import Explanation, Question
from questions.registry import QUESTIONS
from questions.response_times import RESPONSE_TIMES
from tests.projections.history import Happened, as_recorded, happened, inbound, project, runner
from tests.projections.test_properties import START, fill, histories, through_postgresql
from tests.projections.test_survival import by_the_book

EXPLAIN = next(question for question in QUESTIONS if question.command == "explain")
Things = Sequence[Mapping[str, Any]]
Figure = Callable[[Things], Any]


def percentile(share: float, of: str | None = None) -> Figure:
    """Between the two neighbours, over whatever ended."""

    def figure(things: Things) -> float | None:
        found = (thing["details"][of] if of else thing["seconds"] for thing in things)
        values = sorted(value for value in found if value is not None)
        if not values:
            return None
        at = share * (len(values) - 1)
        low = int(at)
        high = min(low + 1, len(values) - 1)
        return float(values[low] + (values[high] - values[low]) * (at - low))

    return figure


def survival(which: str, ends: str, of: str | None = None) -> Figure:
    def figure(things: Things) -> float | None:
        waits = [
            (thing["details"][of] if of else thing["seconds"], thing["state"] == ends)
            for thing in things
        ]
        return getattr(by_the_book(waits), which)  # type: ignore[no-any-return]

    return figure


def share(*states: str) -> Figure:
    def figure(things: Things) -> float | None:
        return sum(thing["state"] in states for thing in things) / len(things) if things else None

    return figure


def of_kind(things: Things, kind: str) -> Things:
    return [thing for thing in things if thing["kind"] == kind]


def handling_minutes(things: Things) -> float | None:
    shared = (thing["seconds"] / max(thing["details"]["concurrency"], 1) for thing in things)
    return sum(shared) / 60 if things else None


def mean_share(things: Things) -> float | None:
    shares = []
    for thing in things:
        low, high = thing["details"]["scale_min"], thing["details"]["scale_max"]
        shares.append((thing["value"] - low) / (high - low))
    return sum(shares) / len(shares) if shares else None


def response_rate(things: Things) -> float | None:
    touched = {thing["customer_id"] for thing in of_kind(things, "touchpoint")}
    gave = {thing["customer_id"] for thing in of_kind(things, "feedback")}
    return len(gave) / len(touched) if touched else None


def cost(things: Things) -> float | None:
    touched = of_kind(things, "touchpoint")
    costs = [thing["value"] for thing in touched]
    if None in costs or len({thing["details"]["currency"] for thing in touched}) != 1:
        return None
    return float(sum(costs))


def cost_per_resolved(things: Things) -> float | None:
    spent, resolved = cost(things), len(of_kind(things, "interval"))
    return spent / resolved if spent is not None and resolved else None


def per_1000(things: Things) -> float | None:
    touched = len(of_kind(things, "touchpoint"))
    return 1000 * len(of_kind(things, "complaint")) / touched if touched else None


def kaplan_meier(prefix: str, ends: str, of: str | None = None) -> dict[str, Figure]:
    return {
        prefix: survival("median", ends, of),
        f"{prefix}_low": survival("low", ends, of),
        f"{prefix}_high": survival("high", ends, of),
    }


PERCENTILES = (("median", 0.5), ("p90", 0.9), ("p99", 0.99))
FIGURES: dict[str, dict[str, Figure]] = {
    "channels": {
        "customers": lambda things: len({thing["customer_id"] for thing in things}),
        "first_response_median_seconds": percentile(0.5),
        "first_response_p90_seconds": percentile(0.9),
        "first_response_p99_seconds": percentile(0.99),
        "first_response_any_median_seconds": percentile(0.5),
        **kaplan_meier("first_response_km_median_seconds", "answered"),
        "resolution_median_seconds": percentile(0.5),
        "keep_rate": share("kept"),
        "handling_minutes": handling_minutes,
        "feedback_share": mean_share,
        "feedback_response_rate": response_rate,
        "cost": cost,
        "cost_per_resolved": cost_per_resolved,
        "first_contact_resolution": share("resolved_at_once"),
        "complaints_per_1000": per_1000,
        "feedback_mean": lambda things: (
            sum(thing["value"] for thing in things) / len(things) if things else None
        ),
        # Fewer than 30 are answered in any stratum of these histories: nothing can be compared.
        "comparable": lambda things: False if things else None,
        "adjusted_first_response_median_seconds": lambda _: None,
        "reversed_by_adjustment": lambda _: None,
    },
    "response-times": {
        **{
            f"{p}_seconds": percentile(q) for p, q in (("median", 0.5), ("p90", 0.9), ("p99", 0.99))
        },
        **kaplan_meier("km_median_seconds", "answered"),
        **kaplan_meier("business_km_median_seconds", "answered", "business_seconds"),
        **{
            f"business_{name}_seconds": percentile(at, "business_seconds")
            for name, at in PERCENTILES
        },
        "within_target": lambda things: (
            sum(thing["details"]["within_target"] for thing in things) / len(things)
            if things
            else None
        ),
    },
    "promise-quality": {
        "keep_rate": share("kept"),
        "settled_keep_rate": share("kept"),
        "late_median_seconds": percentile(0.5),
        **kaplan_meier("late_km_median_seconds", "kept_late"),
        "weighed": lambda things: (
            sum(thing["details"]["sides_weighed"] for thing in things) / (4 * len(things))
        ),
    },
}
"""How each figure is recomputed; one that is not named here is the number of things."""

ASKED = [
    (CHANNELS, {}),
    (RESPONSE_TIMES, {"by": ["channel", "topic"]}),
    (RESPONSE_TIMES, {"by": ["employee", "tier"], "metric": "full_resolution", "channel": "mail"}),
    (RESPONSE_TIMES, {"by": ["team", "month"], "metric": "next_reply"}),
    (PROMISE_QUALITY, {"by": ["channel", "tier", "month"]}),
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


def things(datastore: Datastore, named: dict[str, Any]) -> list[Mapping[str, Any]]:
    """All pages of what is behind; each thing once."""
    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = EXPLAIN.parameters.model_validate({**named, "limit": 7, "cursor": cursor})
        with snapshot(datastore) as at:
            answer = EXPLAIN.ask(at, asked)
        found += answer.rows
        cursor = answer.next
        if cursor is None:
            return found
