"""Policies and tiers: every version is kept, and which one counts depends on nothing but time."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.customers.fold import Tier, in_turn
from projections.events import END
from projections.policies.rules import Levels, ServiceLevel, in_force
from tests.projections.history import at, happened, project, read_schema, rows_of

OFFICE = happened(
    "calendar.published.v1",
    "2024-01-01",
    calendar_id="office",
    timezone="Europe/Amsterdam",
    weekly=[{"weekday": 1, "from": "09:00", "to": "18:00"}],
    holidays=[at("2024-12-25").date()],
    valid_from="2024-01-02",
)

ONE_OF_EACH = [
    OFFICE,
    happened(
        "service_level.published.v1",
        "2024-01-01",
        service_level_id="S",
        metric="first_response",
        target_seconds=3600,
        clock="business",
        calendar_id="office",
        valid_from="2024-01-02",
    ),
    happened(
        "channel.costed.v1",
        "2024-01-01",
        channel="mail",
        cost_per_minute=Decimal("0.35"),
        currency="EUR",
        valid_from="2024-01-02",
    ),
    happened(
        "authority_limit.set.v1",
        "2024-01-01",
        role="agent",
        max_value=Decimal(50),
        currency="EUR",
        valid_from="2024-01-02",
    ),
    happened(
        "moment.classified.v1",
        "2024-01-01",
        moment="delivery",
        importance="key",
        valid_from="2024-01-02",
    ),
    happened("customer.tiered.v1", "2024-02-01", tier="most_growable"),
    happened("customer.tiered.v1", "2024-01-01", tier="negative"),
]


def level(published: str, valid_from: str, **said: Any) -> ServiceLevel:
    told: dict[str, Any] = {
        "event_id": f"{published} {valid_from}",
        "service_level_id": "S",
        "metric": "resolution",
        "target_seconds": 60.0,
        "clock": "calendar",
        **dict.fromkeys(("channel", "topic", "tier", "severity", "calendar_id")),
    }
    return ServiceLevel(published_at=at(published), valid_from=at(valid_from), **told | said)


def test_every_version_is_a_row(datastore: Datastore) -> None:
    project(datastore, ONE_OF_EACH)
    rows = rows_of(datastore)
    (calendar,) = rows["calendars"]
    assert (calendar["timezone"], calendar["valid_from"]) == (
        "Europe/Amsterdam",
        at("2024-01-02"),
    )
    assert calendar["weekly"] == [{"weekday": 1, "from": "09:00", "to": "18:00"}]
    assert calendar["holidays"] == ["2024-12-25"]
    (service_level,) = rows["service_levels"]
    assert (service_level["target_seconds"], service_level["channel"]) == (3600, None)
    (cost,) = rows["channel_costs"]
    assert (str(cost["cost_per_minute"]), cost["cost_per_contact"]) == ("0.3500", None)
    (limit,) = rows["authority_limits"]
    assert (limit["role"], limit["max_value"], limit["published_at"]) == (
        "agent",
        50,
        at("2024-01-01"),
    )
    assert rows["moments"][0]["importance"] == "key"
    tiers = sorted((row["valid_from"], row["tier"]) for row in rows["customer_tiers"])
    assert tiers == [(at("2024-01-01"), "negative"), (at("2024-02-01"), "most_growable")]
    with read_schema(datastore) as cursor:
        cursor.execute(
            "SELECT tier FROM customer_tiers WHERE valid_from <= %(at)s AND valid_to > %(at)s",
            {"at": at("2024-01-15")},
        )
        assert cursor.fetchall() == [("negative",)]


instants = st.sampled_from([at(f"2024-03-{day:02}") for day in range(1, 9)])
versions = st.builds(
    lambda published, valid_from: level(f"{published:%Y-%m-%d}", f"{valid_from:%Y-%m-%d}"),
    instants,
    instants,
)


@given(st.lists(versions, unique=True), versions, instants)
def test_a_version_that_is_valid_from_later_changes_nothing_earlier(
    known: list[ServiceLevel], later: ServiceLevel, instant: datetime
) -> None:
    for order in ([*known, later], [later, *reversed(known)]):
        held = in_force(order, instant)
        if instant < later.valid_from:
            assert held == in_force(known, instant)
        else:
            assert held is not None
            assert held.valid_from == max(
                version.valid_from for version in order if version.valid_from <= instant
            )


def test_the_level_with_the_most_selectors_counts() -> None:
    levels = Levels(
        [
            level("2024-01-01", "2024-01-01", service_level_id="any"),
            level("2024-01-01", "2024-01-01", service_level_id="mail", channel="mail"),
            level("2024-01-01", "2024-03-01", service_level_id="mail", channel="letter"),
            level("2024-01-01", "2024-01-01", service_level_id="gold", channel="mail", tier="gold"),
        ]
    )

    def held(when: str, **about: str | None) -> str | None:
        found = levels.level("resolution", at(when), **about)
        return found and found.service_level_id

    assert held("2024-02-01", channel="mail", tier="gold") == "gold"
    assert held("2024-02-01", channel="mail", tier=None) == "mail"
    assert held("2024-02-01", channel="phone", tier="gold") == "any"
    # The second version of the level for mail made it one for letters.
    assert held("2024-03-01", channel="mail", tier=None) == "any"
    assert held("2023-12-31", channel="mail") is None
    assert levels.level("decide", at("2024-02-01")) is None


@given(st.data(), st.lists(instants, max_size=5), instants)
def test_each_tier_holds_until_the_next(
    data: st.DataObject, times: list[datetime], instant: datetime
) -> None:
    tiers = [
        Tier(f"{number}", "Ada", time, END, f"tier {number}", None, None)
        for number, time in enumerate(times)
    ]
    held = [
        tier.tier
        for tier in in_turn(data.draw(st.permutations(tiers)))
        if tier.valid_from <= instant < tier.valid_to
    ]
    begun = [tier for tier in tiers if tier.valid_from <= instant]
    expected = max(begun, key=lambda tier: (tier.valid_from, tier.event_id), default=None)
    assert held == ([expected.tier] if expected else [])
