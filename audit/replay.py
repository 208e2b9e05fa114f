"""Tells a customer's history event by event: what happened, what it changed, how that was judged
then, and how it is judged now.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from ledger.reading import events_of_customer
from ledger.sql import named_queries
from projections.answers import Answer, answer, cut, page
from projections.complaints.fold import Step
from projections.complaints.judging import Judgement, judge
from projections.complaints.model import step_of
from projections.customers.fold import Tier
from projections.events import RecordedEvent, recorded
from projections.policies.book import RuleBook, rule_book
from projections.promises.fold import PromiseFact, fold, verdict_at
from projections.promises.model import fact_of
from projections.timeline.sentences import sentence
from schemas.codec import without_personal

_SQL = named_queries(Path(__file__).with_name("replay.sql"))
_READ_MODELS = ("timeline", "promises", "complaints", "policies", "customers")
_PEOPLE = ("employee_id", "team", "department", "owner", "role", "from_employee", "to_employee")

Key = tuple[datetime, int, str]
Standing = dict[str, str]
"""How a thing stands: `verdict`, and for a complaint the state of each rule under its name."""


class _Known(NamedTuple):
    """Until when something counts, and the facts of it that are known."""

    as_of: datetime
    facts: Sequence[Any]


def replay(
    cursor: PgCursor,
    customer_id: str,
    *,
    as_of: datetime,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Every event of the customer up to `as_of`, in the order in which they happened.

    The cursor's read models say what is known: those of `projections.answers.snapshot` everything,
    those of `projections.knowing` what was recorded by some instant. Rows: `step` (1, 2, …),
    `position`, `occurred_at`, `recorded_at`, `source`, `id`, `type`, `who` (whoever acted, as far
    as the event says), `summary` (a sentence), `data` (without personal fields), `marks` (`late`:
    events that happened after it were recorded before it; `correction`; `time_assumed`: the source
    gave no time), `overtaken_by` (how many such events), `recorded_after_seconds`, and `changes`,
    one for each promise or complaint that the event is about: `kind`, `id`, `before`, `then` and
    `now`, each the `verdict` and, for complaints, the state of every rule. `before` and `then` are
    as of the event by what had been recorded without and with it, `now` is as of `as_of`.

    Raises ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    wanted = page("replay", limit, as_of, token)
    told = answer(cursor, _READ_MODELS, wanted.as_of, [])
    ledger_events = events_of_customer(cursor, customer_id, until=told.position)
    assumed = {event.position for event in ledger_events if event.time_assumed}
    events = recorded(ledger_events)
    history = _History(cursor, customer_id, events, wanted.as_of)
    ordered = sorted((e for e in events if e.occurred_at <= wanted.as_of), key=_key)
    overtaken = _overtaken(events)
    after = wanted.after[0] if wanted.after else 0
    rows = [
        _row(step, event, overtaken[event.event_id], event.position in assumed, history)
        for step, event in enumerate(ordered[after : after + limit + 1], start=after + 1)
    ]
    shown, next_ = cut("replay", wanted, rows, ("step",))
    return Answer(told.position, wanted.as_of, told.known_at, told.metric_version, shown, next_)


def _key(event: RecordedEvent) -> Key:
    return event.occurred_at, event.rank, event.event_id


def _overtaken(events: Iterable[RecordedEvent]) -> dict[str, int]:
    """For each event, how many that come after it in order had been recorded before it."""
    seen: list[Key] = []
    found = {}
    for event in sorted(events, key=lambda event: event.position):
        key = _key(event)
        found[event.event_id] = len(seen) - bisect_left(seen, key)
        insort(seen, key)
    return found


def _row(
    step: int, event: RecordedEvent, overtaken_by: int, time_assumed: bool, history: "_History"
) -> dict[str, Any]:
    marks = {
        "late": overtaken_by > 0,
        "correction": event.type == "touchpoint.corrected.v1",
        "time_assumed": time_assumed,
    }
    return {
        "step": step,
        "position": event.position,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "who": {name: event.data[name] for name in _PEOPLE if event.data.get(name)},
        "summary": sentence(event.type, event.data),
        "data": without_personal(event.type, event.data),
        "marks": [name for name, is_so in marks.items() if is_so],
        "overtaken_by": overtaken_by,
        "recorded_after_seconds": (event.recorded_at - event.occurred_at).total_seconds(),
        "changes": list(history.changes(event)),
    }


class _History:
    """The facts of a customer's promises and complaints, and the rules that they are judged by."""

    def __init__(
        self,
        cursor: PgCursor,
        customer_id: str,
        events: Sequence[RecordedEvent],
        as_of: datetime,
    ) -> None:
        self._cursor = cursor
        self._as_of = as_of
        self._facts: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        """Of each promise and complaint its facts, behind their positions."""
        for event in events:
            if (kind := _kind(event)) is not None:
                fact = fact_of(event) if kind == "promise" else step_of(event)
                self._facts[event.originator_id].append((event.position, fact))
        self._since = min((event.occurred_at for event in events), default=as_of)
        cursor.execute(_SQL["tiers"], {"customer_id": customer_id})
        self._tiers = [Tier._make(row) for row in cursor]
        cursor.execute(_SQL["published"])
        self._published = sorted(published_at for (published_at,) in cursor)
        self._books: dict[int, RuleBook] = {}

    def changes(self, event: RecordedEvent) -> Iterator[dict[str, Any]]:
        """What the event changed in the promise or complaint that it is about."""
        kind = _kind(event)
        if kind is None:
            return
        facts = self._facts[event.originator_id]
        earlier = [fact for position, fact in facts if position < event.position]
        then = [fact for position, fact in facts if position <= event.position]
        yield {
            "kind": kind,
            "id": event.data[f"{kind}_id"],
            "before": self._standing(kind, _Known(event.occurred_at, earlier)),
            "then": self._standing(kind, _Known(event.occurred_at, then)),
            "now": self._standing(kind, _Known(self._as_of, [fact for _, fact in facts])),
        }

    def _standing(self, kind: str, known: _Known) -> Standing | None:
        """How the thing stood; None if nothing was known of it."""
        return self._promise(known) if kind == "promise" else self._complaint(known)

    def _promise(self, known: _Known) -> Standing | None:
        facts: Sequence[PromiseFact] = known.facts
        verdict = verdict_at(fold(facts), known.as_of)
        return None if verdict is None else {"verdict": verdict}

    def _complaint(self, known: _Known) -> Standing | None:
        steps: Sequence[Step] = known.facts
        judged: Judgement | None = judge(
            steps, self._book(known.as_of), tier=self._tier(steps), as_of=known.as_of
        )
        if judged is None:
            return None
        return {"verdict": judged.verdict} | {
            name: ruling.state for name, ruling in judged.rules.items()
        }

    def _tier(self, steps: Iterable[Step]) -> str | None:
        raised = next((s.occurred_at for s in steps if s.type == "complaint.raised.v1"), None)
        if raised is None:
            return None
        held = (t.tier for t in self._tiers if t.valid_from <= raised < t.valid_to)
        return next(held, None)

    def _book(self, as_of: datetime) -> RuleBook:
        """The rules published by an instant; read once for each state of the book."""
        published = sum(at <= as_of for at in self._published)
        if published not in self._books:
            until = max(as_of, self._as_of)
            book = rule_book(self._cursor, since=self._since, as_of=as_of, until=until)
            self._books[published] = book
        return self._books[published]


def _kind(event: RecordedEvent) -> str | None:
    """`promise` or `complaint`, if the event is about one."""
    kind = event.type.partition(".")[0]
    return kind if kind in ("promise", "complaint") else None
