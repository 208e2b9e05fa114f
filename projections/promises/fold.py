"""What was said about a promise in, its verdict out. Pure, and blind to the order of its input.

Definitions: docs/reference/metrics.md. A row holds from `visible_from` until `visible_to`; a new
one begins only where what is said changes otherwise than by time passing: a due time moved, or a
settlement undone by a better one. That way the verdict as of any instant is one comparison.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, cast

from projections.events import END

MADE = "promise.made.v1"
REVISED = "promise.revised.v1"
KEPT = "promise.kept.v1"
BROKEN = "promise.broken.v1"
WITHDRAWN = "promise.withdrawn.v1"

SIDES = ("industry_standard", "competitor", "customer_need", "internal_resources")
"""What a promise is to be weighed against before it is made."""


class PromiseFact(NamedTuple):
    """A row of table `promise_facts`: one event about a promise."""

    event_id: str
    promise_id: str
    customer_id: str
    type: str
    occurred_at: datetime
    rank: int
    due_at: datetime | None
    customer_consented: bool | None
    channel: str | None
    topic: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    aspect: str | None
    claim_key: str | None
    promised_value: str | None
    observed_value: str | None
    complaint_id: str | None
    industry_standard: str | None
    competitor: str | None
    customer_need: str | None
    internal_resources: str | None
    differentiator: str | None


class Promise(NamedTuple):
    """A row of table `promises`."""

    promise_id: str
    visible_from: datetime
    visible_to: datetime
    customer_id: str
    channel: str
    made_at: datetime
    made_by: str
    due_at: datetime
    due_by: str
    settled_at: datetime | None
    settled_by: str | None
    verdict: str | None
    topic: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    aspect: str | None
    claim_key: str | None
    promised_value: str | None
    observed_value: str | None
    complaint_id: str | None
    industry_standard: str | None
    competitor: str | None
    customer_need: str | None
    internal_resources: str | None
    differentiator: str | None


def fold(facts: Iterable[PromiseFact]) -> list[Promise]:
    """The rows of one promise; none while only later events of it are known."""
    rows: list[Promise] = []
    for fact, changed in _story(facts):
        if not rows:
            rows = [changed]
            continue
        # A promise that nothing settled yet reads "open until settled_at" by itself: no new row for
        # that.
        held = rows[-1]
        if held.verdict is None and changed.due_at == held.due_at:
            rows[-1] = changed._replace(visible_from=held.visible_from)
        else:
            at = max(fact.occurred_at, held.made_at)
            rows[-1] = held._replace(visible_to=at)
            rows.append(changed._replace(visible_from=at))
    return [row for row in rows if row.visible_from < row.visible_to]


def verdict_at(rows: Iterable[Promise], as_of: datetime) -> str | None:
    """The verdict of one promise as of an instant, as `judged` of queries.sql says it; None before
    it was made.
    """
    for row in rows:
        if row.visible_from <= as_of < row.visible_to:
            if row.settled_at is not None and row.settled_at <= as_of:
                return row.verdict
            return "overdue" if row.due_at < as_of else "pending"
    return None


def counting(facts: Iterable[PromiseFact]) -> set[str]:
    """The ids of the facts that made the promise, moved its due time or settled it.

    Every other fact is on record and changes nothing: a due time moved without consent or too late,
    kept a second time, withdrawn when it was overdue.
    """
    return {fact.event_id for fact, _ in _story(facts)}


def _story(facts: Iterable[PromiseFact]) -> Iterator[tuple[PromiseFact, Promise]]:
    """The facts that count, in order, each with what the promise is after it."""
    ordered = sorted(facts, key=canonical)
    made = next((fact for fact in ordered if fact.type == MADE), None)
    if made is None:
        return
    held = _as_made(made)
    yield made, held
    for fact in ordered:
        changed = _told(held, fact)
        if changed is not None:
            yield fact, changed
            held = changed


def canonical(fact: PromiseFact) -> tuple[datetime, int, str]:
    """Facts in order: by time, causes first, then by event id."""
    return fact.occurred_at, fact.rank, fact.event_id


def _as_made(made: PromiseFact) -> Promise:
    return Promise(
        made.promise_id,
        made.occurred_at,
        END,
        made.customer_id,
        cast(str, made.channel),
        made.occurred_at,
        made.event_id,
        cast(datetime, made.due_at),
        made.event_id,
        None,
        None,
        None,
        made.topic,
        made.team,
        made.department,
        made.employee_id,
        made.aspect,
        made.claim_key,
        made.promised_value,
        None,
        made.complaint_id,
        made.industry_standard,
        made.competitor,
        made.customer_need,
        made.internal_resources,
        made.differentiator,
    )


def _told(held: Promise, fact: PromiseFact) -> Promise | None:
    """The promise after a fact, or None if the fact changes nothing that is judged.

    Done in time counts whenever it is heard of; otherwise the first settlement stands. Consent
    moves the due time, and taking the promise back ends it, only while it is not yet past due.
    Of a promise that was kept in time or withdrawn nothing is left to move.
    """
    in_time = fact.occurred_at <= held.due_at
    if fact.type == REVISED:
        movable = held.verdict not in ("kept", "withdrawn") and fact.occurred_at < held.due_at
        if fact.due_at is None or not (fact.customer_consented and movable):
            return None
        return held._replace(due_at=fact.due_at, due_by=fact.event_id)
    if fact.type == KEPT and in_time:
        return None if held.verdict == "kept" else _settled(held, fact, "kept")
    if held.verdict is not None:
        return None
    if fact.type == KEPT:
        return _settled(held, fact, "kept_late")
    if fact.type == BROKEN:
        return _settled(held, fact, "broken")
    if fact.type == WITHDRAWN and in_time:
        return _settled(held, fact, "withdrawn")
    return None


def _settled(held: Promise, fact: PromiseFact, verdict: str) -> Promise:
    return held._replace(
        verdict=verdict,
        settled_at=fact.occurred_at,
        settled_by=fact.event_id,
        observed_value=fact.observed_value,
    )
