"""Every question that can be asked to the read models.

Each takes a cursor of `snapshot`, so that its rows and its position belong together, and `as_of`:
an aware instant after which nothing counts.
"""

from projections.answers import LARGEST_PAGE, METRIC_VERSION, Answer, BadToken, snapshot, standing
from projections.attention.queries import KINDS, UnknownKind, attention
from projections.channels.queries import channels
from projections.complaints.quality import complaint_quality
from projections.complaints.queries import complaint, complaints
from projections.conversations.fold import METRICS
from projections.conversations.queries import (
    DIMENSIONS,
    UnknownMetric,
    response_times,
    waiting,
)
from projections.customers.page import customer
from projections.customers.value_cost import value_cost, value_cost_customers
from projections.effects.queries import effects
from projections.grouping import UnknownDimension
from projections.promises.queries import (
    FINDINGS,
    VERDICTS,
    UnknownFinding,
    UnknownVerdict,
    promise,
    promise_quality,
    promises,
)
from projections.support.queries import support_requests, support_times
from projections.timeline.queries import timeline

__all__ = [
    "DIMENSIONS",
    "FINDINGS",
    "KINDS",
    "LARGEST_PAGE",
    "METRICS",
    "METRIC_VERSION",
    "VERDICTS",
    "Answer",
    "BadToken",
    "UnknownDimension",
    "UnknownFinding",
    "UnknownKind",
    "UnknownMetric",
    "UnknownVerdict",
    "attention",
    "channels",
    "complaint",
    "complaint_quality",
    "complaints",
    "customer",
    "effects",
    "promise",
    "promise_quality",
    "promises",
    "response_times",
    "snapshot",
    "standing",
    "support_requests",
    "support_times",
    "timeline",
    "value_cost",
    "value_cost_customers",
    "waiting",
]
