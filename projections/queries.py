"""Every question that can be asked to the read models.

Each takes a cursor of `snapshot`, so that its rows and its position belong together, and `as_of`:
an aware instant after which nothing counts.
"""

from projections.answers import LARGEST_PAGE, METRIC_VERSION, Answer, BadToken, snapshot, standing
from projections.channels.queries import channels
from projections.complaints.queries import complaint, complaints
from projections.conversations.fold import METRICS
from projections.conversations.queries import (
    DIMENSIONS,
    UnknownDimension,
    UnknownMetric,
    response_times,
    waiting,
)
from projections.promises.queries import VERDICTS, UnknownVerdict, promises
from projections.timeline.queries import timeline

__all__ = [
    "DIMENSIONS",
    "LARGEST_PAGE",
    "METRICS",
    "METRIC_VERSION",
    "VERDICTS",
    "Answer",
    "BadToken",
    "UnknownDimension",
    "UnknownMetric",
    "UnknownVerdict",
    "channels",
    "complaint",
    "complaints",
    "promises",
    "response_times",
    "snapshot",
    "standing",
    "timeline",
    "waiting",
]
