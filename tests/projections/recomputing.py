"""Every figure recomputed in plain Python from the things that it opens into."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from projections.proportions import wilson
from tests.projections.test_comparing_channels import by_hand
from tests.projections.test_survival import by_the_book

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


def survival(which: str, ends: Sequence[str], of: str | None = None) -> Figure:
    def figure(things: Things) -> float | None:
        waits = [
            (thing["details"][of] if of else thing["seconds"], thing["state"] in ends)
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


def rules(things: Things, state: str) -> Counter[str]:
    """How many of the complaints stand like this, by rule."""
    found = (thing["details"]["rules"].items() for thing in things)
    return Counter(name for each in found for name, stands in each if stands == state)


def fitness(things: Things) -> float | None:
    satisfied, violated = rules(things, "satisfied").total(), rules(things, "violated").total()
    return satisfied / (satisfied + violated) if satisfied + violated else None


def persons(things: Things) -> int:
    return len({thing["details"]["person"] for thing in things})


def observed(what: str, prefix: str) -> dict[str, Figure]:
    """The share of the complaints after which it was observed, with its interval."""

    def counted(things: Things) -> int:
        return sum(thing["details"][what] for thing in things)

    return {
        prefix: lambda things: counted(things) / len(things) if things else None,
        f"{prefix}_low": lambda things: wilson(counted(things), len(things))[0],
        f"{prefix}_high": lambda things: wilson(counted(things), len(things))[1],
    }


def costs_of_persons(things: Things) -> list[float]:
    spent: Counter[str] = Counter()
    for thing in things:
        spent[thing["group"]["person"]] += thing["value"]
    return [*spent.values()]


def summed_cost(things: Things) -> float | None:
    return sum(costs_of_persons(things)) if things else None


def adjusted_median(channel: str, things: Things) -> float | None:
    """By direct standardisation over topic and tier, from the waits of every channel."""
    about = {(thing["group"]["topic"], thing["group"]["tier"]) for thing in things}
    strata = dict(enumerate(sorted(about, key=str)))
    numbers = {each: number for number, each in strata.items()}

    def stratum(thing: Mapping[str, Any]) -> int:
        return numbers[thing["group"]["topic"], thing["group"]["tier"]]

    pooled = Counter(map(stratum, things))
    mix = {number: float(n) for number, n in pooled.items() if n / len(things) >= 0.01}
    mix = {number: n / sum(mix.values()) for number, n in mix.items()}
    own = [
        (stratum(thing), thing["seconds"], thing["state"] == "answered")
        for thing in things
        if thing["group"]["channel"] == channel
    ]
    answered = Counter(number for number, _, ended in own if ended)
    return by_hand(own, mix) if all(answered[number] >= 30 for number in mix) else None


def per_1000(things: Things) -> float | None:
    touched = len(of_kind(things, "touchpoint"))
    return 1000 * len(of_kind(things, "complaint")) / touched if touched else None


def kaplan_meier(prefix: str, *ends: str, of: str | None = None) -> dict[str, Figure]:
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
        **kaplan_meier("business_km_median_seconds", "answered", of="business_seconds"),
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
    "complaint-quality": {
        "share_conforming": share("conforming"),
        "fitness": fitness,
        "violations": lambda things: rules(things, "violated"),
        **kaplan_meier("acknowledge_km_median_seconds", "done"),
        **kaplan_meier("apologize_km_median_seconds", "done"),
        **kaplan_meier("amend_km_median_seconds", "done"),
        **kaplan_meier("anticipate_km_median_seconds", "done"),
    },
    "support-times": {
        "median_seconds": percentile(0.5),
        "p90_seconds": percentile(0.9),
        **kaplan_meier("km_median_seconds", "fulfilled", "unfulfilled"),
    },
    "effects": {
        "customers": persons,
        **observed("repurchased", "repurchase_rate"),
        **observed("lapsed", "lapse_rate"),
    },
    "value-cost": {
        "customers": lambda things: len({thing["group"]["person"] for thing in things}),
        "cost": summed_cost,
        "lowest_cost": lambda things: min(costs_of_persons(things), default=None),
        "highest_cost": lambda things: max(costs_of_persons(things), default=None),
    },
    "value-cost-customers": {"cost": summed_cost},
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
