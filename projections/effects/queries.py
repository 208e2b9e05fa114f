"""Answers what customers did after their complaints."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.answers import Answer, WrongParameter, answer, fetch, window
from projections.complaints.case import PENDING, VIOLATED
from projections.complaints.judging import RULES, Judgement
from projections.complaints.reading import READ_MODELS, judged
from projections.complaints.standing import standings
from projections.customers.persons import persons
from projections.explaining import Behind, explain, told, worked_out
from projections.grouping import UnknownDimension
from projections.proportions import wilson

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

FOUR_A = (
    "acknowledged",
    "apologized",
    "amends_consented",
    "amends_authorized",
    "amends_delivered",
    "anticipated",
)
"""The rules that make a recovery complete: acknowledged, apologized, amended, anticipated."""

RECOVERIES = ("complete", "incomplete", "open")
DIMENSIONS = ("channel", "severity", "topic", "product", "team", "department")
"""By what effects can be told apart, beside the recovery."""

GROUPS = (*DIMENSIONS, "recovery")
"""The columns that name a row of effects."""

OBSERVATION = "observation"
"""What the figures are, and all they are: what was seen together, not what caused what."""

LONGEST_DAYS = 3_660


class NotSoLong(WrongParameter):
    """Nobody is followed for so long."""

    parameter = "days"


def effects(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    days: int = 180,
    by: str | None = None,
) -> Answer:
    """Repurchase and lapse within `days` after complaints raised in [from_, to), by recovery.

    `by` is one of DIMENSIONS, as the complaint was raised. Rows: the column `by` if it is given,
    `recovery` (`complete`: each rule of FOUR_A that applies is satisfied; `incomplete`: one is
    violated; `open`: one is still pending), `reading` (OBSERVATION), `complaints`, `customers`,
    `following` (complaints raised less than `days` before `as_of`, which are in no rate),
    `followed`, and of these `repurchased` and `lapsed` (their customers bought, or lapsed, after
    the complaint and at most `days` later, under whichever id of the person) with
    `repurchase_rate` and `lapse_rate` and their 95 % Wilson intervals (`_low` and `_high`). Whoever
    complains several times is followed after each. Complete recoveries look the better for being
    judged at `as_of` and followed from the raising: whoever leaves at once can hardly be recovered
    any more.

    Raises UnknownDimension and NotSoLong.
    """
    if by is not None and by not in DIMENSIONS:
        raise UnknownDimension(f"by must be one of {', '.join(DIMENSIONS)}")
    asked = {"as_of": as_of, "days": days, **window(from_, to)}
    told = (
        f"{by or 'NULL'} AS about, bought_by IS NOT NULL AS bought, lapsed_by IS NOT NULL AS lapsed"
    )
    followed = _followed(cursor, asked, told)
    groups: dict[tuple[str | None, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row, standing in zip(followed, standings(cursor, followed, as_of=as_of), strict=True):
        groups[row["about"], _recovery(standing.states)].append(row)
    rows = [
        ({by: group} if by else {}) | {"recovery": name} | _figures(groups[group, name])
        for group, name in sorted(groups, key=_in_order)
    ]
    return answer(cursor, READ_MODELS, as_of, rows)


def behind_effects(cursor: PgCursor, wanted: Behind, *, days: int = 180) -> Answer:
    """The complaints behind rows of `effects`, as `projections.explaining.explain` lists them.

    Raises NotSoLong.
    """
    asked = {"days": days, **wanted.parameters()}
    told_of_each = f"raised_by, {', '.join(DIMENSIONS)}, bought_by, lapsed_by"
    followed = _followed(cursor, asked, told_of_each)
    things = (
        thing
        for row, found in zip(followed, judged(cursor, followed, as_of=asked["as_of"]), strict=True)
        if (thing := _thing(row, found.judgement)).items() >= wanted.group.items()
    )
    return explain(
        cursor,
        worked_out(GROUPS),
        wanted,
        READ_MODELS,
        groups=GROUPS,
        parameters={"worked_out": told(things)},
    )


def _followed(cursor: PgCursor, asked: Mapping[str, Any], told: str) -> list[dict[str, Any]]:
    """Each complaint with its `person`, whether it was `followed` to the end, and the terms `told`,
    among which can be the ids of the events by which the person bought (`bought_by`) and lapsed
    (`lapsed_by`), null if they did not.

    Parameters: `as_of`, `days` and the window. Raises NotSoLong.
    """
    if not 1 <= asked["days"] <= LONGEST_DAYS:
        raise NotSoLong(f"days must be from 1 to {LONGEST_DAYS}")
    merged = persons(cursor, as_of=asked["as_of"])
    ids = {"merged_ids": text_array(merged), "persons": text_array(merged.values())}
    return fetch(cursor, _SQL["followed"].replace("{told}", told), {**asked, **ids})


@cache
def _recovery(states: tuple[str, ...]) -> str:
    """Which of RECOVERIES a complaint is whose RULES stand like this."""
    four = {state for name, state in zip(RULES, states, strict=True) if name in FOUR_A}
    if VIOLATED in four:
        return "incomplete"
    return "open" if PENDING in four else "complete"


def _in_order(group: tuple[str | None, str]) -> tuple[bool, str, int]:
    about, name = group
    return about is None, about or "", RECOVERIES.index(name)


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    followed = [row for row in rows if row["followed"]]
    n = len(followed)
    repurchased = sum(row["bought"] for row in followed)
    lapsed = sum(row["lapsed"] for row in followed)
    repurchase_low, repurchase_high = wilson(repurchased, n)
    lapse_low, lapse_high = wilson(lapsed, n)
    return {
        "reading": OBSERVATION,
        "complaints": len(rows),
        "customers": len({row["person"] for row in rows}),
        "following": len(rows) - n,
        "followed": n,
        "repurchased": repurchased,
        "repurchase_rate": repurchased / n if n else None,
        "repurchase_rate_low": repurchase_low,
        "repurchase_rate_high": repurchase_high,
        "lapsed": lapsed,
        "lapse_rate": lapsed / n if n else None,
        "lapse_rate_low": lapse_low,
        "lapse_rate_high": lapse_high,
    }


def _thing(row: Mapping[str, Any], judgement: Judgement) -> dict[str, Any]:
    """A complaint with the figures that it counts in."""
    followed, bought, lapsed = row["followed"], row["bought_by"] or [], row["lapsed_by"] or []
    rates = ("repurchase_rate", "lapse_rate")
    in_rates = [f"{rate}{end}" for rate in rates for end in ("", "_low", "_high")]
    figures = ["complaints", "customers", *(["followed", *in_rates] if followed else ["following"])]
    figures += ["repurchased"] if followed and bought else []
    figures += ["lapsed"] if followed and lapsed else []
    rules = judgement.rules
    deciding = [event for name in FOUR_A for event in rules[name].events]
    recovery = _recovery(tuple(rules[name].state for name in RULES))
    return {name: row[name] for name in ("customer_id", *DIMENSIONS)} | {
        "recovery": recovery,
        "thing": "complaint",
        "key": row["complaint_id"],
        "figures": figures,
        "state": recovery,
        "started_at": row["raised_at"],
        "id": row["complaint_id"],
        "details": {
            "person": row["person"],
            "repurchased": bool(bought),
            "lapsed": bool(lapsed),
        },
        "events": [row["raised_by"], *deciding, *bought, *lapsed],
    }
