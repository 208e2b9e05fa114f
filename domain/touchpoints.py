"""Touchpoints, statements and feedback: what happened between a customer and the organisation."""

from typing import Any

from domain.facts import Fact, Follows, NotYet, Opens


class TouchpointNotRecorded(NotYet):
    """A correction came before the touchpoint that it corrects."""

    code = "touchpoint_not_recorded"


class TouchpointRecorded(Opens):
    """A customer and the organisation were in touch."""

    TOPIC = "touchpoint.recorded.v1"
    KIND = "touchpoint"
    ID_FIELD = "touchpoint_id"

    @classmethod
    def rank(cls, data: Any) -> int:
        return 20 if data["direction"] == "outbound" else 10


class TouchpointCorrected(Follows):
    """The whole record as it should have been; the first record stays in the history."""

    TOPIC = "touchpoint.corrected.v1"
    KIND = "touchpoint"
    ID_FIELD = "touchpoint_id"
    RANK = 30
    NOT_OPENED = TouchpointNotRecorded


class StatementMade(Opens):
    """A customer was told something that can turn out true or false."""

    TOPIC = "statement.made.v1"
    KIND = "statement"
    ID_FIELD = "statement_id"
    RANK = 25


class FeedbackGiven(Opens):
    """A customer said, or showed, what they think."""

    TOPIC = "feedback.given.v1"
    KIND = "feedback"
    ID_FIELD = "feedback_id"
    RANK = 90


FACTS: tuple[type[Fact], ...] = (
    TouchpointRecorded,
    TouchpointCorrected,
    StatementMade,
    FeedbackGiven,
)
