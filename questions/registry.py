"""The questions there are."""

from typing import Any

from questions.access_log import ACCESS_LOG
from questions.attention import ATTENTION
from questions.channels import CHANNELS
from questions.complaints import COMPLAINT, COMPLAINT_QUALITY, COMPLAINTS
from questions.contradictions import CONTRADICTIONS, CONTRADICTIONS_BY_CHANNELS
from questions.customers import CUSTOMER
from questions.duplicates import CHANNEL_DUPLICATES, CHANNEL_DUPLICATES_BY_CHANNELS
from questions.effects import EFFECTS
from questions.event import EVENT
from questions.explaining import explain
from questions.promises import PROMISE, PROMISE_QUALITY, PROMISES
from questions.question import Question
from questions.replay import REPLAY
from questions.response_times import RESPONSE_TIMES
from questions.support import SUPPORT_REQUESTS, SUPPORT_TIMES
from questions.timeline import TIMELINE
from questions.value_cost import VALUE_COST, VALUE_COST_CUSTOMERS

_QUESTIONS: tuple[Question[Any], ...] = (
    TIMELINE,
    REPLAY,
    CUSTOMER,
    CHANNELS,
    CHANNEL_DUPLICATES,
    CHANNEL_DUPLICATES_BY_CHANNELS,
    CONTRADICTIONS,
    CONTRADICTIONS_BY_CHANNELS,
    RESPONSE_TIMES,
    PROMISES,
    PROMISE,
    PROMISE_QUALITY,
    COMPLAINTS,
    COMPLAINT,
    COMPLAINT_QUALITY,
    ATTENTION,
    SUPPORT_REQUESTS,
    SUPPORT_TIMES,
    EFFECTS,
    VALUE_COST,
    VALUE_COST_CUSTOMERS,
)
QUESTIONS: tuple[Question[Any], ...] = (*_QUESTIONS, explain(_QUESTIONS), EVENT, ACCESS_LOG)
"""In the order of the documents. A route whose path swallows another's comes after it."""
