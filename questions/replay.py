"""The question what happened with a customer, step by step, and how it was judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from audit.replay import replay
from questions.parameters import AsOf, Paging
from questions.question import Question, RowModel, asked_for_all
from questions.tables import column, in_columns, instant, number, words


class ReplayParameters(AsOf, Paging):
    """Parameters of a replay."""


class Change(RowModel):
    """What an event changed in the promise or complaint that it is about."""

    kind: Literal["promise", "complaint"]
    id: str
    before: dict[str, str] | None = Field(
        description="As of the event, without it: `verdict`, and for a complaint every rule's state"
    )
    then: dict[str, str] | None = Field(
        description="The same with it, by what had been recorded when it was"
    )
    now: dict[str, str] | None = Field(description="As of `as_of`, by everything that is known")


class ReplayRow(RowModel):
    """One event of a customer, and what it changed."""

    step: int
    position: int
    occurred_at: datetime
    recorded_at: datetime
    source: str
    id: str
    type: str
    who: dict[str, str] = Field(description="Whoever acted, as far as the event says")
    summary: str
    data: dict[str, Any] = Field(description="The event's fields without personal ones")
    marks: list[Literal["late", "correction", "time_assumed"]]
    overtaken_by: int = Field(description="Events that happened later and were recorded before it")
    recorded_after_seconds: float
    changes: list[Change]


def _changed(changes: list[dict[str, Any]]) -> str:
    """What the changes come down to, in words."""
    return "; ".join(map(_change, changes))


def _change(change: dict[str, Any]) -> str:
    before, then = change["before"] or {}, change["then"] or {}
    rules = [
        f"{name}: {before[name]} → {state}"
        for name, state in then.items()
        if name != "verdict" and name in before and before[name] != state
    ]
    verdicts = [_verdict(change[when]) for when in ("before", "then", "now")]
    told = f"{change['kind']} {change['id']}: {verdicts[0]} → {verdicts[1]}, now {verdicts[2]}"
    return f"{told} ({', '.join(rules)})" if rules else told


def _verdict(standing: dict[str, str] | None) -> str:
    return "–" if standing is None else standing["verdict"]


REPLAY = Question(
    command=None,
    path="/customers/{customer_id:id}/replay",
    summary="A customer's history step by step: what changed, how it was judged then and is now",
    parameters=ReplayParameters,
    row=ReplayRow,
    ask=asked_for_all(replay),
    tables=in_columns(
        number("Step", "step"),
        instant("Occurred", "occurred_at"),
        instant("Recorded", "recorded_at"),
        column("Source", "source"),
        column("By", "who", lambda who: ", ".join(who.values()) or "–"),
        words("What happened", "summary"),
        column("Marks", "marks", ", ".join),
        column("Changed", "changes", _changed, wraps=True),
    ),
    subject="customer_id",
)
