"""Answers how channels compare."""

from datetime import datetime
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, answer, fetch, window
from projections.explaining import Behind, explain
from projections.policies.costs import COST_OF_ONE, COSTS, cost
from projections.promises.queries import JUDGED
from projections.survival_statements import kaplan_meier, standardised

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_SHARED = ("touched", "talked", "measured", "helped", "tiered", "complained", "thought")


def _filled(statement: str) -> str:
    """A statement with the parts that figures and their explanation share."""
    for name in _SHARED:
        statement = statement.replace(f"{{{name}}}", _SQL[name])
    return statement.replace("{costs}", COSTS).replace("{judged}", JUDGED)


_CHANNELS = (
    _filled(_SQL["channels"])
    .replace("{cost}", cost("contacts", "handling_seconds"))
    .replace("{identified}", "")  # so that an index alone holds all that is read of intervals
    .replace("{kaplan_meier}", kaplan_meier(["channel"], measured="first_responses"))
    .replace("{standardised}", standardised())
)
_BEHIND_CHANNELS = (
    _filled(_SQL["behind_channels"])
    .replace("{cost_of_one}", COST_OF_ONE)
    .replace("{identified}", ", started_by, ended_by, conversation_id")
)
POOLED = ("adjusted_first_response_median_seconds", "comparable", "reversed_by_adjustment")
"""Figures that compare a channel with all others: they rest on the waits of every channel."""

_READ_MODELS = ("conversations", "promises", "complaints", "feedback", "policies", "customers")


def channels(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """What each channel did in [from_, to), as of an instant, by name of the channel.

    In the window are touchpoints and feedback that happened in it, conversations and waits that
    began in it (on the channel of the touchpoint that opened, or waited), promises due in it and
    complaints raised in it. Rows are those of docs/reference/metrics.md. `feedback_mean` is over
    scores as they were given, `abandoned` counts touchpoints.
    """
    rows = fetch(cursor, _CHANNELS, {"as_of": as_of, **window(from_, to)})
    return answer(cursor, _READ_MODELS, as_of, rows)


def behind_channels(cursor: PgCursor, wanted: Behind) -> Answer:
    """What is behind rows of `channels`, as `projections.explaining.explain` lists it."""
    return explain(
        cursor,
        _BEHIND_CHANNELS,
        wanted,
        _READ_MODELS,
        groups=("channel", "topic", "tier"),
        pooled=POOLED,
    )
