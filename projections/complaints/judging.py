"""Judges one complaint by the rules of the 4A, as of an instant. Pure.

Definitions: docs/reference/metrics.md, "Complaints". What must be done is `pending` until it is
done, or until its deadline (without one: the closing) has passed without it. What must not be done
is `violated` once it is, and else `pending` until the complaint is closed. So a state changes with
time alone exactly where a deadline passes.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from projections.complaints.case import (
    NOT_APPLICABLE,
    PENDING,
    SATISFIED,
    VIOLATED,
    Case,
    Ruling,
    case_of,
    closings_of,
    ids,
)
from projections.complaints.fold import Step, canonical
from projections.policies.book import RuleBook
from projections.policies.rules import AuthorityLimit

ANTICIPATED_WITHIN = timedelta(days=30)
"""How long after closing a prevention may still be planned."""


class Judgement(NamedTuple):
    """`verdict` is conforming, deviating or open; `fitness` from 0 to 1, None if nothing is decided
    yet.
    """

    verdict: str
    fitness: float | None
    rules: dict[str, Ruling]


def judge(
    steps: Iterable[Step], book: RuleBook, *, tier: str | None, as_of: datetime
) -> Judgement | None:
    """The judgement of one complaint by what had happened by `as_of`; None before it was raised.

    `steps` are in any order; `tier` is the customer's when the complaint was raised.
    """
    case = case_of(steps, book, tier=tier, as_of=as_of)
    return None if case is None else judgement(case)


def judgement(case: Case) -> Judgement:
    """The judgement of a case."""
    rules = {name: rule(case) for name, rule in _RULES.items()}
    states = [ruling.state for ruling in rules.values()]
    satisfied, violated = states.count(SATISFIED), states.count(VIOLATED)
    verdict = "deviating" if violated else "open" if PENDING in states else "conforming"
    fitness = satisfied / (satisfied + violated) if satisfied + violated else None
    return Judgement(verdict, fitness, rules)


def turns(case: Case) -> Iterator[datetime]:
    """The deadlines after which a rule may stand otherwise though nothing has happened.

    Between two of them the case is judged alike, as long as no other steps, policies or tier are
    known of it.
    """
    deadlines = [(metric, case.raised) for metric in ("acknowledge", "apologize", "resolution")]
    if case.closing is not None:
        yield case.closing.occurred_at + ANTICIPATED_WITHIN
        deadlines.append(("anticipate", case.closing))
    for metric, since in deadlines:
        level = case.level(metric)
        # What is due beyond the hours worked out for the book is not over at any as-of in them.
        due_at = level and case.book.due_at(level, since.occurred_at)
        if due_at:
            yield due_at


def _acknowledged(case: Case) -> Ruling:
    return case.required(case.acknowledged, case.level("acknowledge"))


def _apologized(case: Case) -> Ruling:
    apologies, needed_by = case.all("apologized"), case.apology_needed_by()
    if needed_by is None:
        return Ruling(PENDING) if case.upheld is None else not_applicable(case.upheld_by)
    level = case.level("apologize")
    first, acknowledged = next(iter(apologies), None), case.acknowledged
    if first and (acknowledged is None or canonical(first) < canonical(acknowledged)):
        return Ruling(VIOLATED, ids(first, acknowledged))
    return case.required(first, level, needed_by)


def not_applicable(*by: Step | None) -> Ruling:
    return Ruling(NOT_APPLICABLE, ids(*by))


def _amends_consented(case: Case) -> Ruling:
    consented, without = [], []
    for delivered in case.all("amends_delivered"):
        answer = _answer(case, delivered.data["amends_id"], before=delivered)
        if answer is None or not answer.data["accepted"]:
            without.append(delivered)
        else:
            consented += [answer, delivered]
    return Ruling(VIOLATED, ids(*without)) if without else case.unbroken(*consented)


def _answer(case: Case, amends_id: str, before: Step | None = None) -> Step | None:
    """The customer's last answer to an offer, if any (before a step)."""
    answers = [
        step
        for step in case.all("amends_answered")
        if step.data["amends_id"] == amends_id
        and (before is None or canonical(step) < canonical(before))
    ]
    return answers[-1] if answers else None


def _amends_authorized(case: Case) -> Ruling:
    within: list[Step | AuthorityLimit | None] = []
    beyond: list[Step | AuthorityLimit | None] = []
    unknown: list[Step] = []
    escalated = case.first("escalated")
    for offer in case.all("amends_offered"):
        limit, value = _limit(case, offer), offer.data.get("value")
        if limit is not None and value is not None and Decimal(value) <= limit.max_value:
            within += [offer, limit]
        elif escalated is not None and canonical(escalated) < canonical(offer):
            within += [escalated, offer, limit]
        elif limit is None or value is None:
            unknown.append(offer)
        else:
            beyond += [offer, limit]
    if beyond:
        return Ruling(VIOLATED, ids(*beyond))
    # Of an offer that nobody can compare with a limit nobody can say that it was within.
    if unknown and case.closing is not None:
        return not_applicable(*unknown)
    return case.unbroken(*within)


def _limit(case: Case, offer: Step) -> AuthorityLimit | None:
    """The limit in force for whoever made an offer, in its currency; None if nobody can say."""
    role, currency = offer.data.get("role"), offer.data.get("currency")
    if role is None or currency is None:
        return None
    return case.book.limit(role, currency, offer.occurred_at)


def _amends_delivered(case: Case) -> Ruling:
    delivered = {step.data["amends_id"]: step for step in reversed(case.all("amends_delivered"))}
    offers = dict.fromkeys(step.data["amends_id"] for step in case.all("amends_answered"))
    answers = [answer for offer in offers if (answer := _answer(case, offer))]
    accepted = [answer for answer in answers if answer.data["accepted"]]
    missing = [answer for answer in accepted if answer.data["amends_id"] not in delivered]
    if missing:
        if case.closing is None:
            return Ruling(PENDING)
        return Ruling(VIOLATED, ids(*missing, case.closing))
    if not accepted:
        return case.unbroken()
    done = [delivered[answer.data["amends_id"]] for answer in accepted]
    return Ruling(SATISFIED, ids(*accepted, *done))


def _anticipated(case: Case) -> Ruling:
    if case.upheld is None:
        return Ruling(PENDING)
    if not case.upheld:
        return not_applicable(case.upheld_by)
    planned, closing = case.first("prevention_planned"), case.closing
    at = planned.occurred_at if planned else case.as_of
    level = case.level("anticipate")
    if closing is not None and (
        at > closing.occurred_at + ANTICIPATED_WITHIN or case.late(level, at, since=closing)
    ):
        return Ruling(VIOLATED, ids(planned, closing, level))
    return Ruling(SATISFIED, ids(planned, level)) if planned else Ruling(PENDING)


def _order(case: Case) -> Ruling:
    firsts = (
        case.acknowledged,
        case.first("apologized"),
        case.first("amends_offered", "amends_delivered"),
        case.first("prevention_planned"),
    )
    taken = [step for step in firsts if step is not None]
    for number, step in enumerate(taken[1:], start=1):
        earlier = [other for other in taken[:number] if canonical(other) > canonical(step)]
        if earlier:
            return Ruling(VIOLATED, ids(step, *earlier))
    return case.unbroken(*(taken if len(taken) > 1 else ()))


def _one_stop(case: Case) -> Ruling:
    handed_over = [step for step in case.all("handed_over") if step.data["customer_visible"]]
    broken_by = sorted([*handed_over, *case.all("restated")], key=canonical)
    if broken_by:
        return Ruling(VIOLATED, ids(*broken_by))
    return case.unbroken(*([case.closing] if case.closing else ()))


def _explained(case: Case) -> Ruling:
    level = case.level("resolution")
    if level is None:
        return Ruling(NOT_APPLICABLE)
    in_time = case.in_time(level)
    closed = closings_of(in_time).standing
    if closed is not None:
        return not_applicable(closed)
    if not case.late(level, case.as_of):
        return Ruling(PENDING)
    explained = next((step for step in in_time if step.type == "complaint.explained.v1"), None)
    if explained is None:
        return Ruling(VIOLATED, ids(case.raised, level))
    return Ruling(SATISFIED, ids(explained, level))


def _decision_communicated(case: Case) -> Ruling:
    """Judged at each closing in turn: what was missing at one stays missing after a reopening."""
    told = [_communicated(case, closing) for closing in case.closings]
    for each in told:
        if each.state == VIOLATED:
            return each
    return told[-1] if case.closing is not None else Ruling(PENDING)


def _communicated(case: Case, closing: Step) -> Ruling:
    before = [step for step in case.decisions if canonical(step) < canonical(closing)]
    told = next((step for step in before if step.data["communicated"]), None)
    if told is not None:
        return Ruling(SATISFIED, ids(told, closing))
    if closing.outcome == "withdrawn" and not before:
        return not_applicable(closing)
    return Ruling(VIOLATED, ids(*before, closing))


_RULES: dict[str, Callable[[Case], Ruling]] = {
    "acknowledged": _acknowledged,
    "apologized": _apologized,
    "amends_consented": _amends_consented,
    "amends_authorized": _amends_authorized,
    "amends_delivered": _amends_delivered,
    "anticipated": _anticipated,
    "order": _order,
    "one_stop": _one_stop,
    "explained": _explained,
    "decision_communicated": _decision_communicated,
}
RULES = tuple(_RULES)
"""The rules of the 4A, in the order in which they are told."""
