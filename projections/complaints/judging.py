"""Judges one complaint by the rules of the 4A, as of an instant. Pure.

Definitions: docs/reference/metrics.md, "Complaints". What must be done is `pending` until it is
done, or until its deadline (without one: the closing) has passed without it. What must not be done
is `violated` once it is, and else `pending` until the complaint is closed. So a state changes with
time alone exactly where a deadline passes.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from projections.complaints.fold import CLOSED, RAISED, REOPENED, Step, canonical
from projections.policies.book import RuleBook
from projections.policies.rules import AuthorityLimit, ServiceLevel

SATISFIED, VIOLATED, PENDING = "satisfied", "violated", "pending"
NOT_APPLICABLE = "not_applicable"

ANTICIPATED_WITHIN = timedelta(days=30)
"""How long after closing a prevention may still be planned."""

_UPHELD = {"upheld", "partly_upheld"}


class Ruling(NamedTuple):
    """How one rule stands, and the ids of the events that decide it, policies among them."""

    state: str
    events: tuple[str, ...] = ()


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
    ordered = sorted((step for step in steps if step.occurred_at <= as_of), key=canonical)
    raised = next((step for step in ordered if step.type == RAISED), None)
    if raised is None:
        return None
    case = _Case(raised, ordered, book, tier, as_of)
    rules = {name: rule(case) for name, rule in _RULES.items()}
    states = [ruling.state for ruling in rules.values()]
    satisfied, violated = states.count(SATISFIED), states.count(VIOLATED)
    verdict = "deviating" if violated else "open" if PENDING in states else "conforming"
    fitness = satisfied / (satisfied + violated) if satisfied + violated else None
    return Judgement(verdict, fitness, rules)


class _Case:
    """What had happened in one complaint by an instant."""

    def __init__(
        self,
        raised: Step,
        steps: Sequence[Step],
        book: RuleBook,
        tier: str | None,
        as_of: datetime,
    ) -> None:
        self.raised = raised
        self.steps = steps
        self.book = book
        self.tier = tier
        self.as_of = as_of
        self.closing = _closing(steps)
        self.decisions = self.all("decided")
        self.acknowledged = next(
            (step for step in self.all("acknowledged") if step.data["handled_by"] == "human"), None
        )
        self.upheld, self.upheld_by = self._upheld()

    def all(self, name: str) -> list[Step]:
        """Its steps of one type, in order."""
        return [step for step in self.steps if step.type == f"complaint.{name}.v1"]

    def first(self, *names: str) -> Step | None:
        """The first of its steps that is of one of these types."""
        types = {f"complaint.{name}.v1" for name in names}
        return next((step for step in self.steps if step.type in types), None)

    def level(self, metric: str) -> ServiceLevel | None:
        """The service level in force for it when it was raised; None if it sets no deadline."""
        raised = self.raised
        level = self.book.levels.level(
            metric,
            raised.occurred_at,
            channel=raised.channel,
            topic=raised.topic,
            tier=self.tier,
            severity=raised.severity,
        )
        if level and self.book.elapsed_seconds(level, raised.occurred_at, self.as_of) is None:
            return None
        return level

    def late(self, level: ServiceLevel | None, at: datetime, since: Step | None = None) -> bool:
        """Whether the target, counted from the raising or another step, was over at an instant."""
        if level is None:
            return False
        start = (since or self.raised).occurred_at
        elapsed = self.book.elapsed_seconds(level, start, at)
        return elapsed is not None and elapsed > level.target_seconds

    def missing(self, level: ServiceLevel | None) -> Ruling:
        """How a rule stands whose step has not been taken."""
        if level is not None:
            if self.late(level, self.as_of):
                return Ruling(VIOLATED, _ids(self.raised, level))
        elif self.closing is not None:
            return Ruling(VIOLATED, _ids(self.closing))
        return Ruling(PENDING)

    def unbroken(self, *by: Step | AuthorityLimit) -> Ruling:
        """How a rule stands that forbids something, while nothing has broken it."""
        if self.closing is None:
            return Ruling(PENDING)
        return Ruling(SATISFIED, _ids(*by)) if by else Ruling(NOT_APPLICABLE)

    def _upheld(self) -> tuple[bool | None, Step | None]:
        """Whether it was upheld, and by which step; None while nothing was decided."""
        if self.closing is not None and self.closing.outcome != "withdrawn":
            return self.closing.outcome in _UPHELD, self.closing
        if self.decisions:
            return self.decisions[-1].data["decision"] in _UPHELD, self.decisions[-1]
        return (None, None) if self.closing is None else (False, self.closing)


def _closing(steps: Iterable[Step]) -> Step | None:
    """The closing that stands after these steps; None if the complaint is open."""
    standing = None
    for step in steps:
        if step.type == CLOSED:
            standing = standing or step
        elif step.type == REOPENED:
            standing = None
    return standing


def _ids(*events: Step | ServiceLevel | AuthorityLimit | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.event_id for event in events if event is not None))


def _acknowledged(case: _Case) -> Ruling:
    level, done = case.level("acknowledge"), case.acknowledged
    if done is None:
        return case.missing(level)
    if case.late(level, done.occurred_at):
        return Ruling(VIOLATED, _ids(done, level))
    return Ruling(SATISFIED, _ids(done, level))


def _apologized(case: _Case) -> Ruling:
    apologies = case.all("apologized")
    admitted = next((step for step in apologies if step.data["admits_fault"]), None)
    if case.raised.data.get("fault_found"):
        needed_by: Step | None = case.raised
    else:
        needed_by = admitted or (case.upheld_by if case.upheld else None)
    if needed_by is None:
        return Ruling(PENDING) if case.upheld is None else _not_applicable(case.upheld_by)
    level = case.level("apologize")
    if not apologies:
        return case.missing(level)
    first, acknowledged = apologies[0], case.acknowledged
    if acknowledged is None or canonical(first) < canonical(acknowledged):
        return Ruling(VIOLATED, _ids(first, acknowledged))
    state = VIOLATED if case.late(level, first.occurred_at) else SATISFIED
    return Ruling(state, _ids(first, needed_by, level))


def _not_applicable(*by: Step | None) -> Ruling:
    return Ruling(NOT_APPLICABLE, _ids(*by))


def _amends_consented(case: _Case) -> Ruling:
    consented, without = [], []
    for delivered in case.all("amends_delivered"):
        answer = _answer(case, delivered.data["amends_id"], before=delivered)
        if answer is None or not answer.data["accepted"]:
            without.append(delivered)
        else:
            consented += [answer, delivered]
    return Ruling(VIOLATED, _ids(*without)) if without else case.unbroken(*consented)


def _answer(case: _Case, amends_id: str, before: Step | None = None) -> Step | None:
    """The customer's last answer to an offer, if any (before a step)."""
    answers = [
        step
        for step in case.all("amends_answered")
        if step.data["amends_id"] == amends_id
        and (before is None or canonical(step) < canonical(before))
    ]
    return answers[-1] if answers else None


def _amends_authorized(case: _Case) -> Ruling:
    within: list[Step | AuthorityLimit] = []
    beyond: list[Step | AuthorityLimit] = []
    escalated = case.first("escalated")
    for offer in case.all("amends_offered"):
        role, value = offer.data.get("role"), offer.data.get("value")
        if role is None or value is None:
            continue
        limit = case.book.limit(role, offer.occurred_at)
        if limit is None or offer.data.get("currency", limit.currency) != limit.currency:
            continue
        if Decimal(value) <= limit.max_value:
            within += [offer, limit]
        elif escalated is not None and canonical(escalated) < canonical(offer):
            within += [escalated, offer, limit]
        else:
            beyond += [offer, limit]
    return Ruling(VIOLATED, _ids(*beyond)) if beyond else case.unbroken(*within)


def _amends_delivered(case: _Case) -> Ruling:
    delivered = {step.data["amends_id"]: step for step in reversed(case.all("amends_delivered"))}
    offers = dict.fromkeys(step.data["amends_id"] for step in case.all("amends_answered"))
    answers = [answer for offer in offers if (answer := _answer(case, offer))]
    accepted = [answer for answer in answers if answer.data["accepted"]]
    missing = [answer for answer in accepted if answer.data["amends_id"] not in delivered]
    if missing:
        if case.closing is None:
            return Ruling(PENDING)
        return Ruling(VIOLATED, _ids(*missing, case.closing))
    if not accepted:
        return case.unbroken()
    done = [delivered[answer.data["amends_id"]] for answer in accepted]
    return Ruling(SATISFIED, _ids(*accepted, *done))


def _anticipated(case: _Case) -> Ruling:
    if case.upheld is None:
        return Ruling(PENDING)
    if not case.upheld:
        return _not_applicable(case.upheld_by)
    planned, closing = case.first("prevention_planned"), case.closing
    at = planned.occurred_at if planned else case.as_of
    level = case.level("anticipate")
    if closing is not None and (
        at > closing.occurred_at + ANTICIPATED_WITHIN or case.late(level, at, since=closing)
    ):
        return Ruling(VIOLATED, _ids(planned, closing, level))
    return Ruling(SATISFIED, _ids(planned, level)) if planned else Ruling(PENDING)


def _order(case: _Case) -> Ruling:
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
            return Ruling(VIOLATED, _ids(step, *earlier))
    return case.unbroken(*(taken if len(taken) > 1 else ()))


def _one_stop(case: _Case) -> Ruling:
    handed_over = [step for step in case.all("handed_over") if step.data["customer_visible"]]
    broken_by = sorted([*handed_over, *case.all("restated")], key=canonical)
    if broken_by:
        return Ruling(VIOLATED, _ids(*broken_by))
    return case.unbroken(*([case.closing] if case.closing else ()))


def _explained(case: _Case) -> Ruling:
    level = case.level("resolution")
    if level is None:
        return Ruling(NOT_APPLICABLE)
    in_time = [step for step in case.steps if not case.late(level, step.occurred_at)]
    closed = _closing(in_time)
    if closed is not None:
        return _not_applicable(closed)
    if not case.late(level, case.as_of):
        return Ruling(PENDING)
    explained = next((step for step in in_time if step.type == "complaint.explained.v1"), None)
    if explained is None:
        return Ruling(VIOLATED, _ids(case.raised, level))
    return Ruling(SATISFIED, _ids(explained, level))


def _decision_communicated(case: _Case) -> Ruling:
    closing = case.closing
    if closing is None:
        return Ruling(PENDING)
    before = [step for step in case.decisions if canonical(step) < canonical(closing)]
    told = next((step for step in before if step.data["communicated"]), None)
    if told is not None:
        return Ruling(SATISFIED, _ids(told, closing))
    if closing.outcome == "withdrawn" and not before:
        return _not_applicable(closing)
    return Ruling(VIOLATED, _ids(*before, closing))


_RULES: dict[str, Callable[[_Case], Ruling]] = {
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
