"""What is behind a figure: the things that it was computed from, each with its events.

A question about figures has beside it a statement that selects the things behind all of its rows.
Both are put together from the same common table expressions, so that a figure and what explains it
cannot differ. Such a statement has these columns:

* `thing`: what it is, told as `kind`: interval, touchpoint, conversation, promise, complaint,
  feedback, request, tier;
* `key`: text that tells things of one kind and one beginning from each other;
* `figures`: the names of the figures that the thing counts in;
* `state`: what became of it, in a word; null where there is nothing to say;
* `started_at`, `ended_at`: when it began and ended; one that happened at an instant has no end;
* `seconds`: how long it took, or takes so far; `value`: its cost, its score;
* `customer_id`, and `id`: the thing's own;
* a column for each of the question's groups;
* `details`: what else it was counted by (jsonb);
* `events`: the ids of the events that made it (uuid[], nulls among them do not matter).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, Page, answer, cut, fetch, window

_SQL = named_queries(Path(__file__).with_name("explaining.sql"))
_KEY = ("started_at", "kind", "key")
_FIRST_STRETCH = timedelta(days=1)
EXPLAIN = "explain"
"""Whose tokens lead from one page to the next."""


@dataclass(frozen=True)
class Behind:
    """Behind which figure of which row to look, and which page of what is found there.

    `group` has the values of the columns that name the row, None for one that is not known there;
    columns that are left out are not looked at. `figure` is the name of one figure, None for
    everything that the row was computed from. The window is [`from_`, `to`).
    """

    page: Page
    group: Mapping[str, str | None]
    figure: str | None = None
    from_: datetime | None = None
    to: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """The instant and the window, as the statements want them."""
        return {"as_of": self.page.as_of, **window(self.from_, self.to)}


def worked_out(groups: Collection[str]) -> str:
    """A statement whose things are those of the parameter `worked_out`: what `told` makes of them.

    For things that are judged in Python; they have all the columns, `groups` among them.
    """
    return (
        _SQL["worked_out"]
        .replace("{groups}", ", ".join(groups))
        .replace("{columns}", ", ".join(f"{name} text" for name in groups))
    )


def told(things: Iterable[Mapping[str, Any]]) -> str:
    """Things as the parameter `worked_out`; a column that is left out is null."""
    return json.dumps([*things], default=str)


def explain(
    cursor: PgCursor,
    things: str,
    wanted: Behind,
    read_models: Sequence[str],
    *,
    groups: Collection[str],
    parameters: Mapping[str, Any] = MappingProxyType({}),
    pooled: Collection[str] = (),
) -> Answer:
    """A page of what the statement `things` selects, by the time each thing began.

    `groups` are the columns that name a row, `parameters` those of the statement beside as_of and
    window. The figures `pooled` are computed from all rows together: for these the group does not
    matter. Rows: the columns above, `group` (an object) in place of the groups, and for each of
    `events` its `position`, `source`, `id`, `event_id` and `type`, in the order in which they
    happened.
    """
    after_time, after_kind, after_key = wanted.page.after or (None, None, None)
    group = {} if wanted.figure in pooled else wanted.group
    conditions = [
        f"{name} IS NULL" if value is None else f"{name} = %(group_{name})s"
        for name, value in group.items()
    ]
    statement = (
        _SQL["explain"]
        .replace("{group}", " AND ".join(conditions) or "true")
        .replace("{shown}", ", ".join(f"'{name}', {name}" for name in groups))
        .replace("{things}", things)
    )
    asked = {
        **parameters,
        **{f"group_{name}": value for name, value in group.items()},
        **wanted.parameters(),
        "figure": wanted.figure,
        "after_time": after_time,
        "after_kind": after_kind,
        "after_key": after_key,
        "rows": wanted.page.limit + 1,
    }
    found, next_ = cut(EXPLAIN, wanted.page, _first(cursor, statement, asked, wanted), _KEY)
    rows = [{name: value for name, value in row.items() if name != "key"} for row in found]
    return answer(cursor, read_models, wanted.page.as_of, rows, next_)


def _first(
    cursor: PgCursor, statement: str, asked: Mapping[str, Any], wanted: Behind
) -> list[dict[str, Any]]:
    """As many rows as a page and one more: of what began before some day, and if these are not
    enough of eight times as long, and so on, since there may be very much of everything.
    """
    after = None if wanted.page.after is None else datetime.fromisoformat(wanted.page.after[0])
    begun = after or wanted.from_
    stretch = _FIRST_STRETCH
    while begun is not None and stretch < wanted.page.as_of - begun:
        before = (begun + stretch).isoformat()
        rows = fetch(cursor, statement, {**asked, "before": before})
        if len(rows) > wanted.page.limit:
            return rows
        stretch *= 8
    return fetch(cursor, statement, {**asked, "before": "infinity"})
