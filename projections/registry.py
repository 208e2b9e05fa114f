"""The read models there are."""

from datetime import timedelta

from projections.access.model import ACCESS
from projections.complaints.model import COMPLAINTS
from projections.conversations.fold import EPISODE_GAP
from projections.conversations.model import conversations
from projections.customers.model import CUSTOMERS
from projections.dashboard import DASHBOARD
from projections.feedback.model import FEEDBACK
from projections.model import ReadModel, Views
from projections.policies.model import POLICIES
from projections.promises.model import PROMISES
from projections.statements.model import STATEMENTS
from projections.support.model import SUPPORT
from projections.timeline.model import TIMELINE

VIEWS: tuple[Views, ...] = (DASHBOARD,)
"""What rests on tables of read models, in an order in which it can be made."""


def read_models(*, episode_gap: timedelta = EPISODE_GAP) -> tuple[ReadModel, ...]:
    """Every read model; `episode_gap` is how far apart touchpoints without a case may be to belong
    together.
    """
    return (
        TIMELINE,
        conversations(episode_gap),
        PROMISES,
        COMPLAINTS,
        FEEDBACK,
        POLICIES,
        CUSTOMERS,
        STATEMENTS,
        SUPPORT,
        ACCESS,
    )
