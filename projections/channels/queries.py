"""Answers how channels compare."""

from datetime import datetime

from psycopg2.extras import Json

from ledger.datastore import PgCursor
from projections.answers import Answer, answer, fetch, window
from projections.channels.statements import filled
from projections.explaining import Behind, explain

_CHANNELS = filled("channels")
_BEHIND_CHANNELS = filled("behind_channels")
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
    # numpy takes as long to import as most commands take to run.
    from projections.channels.figures import figures

    counted, spent = map(Json, figures(cursor, as_of, from_, to))
    parameters = {"as_of": as_of, "counted": counted, "spent": spent, **window(from_, to)}
    return answer(cursor, _READ_MODELS, as_of, fetch(cursor, _CHANNELS, parameters))


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
