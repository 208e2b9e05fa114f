"""What channels cost, whom they help at once, and how they compare once their mix is the same."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from statistics import median
from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.queries import channels, snapshot
from projections.survival import in_order, standardised
from tests.projections.history import Happened, at, happened, inbound, outbound, project
from tests.projections.test_survival import arrays

NOW = "2024-06-01"


def compared(datastore: Datastore, as_of: str = NOW, **how: Any) -> dict[str, dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return {row["channel"]: row for row in channels(cursor, as_of=at(as_of), **how).rows}


def costs(channel: str, valid_from: str, minute: str, contact: str, currency: str = "EUR") -> Any:
    return happened(
        "channel.costed.v1",
        valid_from,
        channel=channel,
        cost_per_minute=Decimal(minute),
        cost_per_contact=Decimal(contact),
        currency=currency,
        valid_from=valid_from,
    )


TWO_CALLS = [
    inbound("2024-03-01 09:00", "A1", channel="phone", handling_seconds=600.0, outcome="resolved"),
    inbound("2024-03-11 09:00", "A2", channel="phone", handling_seconds=600.0, concurrency=4),
    inbound("2024-03-01 09:00", "B1", channel="mail"),
]


def test_cost_by_the_rates_in_force(datastore: Datastore) -> None:
    history = [
        costs("phone", "2024-01-01", "0.5", "2"),
        costs("phone", "2024-03-10", "1", "3"),
        costs("mail", "2024-03-10", "1", "3"),
    ]
    project(datastore, [*TWO_CALLS, *reversed(history)])
    found = compared(datastore)
    # Ten minutes at the old rates, then two and a half at the new ones; one of two was resolved.
    assert found["phone"]["cost"] == pytest.approx(2 + 10 * 0.5 + 3 + 2.5 * 1)
    assert found["phone"]["cost_per_resolved"] == pytest.approx(12.5)
    # When the mail came nobody had said yet what one costs.
    assert (found["mail"]["cost"], found["mail"]["cost_per_resolved"]) == (None, None)
    early = compared(datastore, to=at("2024-03-10"))
    assert early["phone"]["cost"] == pytest.approx(7)


def test_cost_is_told_to_a_ten_thousandth(datastore: Datastore) -> None:
    calls = [
        inbound(f"2024-03-01 09:0{n}", f"A{n}", channel="phone", handling_seconds=1.0)
        for n in range(2)
    ]
    project(datastore, [costs("phone", "2024-01-01", "0.1", "0"), *calls])
    assert compared(datastore)["phone"]["cost"] == 0.0033


def test_two_currencies_do_not_add_up(datastore: Datastore) -> None:
    history = [
        costs("phone", "2024-01-01", "1", "1"),
        costs("phone", "2024-03-10", "1", "1", "USD"),
    ]
    project(datastore, [*TWO_CALLS, *history])
    assert compared(datastore)["phone"]["cost"] is None


def test_rates_published_later_change_no_earlier_cost(datastore: Datastore) -> None:
    history = [costs("phone", "2024-01-01", "0.5", "2"), costs("phone", "2024-03-02", "9", "9")]
    project(datastore, [*TWO_CALLS, *history])
    assert compared(datastore, to=at("2024-03-02"))["phone"]["cost"] == pytest.approx(7)


@pytest.mark.parametrize(
    ("further", "share"),
    [
        ([], 1.0),
        ([inbound("2024-03-08 09:00", "A2", channel="mail", topic="boiler")], 0.0),
        ([inbound("2024-03-08 09:01", "A2", channel="mail", topic="boiler")], 1.0),
        ([inbound("2024-03-02 09:00", "A2", channel="mail", topic="price")], 1.0),
        ([outbound("2024-03-02 09:00", "A2", channel="mail", topic="boiler")], 1.0),
        (
            [inbound("2024-03-02 09:00", "B1", channel="mail", customer_id="Ben", topic="boiler")],
            1.0,
        ),
    ],
)
def test_helped_at_first_contact(
    datastore: Datastore, further: list[Happened], share: float
) -> None:
    call = inbound(
        "2024-03-01 09:00", "A1", channel="phone", topic="boiler", outcome="resolved", case_id="1"
    )
    project(datastore, [call, *further])
    found = compared(datastore)
    assert found["phone"]["first_contact_resolution"] == share
    # As of an instant before the customer came back, the call had helped.
    early = compared(datastore, "2024-03-01 10:00")
    assert early["phone"]["first_contact_resolution"] == 1.0


def waits(channel: str, topic: str, count: int, minutes: int, waiting: int = 0) -> list[Happened]:
    """Waits around so many minutes; of those still waiting nothing more was heard."""
    history = []
    for number in range(count + waiting):
        name = f"{channel} {topic} {number}"
        begins = at("2024-03-01") + timedelta(hours=number)
        about: dict[str, Any] = {"channel": channel, "topic": topic, "customer_id": name}
        history.append(inbound(f"{begins:%Y-%m-%d %H:%M}", f"{name} in", **about))
        if number < count:
            ends = begins + timedelta(minutes=minutes + number % 9 - 4)
            history.append(outbound(f"{ends:%Y-%m-%d %H:%M}", f"{name} out", **about))
    return history


def test_adjustment_turns_the_order_round_and_says_so(datastore: Datastore) -> None:
    """Mail is faster with everything, but gets the difficult things; and 30 % are still waiting.

    Its crude median is the greater one all the same: Simpson's paradox.
    """
    history = [
        *waits("mail", "easy", 30, 10, waiting=13),
        *waits("mail", "difficult", 120, 100, waiting=51),
        *waits("phone", "easy", 120, 20, waiting=51),
        *waits("phone", "difficult", 30, 130, waiting=13),
    ]
    project(datastore, history)
    found = compared(datastore)
    mail, phone = found["mail"], found["phone"]
    assert mail["waiting"] / (mail["waiting"] + mail["answered"]) == pytest.approx(0.3, abs=0.01)
    assert mail["first_response_median_seconds"] > phone["first_response_median_seconds"]
    assert mail["first_response_km_median_seconds"] > phone["first_response_km_median_seconds"]
    adjusted = "adjusted_first_response_median_seconds"
    assert mail[adjusted] < phone[adjusted]
    assert (mail["comparable"], mail["reversed_by_adjustment"]) == (True, True)
    assert (phone["comparable"], phone["reversed_by_adjustment"]) == (True, True)


def test_a_median_that_is_not_reached_is_longer_than_any_other(datastore: Datastore) -> None:
    """Most of what mail gets is difficult, and most of that is still waiting."""
    history = [
        *waits("mail", "easy", 100, 10),
        *waits("mail", "difficult", 40, 100, waiting=160),
        *waits("chat", "easy", 430, 20),
        *waits("chat", "difficult", 35, 130, waiting=5),
    ]
    project(datastore, history)
    found = compared(datastore)
    mail, chat = found["mail"], found["chat"]
    crude, adjusted = "first_response_km_median_seconds", "adjusted_first_response_median_seconds"
    assert mail[crude] is None
    assert chat[crude] is not None
    assert mail[adjusted] < chat[adjusted]
    assert (mail["reversed_by_adjustment"], chat["reversed_by_adjustment"]) == (True, True)


def test_a_rare_matter_does_not_make_channels_incomparable(datastore: Datastore) -> None:
    history = [*waits("mail", "easy", 60, 10), *waits("phone", "easy", 39, 20)]
    project(datastore, [*history, *waits("mail", "rare", 1, 10)])
    # One in a hundred carries weight, and the phone has none.
    assert [row["comparable"] for row in compared(datastore).values()] == [False, False]
    project(datastore, waits("chat", "easy", 1, 10))
    found = compared(datastore)
    assert {name: row["comparable"] for name, row in found.items()} == {
        "mail": True,
        "phone": True,
        "chat": False,
    }
    # What is left of the mix is the whole of it.
    easy_at_phone = found["phone"]["first_response_km_median_seconds"]
    assert found["phone"]["adjusted_first_response_median_seconds"] == easy_at_phone
    assert found["mail"]["reversed_by_adjustment"] is False


def test_too_few_answered_in_a_stratum_cannot_be_compared(datastore: Datastore) -> None:
    history = [
        *waits("mail", "easy", 30, 10),
        *waits("phone", "easy", 30, 20),
        *waits("chat", "easy", 29, 5, waiting=5),
    ]
    project(datastore, history)
    found = compared(datastore)
    assert {name: row["comparable"] for name, row in found.items()} == {
        "mail": True,
        "phone": True,
        "chat": False,
    }
    assert found["chat"]["adjusted_first_response_median_seconds"] is None
    assert found["chat"]["reversed_by_adjustment"] is None
    # With one stratum there is nothing to adjust.
    assert found["mail"]["reversed_by_adjustment"] is False
    crude, adjusted = "first_response_km_median_seconds", "adjusted_first_response_median_seconds"
    assert found["mail"][adjusted] == found["mail"][crude]
    # Tiers are strata too: one customer of the mail is in one of which phone has none.
    tier = happened(
        "customer.tiered.v1", "2024-01-01", customer_id="mail easy 0", tier="most_valuable"
    )
    project(datastore, [tier])
    assert not any(row["comparable"] for row in compared(datastore).values())


Wait = tuple[str, int, float, bool]
"""Channel, stratum, seconds, whether it ended."""


def test_standardised_medians_as_by_hand() -> None:
    chance = Random(3)
    drawn: list[Wait] = [
        (
            channel,
            stratum,
            float(chance.randint(1, 50 * stratum + (20 if channel == "mail" else 0))),
            chance.random() < share,
        )
        for share in (1.0, 0.7)
        for channel, sizes in (("mail", (40, 60, 200)), ("phone", (200, 50, 35)))
        for stratum, size in enumerate(sizes, start=1)
        for _ in range(size)
    ]
    mix = {1: 0.5, 2: 0.3, 3: 0.2}
    for channel in ("mail", "phone"):
        own = [wait[1:] for wait in drawn if wait[0] == channel]
        strata = (
            (share, in_order(*arrays([wait[1:] for wait in own if wait[0] == stratum])))
            for stratum, share in mix.items()
        )
        assert standardised(strata) == by_hand(own, mix)


def by_hand(drawn: Sequence[tuple[int, float, bool]], mix: dict[int, float]) -> float:
    """Where the weighted mean of the strata's Kaplan-Meier curves comes down to one half."""

    def surviving(stratum: int, at_: float) -> float:
        own = [(seconds, ended) for number, seconds, ended in drawn if number == stratum]
        left = 1.0
        for time in sorted({seconds for seconds, ended in own if ended and seconds <= at_}):
            at_risk = sum(seconds >= time for seconds, _ in own)
            left *= 1 - sum(seconds == time and ended for seconds, ended in own) / at_risk
        return left

    times = sorted({seconds for _, seconds, ended in drawn if ended})
    curve = [(at_, sum(mix[s] * surviving(s, at_) for s in mix)) for at_ in times]
    first = next(at_ for at_, left in curve if left <= 0.5 + 1e-9)
    return (first + next(at_ for at_, left in curve if left < 0.5 - 1e-9)) / 2


def test_without_anyone_waiting_the_adjusted_median_is_the_weighted_one(
    datastore: Datastore,
) -> None:
    history = [*waits("mail", "easy", 40, 10), *waits("phone", "easy", 40, 20)]
    project(datastore, history)
    found = compared(datastore)
    minutes = [10 + number % 9 - 4 for number in range(40)]
    assert found["mail"]["adjusted_first_response_median_seconds"] == median(minutes) * 60
