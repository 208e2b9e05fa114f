"""The questions there are."""

from typing import Any

from questions.channels import CHANNELS
from questions.complaints import COMPLAINT, COMPLAINTS
from questions.promises import PROMISES
from questions.question import Question
from questions.response_times import RESPONSE_TIMES
from questions.timeline import TIMELINE

QUESTIONS: tuple[Question[Any], ...] = (
    TIMELINE,
    CHANNELS,
    RESPONSE_TIMES,
    PROMISES,
    COMPLAINTS,
    COMPLAINT,
)
"""In the order of the documents. A route whose path swallows another's comes after it."""
