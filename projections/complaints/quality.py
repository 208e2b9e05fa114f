"""Answers how well complaints were recovered from, by group."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections import grouping
from projections.answers import Answer, answer, fetch, window
from projections.complaints.case import NOT_APPLICABLE, SATISFIED, VIOLATED
from projections.complaints.judging import RULES
from projections.complaints.reading import READ_MODELS, Judged, further_complaints, judged
from projections.complaints.standing import Standing, standings
from projections.complaints.verifying import verified_state
from projections.explaining import Behind, explain, told, worked_out
from projections.grouping import Dimensions
from projections.waits import fetch_waits

_SQL = named_queries(Path(__file__).with_name("quality.sql"))

FOUR = ("acknowledge", "apologize", "amend", "anticipate")
"""The steps of recovery, of which each group says how long they took."""

_DIMENSIONS: Dimensions = {
    "channel": ("channel", "channel"),
    "topic": ("topic", "topic"),
    "team": ("team", "team"),
    "department": ("department", "department"),
    "severity": ("severity", "severity"),
    "tier": ("tier", "tier"),
    "root_cause": ("root_cause", "root_cause"),
    "origin": ("origin", "origin"),
    "month": ("month", "to_char(raised_at AT TIME ZONE 'UTC', 'YYYY-MM')"),
}
DIMENSIONS = tuple(_DIMENSIONS)
"""By what complaints can be grouped, one or several at once."""

Group = tuple[str | None, ...]


def complaint_quality(
    cursor: PgCursor,
    *,
    as_of: datetime,
    by: Sequence[str] = ("channel",),
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """How complaints raised in [from_, to) were recovered from by `as_of`, by group.

    `by` is one or more of DIMENSIONS: as raised, `tier` the customer's at that time, `root_cause`
    and `origin` of the first prevention planned, `month` that of the raising. Rows, ordered by
    group: a column for each of `by`, `complaints`, how many of them are `conforming`, `deviating`,
    `open`, `share_conforming` (of those that are either), `fitness` (satisfied rules of those
    satisfied or violated, over all of them), `violations` (rule → how many complaints violate it,
    the most frequent first), `preventions` (complaints for which one was planned), of these
    `verified` and `recurred` (it has worked, or has not; the others are too young to say), and
    counting those that still wait, for each of FOUR `…_km_median_seconds` from the raising with its
    95 % interval `…_low` and `…_high` (null: it cannot be said).

    Raises UnknownDimension.
    """
    grouping.check(by, _DIMENSIONS)
    names = grouping.columns(by, _DIMENSIONS)
    asked = {"as_of": as_of, **window(from_, to)}
    listed, times = _statements(tuple(by))
    rows = fetch(cursor, listed, asked)
    tallies: dict[Group, _Tally] = defaultdict(_Tally)
    standing = standings(cursor, rows, as_of=as_of)
    worked = _preventions(cursor, rows, standing, as_of)
    for row, each, prevention in zip(rows, standing, worked, strict=True):
        tallies[tuple([row[name] for name in names])].add(each, prevention)
    waits = fetch_waits(cursor, times, asked, of=[f"{step}_" for step in FOUR], percentiles={})
    medians = {tuple(row[name] for name in names): row for row in waits}
    summed = [
        dict(zip(names, group, strict=True)) | tallies[group].figures() | medians[group]
        for group in sorted(tallies, key=_nulls_last)
    ]
    return answer(cursor, READ_MODELS, as_of, summed)


def _preventions(
    cursor: PgCursor,
    rows: Sequence[Mapping[str, Any]],
    standing: Sequence[Standing],
    as_of: datetime,
) -> Iterator[str]:
    """How it stands with the prevention of each complaint."""
    complaints = [row["complaint_id"] for row in rows]
    planned = [id_ for id_, each in zip(complaints, standing, strict=True) if each.plans]
    since = min((row["raised_at"] for row in rows), default=as_of)
    further = further_complaints(cursor, planned, since, as_of)
    for complaint_id, each in zip(complaints, standing, strict=True):
        yield verified_state(complaint_id, each.plans, further, as_of=as_of)


def _nulls_last(group: Group) -> list[tuple[bool, str]]:
    return [(name is None, name or "") for name in group]


class _Tally:
    """What the complaints of one group add up to."""

    def __init__(self) -> None:
        self._alike: Counter[tuple[str, tuple[str, ...], str]] = Counter()

    def add(self, each: Standing, prevention: str) -> None:
        self._alike[each.verdict, each.states, prevention] += 1

    def figures(self) -> dict[str, Any]:
        """The columns that count complaints."""
        verdicts: Counter[str] = Counter()
        preventions: Counter[str] = Counter()
        rules: Counter[tuple[str, str]] = Counter()
        for (verdict, states, prevention), n in self._alike.items():
            verdicts[verdict] += n
            preventions[prevention] += n
            for rule in zip(RULES, states, strict=True):
                rules[rule] += n
        complaints, conforming, deviating = (
            verdicts.total(),
            verdicts["conforming"],
            verdicts["deviating"],
        )
        satisfied = sum(rules[name, SATISFIED] for name in RULES)
        violations = {name: rules[name, VIOLATED] for name in RULES if rules[name, VIOLATED]}
        often = sorted(violations, key=lambda name: -violations[name])
        return {
            "complaints": complaints,
            "conforming": conforming,
            "deviating": deviating,
            "open": verdicts["open"],
            "share_conforming": _share(conforming, conforming + deviating),
            "fitness": _share(satisfied, satisfied + sum(violations.values())),
            "violations": {name: violations[name] for name in often},
            "preventions": complaints - preventions[NOT_APPLICABLE],
            "verified": preventions[SATISFIED],
            "recurred": preventions[VIOLATED],
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@cache
def _statements(by: tuple[str, ...]) -> tuple[str, str]:
    """The complaints with their groups, and the times of the four by group."""
    complaints = (
        _SQL["complaints"]
        .replace("{grouped_by}", "")
        .replace("{held}", _SQL["held"] if "tier" in by else "")
        .replace("{planned}", _SQL["planned"] if {"root_cause", "origin"} & set(by) else "")
    )
    waits = _SQL["waits"].replace("{identified}", "")
    listed = _SQL["listed"].replace("{grouped_by}", "")
    times = _SQL["times"].replace("{waits}", waits)
    return (
        grouping.filled(listed.replace("{complaints}", complaints), by, _DIMENSIONS),
        grouping.filled(times.replace("{complaints}", complaints), by, _DIMENSIONS),
    )


GROUPS = tuple(grouping.columns(DIMENSIONS, _DIMENSIONS))
"""The columns that name a group of complaints."""

_GROUPED_BY = ", tiered_by, planned_by"
_IDENTIFIED = ", complaint_id, customer_id, raised_at, raised_by, at, types"
_ALL_COMPLAINTS = (
    _SQL["complaints"].replace("{held}", _SQL["held"]).replace("{planned}", _SQL["planned"])
)
_BEHIND_LISTED, _BEHIND = (
    grouping.filled(
        _SQL[name]
        .replace("{complaints}", _ALL_COMPLAINTS)
        .replace("{waits}", _SQL["waits"].replace("{identified}", _IDENTIFIED))
        .replace("{worked_out}", worked_out(GROUPS))
        .replace("{grouped_by}", _GROUPED_BY),
        DIMENSIONS,
        _DIMENSIONS,
    )
    for name in ("listed", "behind")
)


def behind_complaint_quality(cursor: PgCursor, wanted: Behind) -> Answer:
    """The complaints behind rows of `complaint_quality`, and for each of FOUR the time that it
    took, as `projections.explaining.explain` lists them.
    """
    rows = [
        row
        for row in fetch(cursor, _BEHIND_LISTED, wanted.parameters())
        if all(row[name] == value for name, value in wanted.group.items())
    ]
    verdicts = judged(cursor, rows, as_of=wanted.page.as_of)
    things = (_thing(row, each) for row, each in zip(rows, verdicts, strict=True))
    return explain(
        cursor,
        _BEHIND,
        wanted,
        READ_MODELS,
        groups=GROUPS,
        parameters={"worked_out": told(things)},
    )


def _thing(row: Mapping[str, Any], each: Judged) -> dict[str, Any]:
    """A complaint with the figures that it counts in."""
    rulings = each.judgement.rules
    states = {name: ruling.state for name, ruling in rulings.items()}
    verdict, worked = each.judgement.verdict, each.verified.state
    counted = {
        "complaints": True,
        verdict: True,
        "share_conforming": verdict != "open",
        "fitness": each.judgement.fitness is not None,
        "violations": VIOLATED in states.values(),
        "preventions": worked != NOT_APPLICABLE,
        "verified": worked == SATISFIED,
        "recurred": worked == VIOLATED,
    }
    deciding = [event for ruling in (*rulings.values(), each.verified) for event in ruling.events]
    return {name: row[name] for name in ("customer_id", *GROUPS)} | {
        "thing": "complaint",
        "key": row["complaint_id"],
        "figures": [name for name, counts in counted.items() if counts],
        "state": verdict,
        "started_at": row["raised_at"],
        "id": row["complaint_id"],
        "details": {"rules": states, "verified": worked},
        "events": [row["raised_by"], row["tiered_by"], row["planned_by"], *deciding],
    }
