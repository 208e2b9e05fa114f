"""Answers how channels compare."""

from datetime import datetime
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, answer, fetch, window
from projections.policies.costs import COSTS
from projections.promises.queries import JUDGED
from projections.survival import kaplan_meier, standardised

_CHANNELS = (
    named_queries(Path(__file__).with_name("queries.sql"))["channels"]
    .replace("{costs}", COSTS)
    .replace("{judged}", JUDGED)
    .replace("{kaplan_meier}", kaplan_meier(["channel"], measured="first_responses"))
    .replace("{standardised}", standardised())
)
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
