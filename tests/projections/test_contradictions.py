"""What customers were told, where it contradicts itself."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.answers import BadToken, snapshot
from projections.statements.contradicting import Word, contradicting, counted
from projections.statements.queries import contradictions, contradictions_by_channels
from tests.projections.history import Happened, at, event_id, happened, project

NOW = at("2024-06-01")


def told(when: str, value: str, channel: str | None = "phone", **data: Any) -> Happened:
    return happened(
        "statement.made.v1",
        when,
        **{
            "statement_id": f"{channel} {when} {value}",
            "claim_key": "price:SKU-1",
            "value": value,
            "channel": channel,
        }
        | data,
    )


def found(datastore: Datastore, as_of: datetime = NOW, **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return contradictions(cursor, as_of=as_of, **how).rows


def pairs(datastore: Datastore, as_of: datetime = NOW, **how: Any) -> dict[tuple[str, str], int]:
    with snapshot(datastore) as cursor:
        rows = contradictions_by_channels(cursor, as_of=as_of, **how).rows
    return {(row["channel"], row["other_channel"]): row["contradictions"] for row in rows}


def test_two_channels_tell_two_prices(datastore: Datastore) -> None:
    cheap = told("2024-03-01 09:00", "19.99", valid_until="2024-03-10", employee_id="E1")
    again = told("2024-03-02 09:00", "19.99", customer_id="Ben")
    dear = told("2024-03-03 09:00", "24.99", "web", customer_id="Cleo")
    other = told("2024-03-03 10:00", "24.99", "mail", claim_key="price:SKU-2")
    project(datastore, [dear, again, cheap, other])
    (row,) = found(datastore)
    assert row == {
        "claim_key": "price:SKU-1",
        "contradicted_at": at("2024-03-03 09:00"),
        "until": None,
        "earlier_value": "19.99",
        "earlier_channel": "phone",
        "earlier_at": at("2024-03-01 09:00"),
        "earlier_kind": "statement",
        "earlier_id": "phone 2024-03-01 09:00 19.99",
        "earlier_event_id": event_id(cheap),
        "earlier_customer_id": "Ada",
        "earlier_employee_id": "E1",
        "earlier_told": 2,
        "later_value": "24.99",
        "later_channel": "web",
        "later_at": at("2024-03-03 09:00"),
        "later_kind": "statement",
        "later_id": "web 2024-03-03 09:00 24.99",
        "later_event_id": event_id(dear),
        "later_customer_id": "Cleo",
        "later_employee_id": None,
        "later_told": 1,
    }
    assert pairs(datastore) == {("phone", "web"): 1}
    assert found(datastore, at("2024-03-03 08:59")) == []
    assert found(datastore, from_=at("2024-03-03 09:01")) == []
    assert found(datastore, to=at("2024-03-03 09:00")) == []
    assert pairs(datastore, to=at("2024-03-03 09:00")) == {}
    assert len(found(datastore, channels=["web"])) == 1
    assert found(datastore, channels=["mail"]) == []
    assert found(datastore, claim_key="price:SKU-2") == []


def test_what_a_channel_says_next_replaces_what_it_said(datastore: Datastore) -> None:
    history = [
        told("2024-03-01 09:00", "19.99"),
        told("2024-03-05 09:00", "24.99"),
        told("2024-03-06 09:00", "24.99", "web"),
    ]
    project(datastore, history)
    assert found(datastore) == []


def test_what_was_said_on_no_channel_counts_beside_the_others(datastore: Datastore) -> None:
    words = [("mail", "17.99"), ("phone", "19.99"), (None, "24.99")]
    history = [told("2024-03-01 09:00", value, channel=channel) for channel, value in words]
    project(datastore, history)
    assert list(pairs(datastore).items()) == [
        (("mail", None), 1),
        (("mail", "phone"), 1),
        (("phone", None), 1),
    ]


def test_a_word_given_until_a_day_is_not_replaced(datastore: Datastore) -> None:
    """The channel contradicts itself, until that day."""
    guaranteed = told("2024-03-01 09:00", "19.99", valid_until="2024-03-10")
    project(datastore, [guaranteed, told("2024-03-05 09:00", "24.99")])
    (row,) = found(datastore)
    assert (row["earlier_channel"], row["later_channel"]) == ("phone", "phone")
    assert row["until"] == at("2024-03-10")
    assert pairs(datastore) == {("phone", "phone"): 1}


def test_two_values_told_at_one_instant_both_stand(datastore: Datastore) -> None:
    """As when a source gives dates only: neither was said after the other."""
    history = [
        told("2024-03-01", "14"),
        told("2024-03-01", "30"),
        told("2024-03-01", "30", statement_id="again"),
        told("2024-03-02", "14", "web"),
        told("2024-03-03", "30"),
        told("2024-03-03", "30", "web"),
        told("2024-03-04", "14", "mail", valid_until="2024-03-04 12:00"),
    ]
    project(datastore, history)
    assert pairs(datastore) == {
        ("phone", "phone"): 1,
        ("phone", "web"): 1,
        ("mail", "phone"): 1,
        ("mail", "web"): 1,
    }
    own, other, *_ = found(datastore)
    assert {own["earlier_value"], own["later_value"]} == {"14", "30"}
    # The 14 days of the phone end when it says something next.
    assert own["until"] == at("2024-03-03")
    assert (other["earlier_value"], other["earlier_told"]) == ("30", 3)


def test_words_that_only_touch_do_not_contradict(datastore: Datastore) -> None:
    first = told("2024-03-01 09:00", "19.99", valid_until="2024-03-05 09:00")
    project(datastore, [first, told("2024-03-05 09:00", "24.99", "web")])
    assert found(datastore) == []


def promised(when: str, value: str, due_at: str) -> Happened:
    return happened(
        "promise.made.v1",
        when,
        promise_id="P",
        statement="delivery",
        channel="shop",
        due_at=due_at,
        claim_key="delivery:1",
        promised_value=value,
    )


@pytest.mark.parametrize(
    ("when", "contradicts"),
    [("2024-03-02 09:00", True), ("2024-03-04 09:00", False), ("2024-03-09 09:00", False)],
)
def test_a_promise_stands_until_it_is_settled(
    datastore: Datastore, when: str, contradicts: bool
) -> None:
    history = [
        promised("2024-03-01 09:00", "2024-03-08", "2024-03-08"),
        happened("promise.kept.v1", "2024-03-03 09:00", promise_id="P"),
        told(when, "2024-03-20", claim_key="delivery:1"),
    ]
    project(datastore, history)
    rows = found(datastore)
    assert len(rows) == contradicts
    if contradicts:
        assert (rows[0]["earlier_kind"], rows[0]["earlier_id"]) == ("promise", "P")
        # As of an instant before it was kept, it stood until it was due.
        (before,) = found(datastore, at("2024-03-02 10:00"))
        assert (rows[0]["until"], before["until"]) == (at("2024-03-03 09:00"), at("2024-03-08"))


def test_pages_leave_nothing_out(datastore: Datastore) -> None:
    history = [told("2024-03-01 09:00", "1", f"channel {number}") for number in range(5)]
    history += [told("2024-03-02 09:00", f"{number}", "web") for number in (2, 3)]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        rows, token = [], None
        while True:
            answer = contradictions(cursor, as_of=NOW, limit=3, token=token)
            rows += answer.rows
            if (token := answer.next) is None:
                break
        whole = contradictions(cursor, as_of=NOW).rows
        with pytest.raises(BadToken):
            contradictions(cursor, as_of=NOW, token="x")
    assert rows == whole
    # Both values of the web stand, against those of five channels and against each other.
    assert len(rows) == sum(pairs(datastore).values()) == 11


def test_thousands_of_statements_about_one_claim(datastore: Datastore) -> None:
    """Four channels repeat two prices; ten thousand statements are a few words."""
    begins = at("2024-03-01")
    history = [
        told(
            f"{begins + timedelta(minutes=number):%Y-%m-%d %H:%M}",
            "24.99" if number % 5 == 0 else "19.99",
            f"channel {number % 4}",
            valid_until="2030-01-01",
        )
        for number in range(10_000)
    ]
    project(datastore, history)
    # 19.99 and 24.99 on each of four channels: every channel with itself and with every other.
    assert pairs(datastore) == {
        (f"channel {one}", f"channel {other}"): 1 if one == other else 2
        for one in range(4)
        for other in range(one, 4)
    }


class Said(NamedTuple):
    """One stretch of a word, for the definition."""

    begins: int
    length: int
    channel: str
    value: str


stretches = st.lists(
    st.builds(
        Said,
        st.integers(0, 12),
        st.integers(1, 8),
        st.sampled_from(["mail", "phone", "web"]),
        st.sampled_from("123"),
    ),
    max_size=12,
)


def words(said: Sequence[Said]) -> list[Word]:
    """Words without two of one value that overlap on one channel."""
    begins = at("2024-03-01")
    made: list[Word] = []
    for number, stretch in enumerate(sorted(said)):
        word = Word(
            "claim",
            stretch.value,
            stretch.channel,
            begins + timedelta(hours=stretch.begins),
            begins + timedelta(hours=stretch.begins + stretch.length),
            f"{number:03}",
            "statement",
            f"S{number}",
            "Ada",
            None,
            1,
        )
        if not any(overlapping(word, other) and same(word, other) for other in made):
            made.append(word)
    return made


def overlapping(one: Word, other: Word) -> bool:
    return one.begins_at < other.ends_at and other.begins_at < one.ends_at


def same(one: Word, other: Word) -> bool:
    return (one.channel, one.value) == (other.channel, other.value)


@given(stretches, st.integers(0, 12))
def test_found_and_counted_are_what_the_definition_says(said: list[Said], since: int) -> None:
    standing = words(said)
    begins = at("2024-03-01") + timedelta(hours=since)
    by_definition = {
        (one.event_id, other.event_id)
        for one, other in combinations(standing, 2)
        if overlapping(one, other) and one.value != other.value and other.begins_at >= begins
    }
    listed = list(contradicting(standing, begins))
    assert [(one.event_id, other.event_id) for one, other in listed] == sorted(
        by_definition, key=lambda pair: (pair[1], pair[0])
    )
    numbers = Counter(tuple(sorted((str(a.channel), str(b.channel)))) for a, b in listed)
    assert {pair: number for pair, (number, _) in counted(standing, begins).items()} == numbers
